"""From a photo to the filters behind it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from events import events_of
from omegaconf import OmegaConf
from photo_folder import table
from PIL import Image
from program import PLAIN, TINY, made, refused
from refusals import assert_refused
from skimage import data
from tiny_networks import Tiny
from torch import Tensor, nn

import featviz
from featviz.models.model import Model
from featviz.models.sources import efficientnet_lite, torchvision
from featviz.photos.activations import FeatureMapActivator, PhotoActivations, ReferenceStatistics, figures, strongest
from featviz.photos.files import load_photo
from featviz.results.folder import RunFolder, read_rows
from featviz.tasks.photo_report import photo_reports, write_tables
from featviz.tasks.photo_sheets import _names, _sheet

SHORT = (*TINY, "task=top_filters", "layer=second", "top=3", "schedule.size=48", "schedule.steps=2")


@pytest.fixture(autouse=True)
def _stand_among_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name, photo in (("cat", data.chelsea()), ("coffee", data.coffee())):
        Image.fromarray(photo).resize((150, 100)).save(f"photos/{name}.png")


@pytest.mark.end_to_end
def test_photos_of_the_same_name_have_sheets_of_their_own_and_bad_ones_are_skipped() -> None:
    for name in ("cat", "dog"):
        Path("same", name).mkdir(parents=True)
        Image.open(f"photos/{'cat' if name == 'cat' else 'coffee'}.png").convert("RGB").save(f"same/{name}/001.jpg")
    Image.open("photos/cat.png").save("same/dog/001.png")
    Path("same/dog/bad.jpg").write_bytes(b"x")
    folder = made(*SHORT, "photo=same", "reference=same", "logger=none")
    assert len(list(folder.glob("sheet_*"))) == len(list(folder.glob("plot_*"))) == 3
    assert {row["photo"] for row in table(folder / "top_filters.csv")} == {"cat/001.jpg", "dog/001.jpg", "001.png"}


@pytest.mark.parametrize(
    ("load", "layers"),
    [
        (lambda: torchvision.load("resnet34", "random"), ["layer1.0.bn1", "layer2.1.conv2", "layer4"]),
        (efficientnet_lite.load, ["blocks.1.0.conv_dw", "blocks.4.2", "blocks.6.0.bn2"]),
    ],
    ids=["resnet34", "efficientnet_lite0"],
)
def test_activations_are_those_of_a_plain_forward_pass(load: Callable[[], Model], layers: list[str]) -> None:
    model = load()
    photo = load_photo("photos/cat.png", 224)
    activated = FeatureMapActivator(model, layers)(photo)
    caught: dict[str, Tensor] = {}
    for name in layers:
        module = model.network.get_submodule(name)
        module.register_forward_hook(lambda _m, _i, output, name=name: caught.update({name: output.clone()}))
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (model.mean, model.std))
    with torch.no_grad():
        model.network((photo[None] - mean) / std)
    for name in layers:
        torch.testing.assert_close(activated.means(name), caught[name][0].mean((1, 2)), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(activated.maxima(name), caught[name][0].amax((1, 2)), rtol=1e-5, atol=1e-5)


def test_ties_and_more_than_there_are() -> None:
    values = torch.tensor([1.0, 3.0, 3.0, -1.0, 3.0])
    assert strongest(values, 2) == [1, 2]
    assert strongest(values, 9) == [1, 2, 4, 0, 3]


def test_what_filters_are_ranked_by() -> None:
    maps = torch.tensor([[[0.0, 4.0]], [[3.0, 3.0]], [[1.0, 1.0]]])
    activated = PhotoActivations({"l": maps})
    usual = ReferenceStatistics(torch.tensor([1.0, 3.0, 1.0]), torch.tensor([0.5, 1.0, 0.0]))
    assert figures(activated, "l", "mean").tolist() == [2, 3, 1]
    assert figures(activated, "l", "max").tolist() == [4, 3, 1]
    assert figures(activated, "l", "zscore", usual).tolist() == [2, 0, 0]


def test_the_usual_is_the_mean_and_spread_over_photos() -> None:
    activator = FeatureMapActivator(Model("tiny", Tiny(), (0.0,), (1.0,), 48, "random"), ["second"])
    photos = torch.rand(5, 3, 48, 48)
    means = np.array([activator(photo).means("second").numpy() for photo in photos])
    usual = activator.reference_statistics(photos)["second"]
    np.testing.assert_allclose(usual.mean, means.mean(0), rtol=1e-4)
    np.testing.assert_allclose(usual.std, means.std(0), rtol=1e-3)


def test_the_five_best_classes() -> None:
    classes = FeatureMapActivator(efficientnet_lite.load(), ["layer1"]).classes(load_photo("photos/coffee.png", 224))
    assert len(classes) == 5
    assert {name for name, _ in classes} & {"espresso", "cup", "coffee mug"}
    assert [share for _, share in classes] == sorted((share for _, share in classes), reverse=True)
    headless = Model("tiny", nn.Sequential(nn.Conv2d(3, 4, 3)), (0.0,), (1.0,), 32, "random")
    assert FeatureMapActivator(headless, ["0"]).classes(torch.rand(3, 32, 32)) == []


@pytest.mark.end_to_end
def test_the_files_of_a_photo() -> None:
    folder = made(*SHORT, "image=photos/cat.png", "layer=first,second", "callbacks=none")
    rows = table(folder / "top_filters.csv")
    assert len(rows) == 6 + 20
    assert [row["rank"] for row in sorted(rows, key=lambda r: int(r["rank"])) if row["layer"] == "first"] == list(
        "123456"
    )
    for layer in ("first", "second"):
        order = sorted((r for r in rows if r["layer"] == layer), key=lambda r: -float(r["mean"]))
        top = [int(r["filter"]) for r in order[:3]]
        assert sorted(row["filter"] for row in read_rows(folder) if row["layer"] == layer) == sorted(top)
        for kind in ("plot", "sheet"):
            with Image.open(folder / f"{kind}_cat_{layer}.png") as image:
                assert image.width > 600
    assert all((folder / row["image"]).exists() for row in read_rows(folder))


@pytest.mark.end_to_end
def test_several_photos_get_a_sheet_each_and_a_table_of_what_they_share() -> None:
    folder = made(*SHORT, "photo=photos", "top=15", *PLAIN)
    assert len(list(folder.glob("sheet_*.png"))) == 2
    ranked: dict[str, set[int]] = {"cat.png": set(), "coffee.png": set()}
    for row in table(folder / "top_filters.csv"):
        if int(row["rank"]) <= 15:
            ranked[row["photo"]].add(int(row["filter"]))
    shared = table(folder / "shared_filters.csv")
    assert {int(row["filter"]) for row in shared} == ranked["cat.png"] & ranked["coffee.png"]
    assert all(row["names"] == "cat.png coffee.png" for row in shared)


@pytest.mark.end_to_end
def test_against_a_reference_folder() -> None:
    folder = made(*SHORT, "image=photos/cat.png", "by=zscore", "reference=photos", *PLAIN)
    rows = sorted(table(folder / "top_filters.csv"), key=lambda r: int(r["rank"]))
    scores = [float(row["zscore"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert np.abs(np.abs(scores) - 1).max() < 1e-3  # of two photos each is one standard deviation off


@pytest.mark.end_to_end
def test_sheets_go_to_tensorboard_too() -> None:
    tags = events_of(made(*SHORT, "image=photos/cat.png")).Tags()["images"]
    assert {"sheet/cat/second", "plot/cat/second"} <= set(tags)


def test_the_python_interface_gives_the_same() -> None:
    overrides = ["schedule.size=48", "schedule.steps=2", "callbacks=none"]
    torch.manual_seed(0)
    found = featviz.top_filters(
        featviz.Model("tiny", Tiny(), (0.0,), (1.0,), 48, "given"), "photos/cat.png", "second", n=2, overrides=overrides
    )
    (photo,) = found.photos
    assert [row["filter"] for row in found.result.rows] == sorted(photo.ranked["second"])
    assert photo.ranked["second"] == photo.values["second"].argsort(descending=True)[:2].tolist()
    assert len(found.result.images) == 2
    assert not Path("outputs").exists()


BAD = {
    "image=photos/cta.png": "there is no photo or folder 'photos/cta.png'",
    "image=notes.jpg": "notes.jpg is no picture that can be read",
    "image=empty": "folder empty holds no photo",
    "image=photos/cat.png top=0": "top is 0; expected 1 or more",
    "image=photos/cat.png by=zscore": "give a folder of them, reference=FOLDER",
    "image=photos/cat.png by=maen": "unknown by 'maen'; nearest: mean",
    "image=photos/cat.png layer=first,secnd": "unknown layer 'secnd'; nearest: second",
    "image=photos/cat.png reference=nowhere": "there is no photo or folder 'nowhere'",
    "top=2": "photo is missing: give it on the command line, image=... or photo=...",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize(("arguments", "words"), BAD.items())
def test_bad_input_is_one_line_and_nothing_starts(arguments: str, words: str) -> None:
    Path("notes.jpg").write_text("notes")
    Path("empty").mkdir()
    assert words in refused(*SHORT, *arguments.split())
    assert not list(Path("outputs").rglob("results.csv"))


def test_an_unknown_layer_in_python() -> None:
    call = partial(featviz.top_filters, "efficientnet_lite0", "photos/cat.png", "layer9")
    assert_refused(call, "layer", "layer9", "layer4")


NAMED = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2), nn.Softmax(1))
CLASSES = ("newt", "toad")


def test_outputs_are_called_by_their_classes() -> None:
    model = Model("named", NAMED, (0.0,), (1.0,), 16, "given", classes=CLASSES)
    activator = FeatureMapActivator(model, ["logits", "0"])
    assert _names(activator, "logits", [1, 0]) == ["toad", "newt"]
    assert _names(activator, "0", [1, 0]) == ["filter 1", "filter 0"]


def test_tables_name_classes_and_sheets_show_no_places_where_there_are_none(tmp_path: Path) -> None:
    model = Model("named", NAMED, (0.0,), (1.0,), 16, "given", classes=CLASSES)
    activator = FeatureMapActivator(model, ["logits", "0"])
    paths = [Path("photos/cat.png"), Path("photos/coffee.png")]
    reports = photo_reports(paths, activator, OmegaConf.create({"top": 2, "by": "mean", "reference": None}))
    write_tables(tmp_path, reports, activator)
    rows = table(tmp_path / "top_filters.csv")
    assert list(rows[0])[2:5] == ["module", "filter", "class"]
    assert [row["class"] for row in rows if row["photo"] == "cat.png"] == ["newt", "toad", "", "", "", ""]
    shared = table(tmp_path / "shared_filters.csv")
    assert {row["class"] for row in shared if row["layer"] == "logits"} == set(CLASSES)
    sheets = {}
    for layer in ("logits", "0"):
        sheets[layer] = _sheet(activator, reports[0], layer, [None, None], "mean", RunFolder(tmp_path))
    assert sheets["logits"].height < sheets["0"].height


def test_tables_without_classes_have_no_column_for_them(tmp_path: Path) -> None:
    activator = FeatureMapActivator(Model("tiny", Tiny(), (0.0,), (1.0,), 48, "random"), ["first"])
    cfg = OmegaConf.create({"top": 2, "by": "mean", "reference": None})
    write_tables(tmp_path, photo_reports([Path("photos/cat.png")], activator, cfg), activator)
    assert "class" not in table(tmp_path / "top_filters.csv")[0]
