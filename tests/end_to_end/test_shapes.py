"""Whole runs of networks whose pictures are no squares, of films, and of values that are no colors."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from program import run
from refusals import refusal_of
from torch import Tensor, nn

import featviz
from featviz.models.normalization import Normalization
from featviz.models.receptive_field import Span, receptive_fields
from featviz.models.tracing import trace
from featviz.results.folder import RunFolder, read_rows

pytestmark = pytest.mark.usefixtures("libraries_imported")

FEW = ["schedule.steps=3", "callbacks=none", "relations=false", "redirect_steps=0", "restarts=0"]


class Oblong(nn.Module):
    """Takes pictures (N, 2, 12, 20) alone, for whatever its linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 5, 3, 2, 1), nn.BatchNorm2d(5)
        self.last = nn.Linear(5 * 6 * 10, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.conv(x)).relu().flatten(1))


class Moving(nn.Module):
    """Takes films (N, 3, T, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv3d(3, 5, (3, 5, 5), (1, 2, 2), (1, 2, 2)), nn.BatchNorm3d(5)
        self.last = nn.Conv3d(5, 4, 3, (2, 1, 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.conv(x)).relu()).mean((2, 3, 4))


def oblong(**told: object) -> featviz.Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return featviz.Model("oblong", Oblong(), size=(12, 20), **told)


def moving(**told: object) -> featviz.Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return featviz.Model("moving", Moving(), size=(6, 12, 20), **told)


def test_oblong_pictures_are_made_and_saved(tmp_path: Path) -> None:
    result = featviz.visualize(oblong(), "conv", [0, 3], output=tmp_path, overrides=FEW)
    assert result.images.shape == (2, 2, 12, 20)
    assert [row["size"] for row in read_rows(tmp_path)] == ["12x20"] * 2
    with Image.open(tmp_path / result.rows[0]["image"]) as image:
        assert image.size == (20, 12)
        assert image.text["size"] == "12x20"
    loaded = RunFolder(tmp_path).load_picture(result.rows[0])
    assert loaded is not None
    assert torch.equal(loaded, result.images[0])
    again = featviz.visualize(oblong(), "conv", [0, 3], output=tmp_path, overrides=FEW)
    assert torch.equal(again.images, result.images)  # the same folder: nothing is missing


def test_films_are_made_and_saved(tmp_path: Path) -> None:
    result = featviz.visualize(moving(), "last", [0, 1], output=tmp_path, overrides=[*FEW, "recipe=olah2017"])
    assert result.images.shape == (2, 3, 6, 12, 20)
    assert [row["size"] for row in read_rows(tmp_path)] == ["6x12x20"] * 2
    path = tmp_path / result.rows[1]["image"]
    with Image.open(path.with_suffix(".webp")) as film:
        assert film.n_frames == 6
        film.seek(4)
        levels = (255 * result.images[1][:, 4]).round().permute(1, 2, 0).numpy()
        assert np.array_equal(np.asarray(film.convert("RGB")), levels)
    loaded = RunFolder(tmp_path).load_picture(result.rows[1])
    assert loaded is not None
    torch.testing.assert_close(loaded, result.images[1])
    assert result.rows[0]["robustness"] > 0
    assert "2 films of 6x12x20 px" in repr(result)
    path.with_suffix(".webp").write_bytes(path.with_suffix(".webp").read_bytes()[:-9])  # cut short
    again = featviz.visualize(moving(), "last", [0, 1], output=tmp_path, overrides=[*FEW, "recipe=olah2017"])
    assert torch.equal(again.images, result.images)
    with Image.open(path.with_suffix(".webp")) as film:
        assert film.n_frames == 6


def test_a_film_of_a_linear_filter_becomes_that_filter() -> None:
    """A moving cell: what excites it most, at a fixed norm, is known."""
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(1, 1, 5, 8, 8, generator=generator)
    cell = nn.Conv3d(1, 1, (5, 8, 8), bias=False)
    cell.weight.data = weights
    model = featviz.Model("cell", nn.Sequential(cell), mean=0.5, std=0.25, size=(5, 8, 8))
    pixels = [
        "image=pixel",
        "image.space=model",
        "image.bound=none",
        "image/init=uniform",
        "optimizer=sgd",
        "optimizer.lr=1",
    ]
    ball = ["+projections.ball._target_=featviz.optim.NormBall", "+projections.ball.rho=4", "raw=true"]
    result = featviz.visualize(model, "0", [0], "plain", overrides=[*FEW, *pixels, *ball])
    assert result.values is not None
    cosine = torch.cosine_similarity(result.values.flatten(), weights.flatten(), 0)
    assert cosine > 0.98
    assert result.rows[0]["activation"] == pytest.approx((result.values * weights).sum().item(), rel=1e-4)


@pytest.mark.parametrize("position", [None, [1, 2, 3]])
def test_a_neuron_of_a_film_is_a_place_in_time(position: list[int] | None) -> None:
    model, told = moving(), "null" if position is None else str(position).replace(" ", "")
    settings = [*FEW, "objective=neuron", f"objective.position={told}", "evidence=none", "raw=true"]
    result = featviz.visualize(model, "last", [2], overrides=settings)
    with torch.no_grad():
        maps = model.network.last(model.network.norm(model.network.conv(result.values)).relu())
    frame, row, column = position or (side // 2 for side in maps.shape[2:])
    assert result.rows[0]["activation"] == pytest.approx(maps[0, 2, frame, row, column].item(), rel=1e-4)


def test_values_are_saved_unrounded_and_with_their_unit(tmp_path: Path) -> None:
    model = oblong(mean=(0.2, 0.6), std=(0.5, 2.0), display="each")
    result = featviz.visualize(model, "conv", [1], output=tmp_path, overrides=[*FEW, "raw=true"])
    path = tmp_path / result.rows[0]["image"]
    values = np.load(path.with_suffix(".npy"))
    assert (values.dtype, values.shape) == (np.float32, (2, 12, 20))
    assert result.values is not None
    np.testing.assert_allclose(values, result.values[0])
    torch.testing.assert_close(Normalization(model.mean, model.std)(result.images), result.values)
    assert (255 * result.images - (255 * result.images).round()).abs().max() > 0.01  # not rounded
    with torch.no_grad():
        maps = model.network.conv(torch.from_numpy(values)[None])
    assert result.rows[0]["activation"] == pytest.approx(maps[0, 1].mean().item(), rel=1e-4)
    with Image.open(path) as image:
        assert image.size == (40, 12)  # a panel for each channel
        assert "as the network takes them" in image.text["values"]
    loaded = RunFolder(tmp_path).load_picture(result.rows[0])
    assert loaded is not None
    torch.testing.assert_close(loaded, result.images[0])


def test_values_of_a_range_are_kept_and_shown_in_full_contrast(tmp_path: Path) -> None:
    model = oblong(range=[[-10, 90], [0, 1]])
    result = featviz.visualize(model, "conv", [1], output=tmp_path, overrides=FEW)
    path = tmp_path / result.rows[0]["image"]
    assert result.values is not None
    np.testing.assert_allclose(np.load(path.with_suffix(".npy")), result.values[0])
    center = torch.tensor(model.mean).view(2, 1, 1)
    apart = result.images[0] - center
    with Image.open(path) as image:
        shown = torch.from_numpy(np.asarray(image.convert("L")) / 255)
    torch.testing.assert_close(shown, (0.5 + apart / (2 * apart.abs().max()))[0].double(), atol=1 / 255, rtol=0)


def test_values_without_bounds_are_always_kept(tmp_path: Path) -> None:
    settings = [*FEW, "optimizer.lr=2"]
    result = featviz.visualize(oblong(range="none"), "conv", [1], output=tmp_path, overrides=settings)
    values = np.load((tmp_path / result.rows[0]["image"]).with_suffix(".npy"))
    assert values.min() < -0.1
    np.testing.assert_allclose(values, result.images[0])
    with (tmp_path / "results.csv").open() as file:
        assert next(csv.DictReader(file))["robustness"] == "nan"  # which is of colors


def test_activations_of_films() -> None:
    model = moving()
    assert featviz.activations(model, model.noise(), "last")["last"].shape == (1, 4, 3, 6, 10)
    refusal_of(lambda: featviz.activations(model, torch.zeros(1, 3, 12, 20), "last"))


def test_layers_and_receptive_fields_of_oblong_pictures_and_films() -> None:
    layers = {row["layer"]: row for row in featviz.layers(moving())}
    assert layers["last"]["output"] == [1, 4, 3, 6, 10]
    assert (layers["last"]["filters"], layers["last"]["stride"]) == (4, 2)
    field = receptive_fields(moving(), ["last"])["last"]
    assert field.rows is not None
    assert field.columns is not None
    assert (field.rows.size, field.columns.size, field.columns.stride) == (9, 9, 2)
    assert field.frames == Span(5, 2, -2)
    assert receptive_fields(oblong(), ["conv"])["conv"].box(1, 1, 12, 20) == (1, 1, 4, 4)
    assert trace(oblong()).accepts_other_sizes is False


@pytest.mark.parametrize(
    ("size", "setting", "network"),
    [
        ((6, 12, 20), "model.size", Oblong),
        (32, "model.size", Moving),
        ((1, 2, 3, 4), "model.size", Moving),
        ((12, 0), "model.size", Oblong),
        ((12, -20), "model.size", Oblong),
    ],
)
def test_sizes_of_another_kind_are_refused(size: object, setting: str, network: type[nn.Module]) -> None:
    assert refusal_of(lambda: featviz.Model("other", network(), size=size)).setting == setting


@pytest.mark.parametrize(
    ("model", "overrides", "setting"),
    [
        (moving, ["schedule.size=32"], "schedule.size"),
        (oblong, ["schedule.size=[6,12,20]"], "schedule.size"),
        (moving, ["image=maco"], "image"),
        (moving, ["opacity=true"], "opacity"),
        (oblong, ["transforms=time_shift"], "time_shift"),
        (moving, ["objective=neuron", "objective.position=[1,2]"], "objective.position"),
    ],
)
def test_what_films_and_pictures_cannot_have(model: object, overrides: list[str], setting: str) -> None:
    assert callable(model)
    call = lambda: featviz.visualize(model(), "conv", [0], overrides=[*FEW, *overrides])  # noqa: E731
    assert refusal_of(call).setting == setting


@pytest.mark.end_to_end
def test_sizes_are_checked_on_the_command_line() -> None:
    for typed, expected in (("[1,2,3,4]", "[36,64] as height and width"), ("[36,0]", "px such as"), ("x", "a list")):
        outcome = run(f"schedule.size={typed}")
        assert outcome.status == 1
        assert "schedule.size is" in outcome.err
        assert expected in outcome.err
        assert outcome.err.count("\n") == 1


def test_photos_are_cut_to_the_networks_proportions_and_films_take_none(tmp_path: Path) -> None:
    colors = np.zeros((40, 80, 3), np.uint8)
    colors[:, 40:] = 255
    Image.fromarray(colors).save(tmp_path / "photo.png")
    first = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1))
    found = featviz.exemplars(
        featviz.Model("plain", first, size=(16, 40)), str(tmp_path / "photo.png"), "0", [0, 1], k=1
    )
    assert {one.size for one in found.strongest} == {(80, 40)}
    error = refusal_of(lambda: featviz.exemplars(moving(), str(tmp_path / "photo.png"), "conv", [0], k=1))
    assert "films" in str(error)
