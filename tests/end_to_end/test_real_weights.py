"""The default network with its real weights: what it sees in photos, and that its filters get pictures."""

from pathlib import Path

import matplotlib
import pytest
import torch
from PIL import Image
from skimage import data

import featviz
from featviz.models.sources import efficientnet_lite
from featviz.photos.activations import FeatureMapActivator
from featviz.photos.files import fit_photo, read_photo

HOPPER = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
FAST = ["callbacks=none", "schedule.size=64"]
ALONE = [*FAST, "evidence=none", "restarts=0"]


@pytest.mark.parametrize(
    ("photo", "names"),
    [
        ("hopper", {"military uniform"}),
        ("chelsea", {"tabby", "tiger cat", "Egyptian cat", "tabby, tabby cat"}),
        ("coffee", {"espresso", "cup", "coffee mug"}),
    ],
)
def test_photos_are_named_sensibly(photo: str, names: set[str]) -> None:
    image = read_photo(HOPPER) if photo == "hopper" else Image.fromarray(getattr(data, photo)())
    classes = FeatureMapActivator(efficientnet_lite.load(), ["layer1"]).classes(fit_photo(image, 224))
    assert classes[0][0] in names, classes
    assert classes[0][1] > 0.2


def test_a_hundred_steps_raise_every_filter_to_five_times_its_start() -> None:
    """Five times: by four times the start's amount, which also tells where the start is below zero."""
    layers = ["layer2", "layer3", "layer4"]
    rows = featviz.visualize(layer=layers, filters="0-1", overrides=[*ALONE, "schedule.steps=100"]).rows
    starts = [row["start_activation"] for row in rows]
    risen = [(row["activation"] - start) / abs(start) for row, start in zip(rows, starts, strict=True)]
    assert len(risen) == 6
    assert min(risen) >= 4, risen
    assert all(row["activation"] > 0 for row in rows)
    assert [row["status"] for row in rows] == ["ok"] * 6


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        featviz.visualize(layer="layer3", filters=[3, 4], output=tmp_path / name, overrides=[*FAST, "schedule.steps=2"])
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.png"))
    assert {str(file) for file in files} > {"response_matrix_layer3.png", "grid_layer3.png"}
    assert len(files) == 4
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_a_picture_is_the_same_alone_and_in_a_batch() -> None:
    overrides = [*ALONE, "schedule.steps=10"]
    together = featviz.visualize(layer="layer3", filters="2-5", overrides=overrides).images
    alone = featviz.visualize(layer="layer3", filters=[5], overrides=overrides).images
    assert torch.equal(together[3], alone[0])
