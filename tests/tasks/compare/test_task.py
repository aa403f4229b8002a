"""Networks compared: units that changed places or learned something else, unlike networks, bad input."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from changed_networks import PERMUTED, PLACES, RETRAINED, changed, network
from interface import QUIET
from photo_folder import tiny
from PIL import Image
from refusals import refusal_of
from torch import nn

import featviz
from featviz.tasks.compare.task import Comparison

ALONE = "compare.pictures=0"


def model(module: nn.Module, name: str) -> featviz.Model:
    return featviz.Model(name, module, (0.5,), (0.25,), 48)


def compared(photos: Path, *more: str, output: Path | None = None, **settings: Any) -> Comparison:
    networks = settings.pop("models", [model(network(), "before"), model(changed(), "after")])
    return featviz.compare(networks, photos, overrides=[*QUIET, *more], output=output, **{"layer": "second"} | settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> tuple[Path, Comparison]:
    path = tmp_path_factory.mktemp("compared") / "run"
    return path, compared(photo_folder, "compare.pictures=2", "report=default", output=path)


def test_permuted_filters_are_matched_and_retrained_ones_told(folder: tuple[Path, Comparison]) -> None:
    matches = {row.filter: row for row in folder[1].matches[:16]}  # those of the other network come behind
    assert [(matches[unit].other_filter, matches[unit].status) for unit in PERMUTED] == [(at, "same") for at in PLACES]
    assert [unit for unit, row in matches.items() if row.status != "same"] == RETRAINED
    assert all(matches[unit].weights > 0.99 for unit in PERMUTED)
    assert all(matches[unit].weights < 0.5 for unit in RETRAINED)


def test_tables_and_pictures(folder: tuple[Path, Comparison]) -> None:
    path, found = folder
    with (path / "matches.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["filter"]), row["status"]) for row in rows] == [(row.filter, row.status) for row in found.matches]
    drawn = {int(row["filter"]) for row in rows if row["picture"] != "nan"}
    assert drawn
    assert drawn <= {*RETRAINED, -1, *range(16)}
    assert {file.stem for file in (path / "before/images/second").iterdir()} >= {
        f"{unit:04d}" for unit in drawn if unit >= 0
    }
    for name in ("changed_after_second.png", "cka_after.png"):
        with Image.open(path / name) as image:
            image.load()
    assert (path / "index.html").is_file()


def test_layers_of_the_same_weights_are_alike(folder: tuple[Path, Comparison]) -> None:
    found = folder[1]
    assert found.layers == {"before": ["first", "second", "fc"], "after": ["first", "second", "fc"]}
    assert found.cka["after"][0, 0].item() == pytest.approx(1, abs=1e-6)
    assert found.cka["after"][0, 2].item() < found.cka["after"][0, 1].item() < 1


def test_correlations_are_those_of_all_photos(photo_folder: Path) -> None:
    found = compared(photo_folder, ALONE, "compare.cka=false", "batch_size=16")
    answers = []
    for module in (network(), changed()):
        shown = [
            featviz.activations(model(module, "n"), photo[None], "second")["second"].mean((2, 3))
            for photo in photos_of(photo_folder)
        ]
        answers.append(torch.cat(shown).double())
    pairs = [(row.filter, row.other_filter) for row in found.matches if row.filter >= 0]
    expected = [torch.corrcoef(torch.stack([answers[0][:, a], answers[1][:, b]]))[0, 1].item() for a, b in pairs]
    assert [row.correlation for row in found.matches if row.filter >= 0] == pytest.approx(expected, abs=1e-5)
    assert found.cka == {}


def photos_of(folder: Path) -> list[torch.Tensor]:
    from featviz.photos.stream import PhotoStream

    return [
        picture
        for batch in PhotoStream(sorted(folder.iterdir()), 48)
        for picture in batch.pictures[: len(batch.numbers)]
    ]


def test_unlike_networks_and_layers(photo_folder: Path) -> None:
    networks = [model(network(), "filters"), tiny(), model(changed(), "third")]
    found = compared(photo_folder, ALONE, "compare.other_layer=first", models=networks, limit=20)
    assert {(row.other, row.other_module) for row in found.matches} == {("tiny", "first"), ("third", "first")}
    assert found.cka["tiny"].shape == (3, len(found.layers["tiny"]))
    assert all(row.weights != row.weights for row in found.matches if row.other == "tiny")  # nan: 12 channels and 3


def test_networks_of_other_sizes_see_the_same_photos(photo_folder: Path) -> None:
    larger = featviz.Model("larger", network(), (0.5,), (0.25,), 64)
    found = compared(photo_folder, ALONE, models=[model(network(), "small"), larger], limit=40)
    assert sum(row.filter == row.other_filter for row in found.matches) >= 14


def save(name: str, module: nn.Module) -> str:
    torch.save(module.state_dict(), name)
    return name


def test_checkpoints_that_cannot_be_compared(photo_folder: Path) -> None:
    good, other = save("good.ckpt", network()), save("other.ckpt", nn.Conv2d(3, 4, 3))
    own = ["model.target=changed_networks.network", "model.size=48", ALONE, *QUIET]

    def call(*models: str) -> Any:
        return featviz.compare(list(models), photo_folder, "second", model="own", overrides=own)

    for models, got in ([good, other], other), ([good, "none.ckpt"], "none.ckpt"), ([good, "resnet81"], "resnet81"):
        error = refusal_of(lambda models=models: call(*models))
        assert (error.setting, error.got) == ("models", got)
    assert refusal_of(lambda: call(good)).expected == "two or more checkpoints, or names of models"
    assert len(call(good, good).matches) == 16


@pytest.mark.parametrize(
    ("settings", "setting", "near"),
    [
        ({"layer": "secnd"}, "layer", "second"),
        ({"data": "nowhere"}, "", ""),
        ({"data": "empty"}, "", ""),
        ({"by": "median"}, "by", ""),
    ],
)
def test_bad_input(photo_folder: Path, settings: dict[str, Any], setting: str, near: str) -> None:
    Path("empty").mkdir()
    data = settings.pop("data", photo_folder) if "data" in settings else photo_folder
    error = refusal_of(lambda: compared(Path(data), ALONE, **settings))
    assert error.setting == setting or not setting
    assert not near or near in error.nearest


@pytest.mark.parametrize("typed", ["compare.same=2", "compare.alike=-1", "compare.pictures=-1", "compare.same=0.2"])
def test_settings_out_of_range(photo_folder: Path, typed: str) -> None:
    assert refusal_of(lambda: compared(photo_folder, ALONE, typed)).setting.startswith("compare.")


def test_concepts_are_matched_each_network_having_its_own_dictionary(photo_folder: Path, tmp_path: Path) -> None:
    networks, files = [model(network(), "before"), model(changed(), "after")], []
    for one in networks:
        featviz.concepts(one, photo_folder, "second", 3, "pca", output=tmp_path / one.name)
        files.append(tmp_path / one.name / "second_pca.safetensors")
    more = ALONE, f"compare.other_layer=second@{files[1]}"
    found = compared(photo_folder, *more, models=networks, layer=f"second@{files[0]}", output=tmp_path / "compared")
    assert [row.filter for row in found.matches[:3]] == [0, 1, 2]
    assert all(0.5 < row.correlation <= 1 for row in found.matches[:3] if row.status in ("same", "moved"))
    assert found.layers["after"] == ["first", "second", f"second@{files[1]}", "fc"]
    refused = refusal_of(lambda: compared(photo_folder, ALONE, models=networks, layer=f"second@{files[0]}"))
    assert "are of another network: before" in str(refused)
