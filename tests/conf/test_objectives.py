"""Every objective, composed as a user types it, against its formula in NumPy."""

import re
import shlex
from collections import OrderedDict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from configs import chosen
from formulas import (
    CASES,
    FILTERS,
    MEAN,
    PHOTOS,
    SIZE,
    STD,
    VECTORS,
    Array,
    Case,
    caricatures,
    directions,
    means,
    seen,
)
from omegaconf import DictConfig
from PIL import Image
from program import ROOT
from refusals import refusal_of
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import (
    Caricature,
    Channel,
    Direction,
    Diversity,
    Joint,
    Neuron,
    Objective,
    WholeLayer,
    units_of,
)
from featviz.objectives.base import photo_key
from featviz.runs.build_method import build_method


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {
            "early": nn.Conv2d(3, 5, 3, 2),
            "act": nn.ReLU(),
            "late": nn.Conv2d(5, 7, 3),
            "pool": nn.AdaptiveAvgPool2d(1),
            "flat": nn.Flatten(),
            "head": nn.Linear(7, 4),
        }
        return nn.Sequential(OrderedDict(parts))


@pytest.fixture(scope="module")
def backbone(network: nn.Sequential) -> Backbone:
    model = Model("tiny", network, tuple(MEAN), tuple(STD), SIZE, "random", classes=("cat", "dog", "owl", "newt"))
    return Backbone(model, ["late", "early", "logits"], linked=True)


@pytest.fixture(scope="module")
def folder_of_photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Array]:
    folder = tmp_path_factory.mktemp("photos")
    levels = np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    for name, photo in zip(PHOTOS, levels, strict=True):
        Image.fromarray(photo).save(folder / name)
    return folder, levels.transpose(0, 3, 1, 2) / 255


@pytest.fixture
def photos(folder_of_photos: tuple[Path, Array], monkeypatch: pytest.MonkeyPatch) -> Array:
    """Three photos of the network's size, (3, 3, SIZE, SIZE), whose files lie in the folder that one stands in."""
    folder, levels = folder_of_photos
    monkeypatch.chdir(folder)
    return levels


@pytest.fixture(scope="module")
def pictures() -> Array:
    return np.random.default_rng(0).random((3, 3, SIZE, SIZE))


@cache
def configuration(case: Case) -> DictConfig:
    cfg = chosen(*case.typed)
    if cfg.layer != "logits":
        cfg.layer = "late"
    return cfg


def objective_of(case: Case, backbone: Backbone) -> Objective:
    cfg = configuration(case)
    objective: Objective = build_method(cfg, 224).objective(layer=cfg.layer, filters=list(case.numbers))
    objective.prepare(backbone)
    return objective


def scored(objective: Objective, backbone: Backbone, pictures: Array) -> Tensor:
    maps = objective.completed(backbone(torch.from_numpy(pictures).float().requires_grad_()))
    wanted = set(maps) - {*backbone.layers} | {*objective.layers}
    return objective({name: maps[name] for name in wanted}).detach()


def test_every_option_has_its_formula() -> None:
    options = {file.stem for file in (ROOT / "conf" / "objective").glob("*.yaml")}
    assert {case.typed[0].removeprefix("objective=") for case in CASES.values()} == options


PAGE = ROOT / "docs" / "objectives.md"
WRITTEN = re.findall(r"python -m featviz (?!--config-dir)([^`\n]+)", PAGE.read_text())


@pytest.mark.parametrize("typed", WRITTEN)
def test_what_the_page_says_can_be_typed(typed: str) -> None:
    method = build_method(chosen(*shlex.split(typed)), 224)
    assert issubclass(getattr(method.objective, "func", object), Objective)


def test_the_page_shows_every_option() -> None:
    typed = {word for line in WRITTEN for word in shlex.split(line)}
    assert {f"objective={case.typed[0].removeprefix('objective=')}" for case in CASES.values()} - typed == {
        "objective=channel"
    }


@pytest.mark.parametrize("name", CASES)
def test_scores_are_those_of_the_formula(
    name: str, backbone: Backbone, network: nn.Sequential, pictures: Array, photos: Array
) -> None:
    case = CASES[name]
    expected = case.formula(seen(network, pictures), seen(network, photos))
    assert np.ptp(expected) > 1e-3  # each picture has a score of its own
    scores = scored(objective_of(case, backbone), backbone, pictures)
    assert (scores.shape, scores.dtype) == ((3,), torch.float32)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("name", CASES)
def test_no_score_depends_on_another_picture_but_where_that_is_its_purpose(
    name: str, backbone: Backbone, pictures: Array
) -> None:
    given = torch.from_numpy(pictures).float().requires_grad_()
    objective = objective_of(CASES[name], backbone)
    scores = objective(objective.completed(backbone(given)))
    depends = np.array([torch.autograd.grad(score, given, retain_graph=True)[0].flatten(1).any(1) for score in scores])
    expected = np.eye(3, dtype=bool)
    for one, other in CASES[name].coupled:
        expected[[one, other], [other, one]] = True
    np.testing.assert_array_equal(depends, expected)


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("name", CASES)
def test_the_pictures_of_a_run_are_numbered(name: str, backbone: Backbone) -> None:
    cfg = configuration(CASES[name])
    layer = backbone.layers[cfg.layer]
    assert units_of(build_method(cfg, 224).objective, [2, 0], layer, backbone.model, 0) == list(CASES[name].makes)


def test_classes_are_told_by_their_names(backbone: Backbone) -> None:
    cfg = chosen("objective=logit")
    assert cfg.layer == "logits"
    layer = backbone.layers["logits"]
    numbers = units_of(build_method(cfg, 224).objective, ["newt", "Dog", 2], layer, backbone.model, 0)
    assert numbers == [3, 1, 2]


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("name", ["negative", "diversity", "capped", "accentuation", "sum with a photo"])
def test_tables_show_the_mean_of_the_filter(
    name: str, backbone: Backbone, network: nn.Sequential, pictures: Array
) -> None:
    objective = objective_of(CASES[name], backbone)
    activations = objective.activation(backbone(torch.from_numpy(pictures).float()))
    np.testing.assert_allclose(activations, means(seen(network, pictures)["late"]), rtol=1e-4, atol=1e-5)


def test_objectives_of_every_kind_add_and_scale_in_python(
    backbone: Backbone, network: nn.Sequential, pictures: Array, photos: Array
) -> None:
    filters = list(FILTERS)
    composed = -(
        0.5 * Neuron("late", filters) - Joint("early", [0], {1: 1.0}) * 2
        + Direction("late", [0, 1, 2], VECTORS.tolist())
        - WholeLayer("late", [0])
        + 3 * Caricature("late", [0, 1, 2], PHOTOS)
    )  # fmt: skip
    composed.prepare(backbone)
    maps, of_photos = seen(network, pictures), seen(network, photos)
    expected = -(
        0.5 * maps["late"][[0, 1, 2], FILTERS, 3, 3]
        - 2 * maps["early"][:, 1].mean((1, 2))
        + directions(maps["late"], 2).mean((1, 2))
        - (maps["late"] ** 2).mean((1, 2, 3)) / 2
        + 3 * caricatures(maps["late"], of_photos["late"], 0)
    )
    assert set(composed.layers) == {"late", "early"}
    np.testing.assert_allclose(scored(composed, backbone, pictures), expected, rtol=1e-4, atol=1e-5)
    assert not composed.uses_variants
    assert (composed + Diversity("late", filters)).uses_variants


def test_a_balanced_accentuation_pulls_as_strongly_as_it_pushes(backbone: Backbone, photos: Array) -> None:
    case = Case(("objective=accentuation", "objective.photo=two.png", "objective.keep_layer=early"), lambda m, _: m)
    noise = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    start = (torch.from_numpy(photos[1:2]).float() + 0.1 * noise).repeat(3, 1, 1, 1).requires_grad_()
    maps = backbone(start)
    balanced = objective_of(case, backbone)(maps)
    (together,) = torch.autograd.grad(balanced.sum(), start, retain_graph=True)
    (push,) = torch.autograd.grad(Channel("late", FILTERS)(maps).sum(), start)
    lengths = (push.flatten(1).norm(dim=1), (push - together).flatten(1).norm(dim=1))
    torch.testing.assert_close(*lengths, rtol=1e-4, atol=0)


def test_photos_that_went_the_pictures_way_take_the_place_of_those_unchanged(
    backbone: Backbone, pictures: Array, photos: Array
) -> None:
    objective = objective_of(CASES["inversion"], backbone)
    ((name, shown),) = objective.photos(SIZE).items()
    torch.testing.assert_close(shown, torch.from_numpy(photos).float())
    maps = backbone(torch.from_numpy(pictures).float())
    assert not objective({**maps, photo_key("late", name): maps["late"]}).any()
    assert objective(maps).all()


@pytest.mark.usefixtures("photos")
def test_an_objective_of_photos_needs_its_network() -> None:
    error = refusal_of(lambda: Caricature("late", [0], "one.png")({"late": torch.zeros(1, 2, 3, 3)}))
    assert (error.setting, error.hint) == ("objective", "call prepare(backbone) first")
