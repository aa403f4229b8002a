from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from refusals import assert_refused, refusal_of
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import Statistics
from featviz.objectives.photo_sets import photos_of_units
from featviz.photos.files import load_photo

SIZE = 16


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 3), nn.ReLU())


def backbone(*layers: str) -> Backbone:
    model = Model("tiny", network(), (0.5,), (0.25,), SIZE, "random", classes=("cat", "tree frog", "owl"))
    return Backbone(model, layers)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with one for each unit: 0, tree_frog, and Owl, of three photos each."""
    rng = np.random.default_rng(0)
    for name in ("0", "tree_frog", "Owl"):
        (tmp_path / name).mkdir()
        for at in range(3):
            Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(tmp_path / name / f"{at}.png")
    return tmp_path


def loaded(folder: Path) -> Tensor:
    return torch.stack([load_photo(file, SIZE) for file in sorted(folder.glob("*.png"))])


def pictures(size: int = SIZE) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("count", [1, 3])
def test_relevance_is_gradient_times_activation_of_the_units_own_photos(photos: Path, count: int) -> None:
    found = backbone("2", "0")
    objective = Statistics("2", [1, 2], str(photos), {"0": 1.0}, relevance=True, count=count)
    objective.prepare(found)
    scores = objective(found(pictures()))
    for at, (number, name) in enumerate(((1, "tree_frog"), (2, "Owl"))):
        early = nn.Sequential(*network()[:1])((loaded(photos / name)[:count] - 0.5) / 0.25).detach().requires_grad_()
        late = nn.Sequential(nn.ReLU(), network()[2])(early)
        (gradient,) = torch.autograd.grad(late[:, number].mean((1, 2)).sum(), early)
        relevance = (early * gradient).clamp_min(0).detach()
        low, high = relevance.amin((2, 3), keepdim=True), relevance.amax((2, 3), keepdim=True)
        target = (early.detach() * (relevance - low) / (high - low).clamp_min(1e-12)).flatten(2).sort(2).values.mean(0)
        largest = relevance.amax((0, 2, 3))
        maps = network()[:1]((pictures()[at : at + 1] - 0.5) / 0.25)[0].flatten(1).sort(1).values
        expected = -((maps - target).square().mean(1) * largest / largest.max()).mean()
        torch.testing.assert_close(scores[at], expected, rtol=1e-4, atol=1e-6)


def test_the_photos_themselves_have_no_distance_at_any_size(photos: Path) -> None:
    """A gradual picture has about the same distribution at another size."""
    gradual = torch.linspace(0.2, 0.8, SIZE).expand(3, SIZE, SIZE)
    Image.fromarray((gradual.permute(1, 2, 0) * 255).round().byte().numpy()).save(photos / "gradual.png")
    found = backbone("2", "0")
    objective = Statistics("2", [1], str(photos / "gradual.png"), {"0": 1.0})
    objective.prepare(found)
    same = objective(found(load_photo(photos / "gradual.png", SIZE)[None]))
    larger = objective(found(load_photo(photos / "gradual.png", 2 * SIZE)[None]))
    assert same.item() == pytest.approx(0, abs=1e-10)
    assert objective(found(pictures()[:1])).item() < 20 * larger.item() < 0


def test_where_the_photos_of_a_unit_are(photos: Path) -> None:
    found = backbone("2")
    layer, model = found.layers["2"], found.model
    names = [[file.parent.name for file in files] for files in photos_of_units(str(photos), [0, 1, 2], layer, model)]
    assert names == [["0"] * 3, ["tree_frog"] * 3, ["Owl"] * 3]
    alike = photos_of_units(str(photos / "0"), [0, 1], layer, model)
    assert alike[0] == alike[1] == sorted((photos / "0").glob("*.png"))
    (photos / "Owl").rename(photos / "eagle")
    error = refusal_of(lambda: photos_of_units(str(photos), [0, 2], layer, model))
    assert error.expected == "a folder for each unit"


@pytest.mark.parametrize("weights", [{}, {"0": -1.0}, {"0": "x"}, {"0": 0.0}, 3])
def test_what_are_no_weights(weights: object) -> None:
    expected = "a number for each layer, '{layer1: 1, layer2: 0.5}', or null"
    assert_refused(lambda: Statistics("2", [1], "x.png", weights), "objective.weights", weights, expected)
