"""Every objective, composed as a user types it, against its formula in NumPy."""

import re
import shlex
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from configs import chosen
from numpy.typing import NDArray
from omegaconf import DictConfig
from PIL import Image
from program import ROOT
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import (
    Caricature,
    Channel,
    Direction,
    Diversity,
    Joint,
    Negative,
    Neuron,
    Objective,
    WholeLayer,
    units_of,
)
from featviz.objectives.base import photo_key
from featviz.objectives.diversity import gram_cosines
from featviz.runs.build_method import build_method

Array = NDArray[np.float64]
Maps = Mapping[str, Array]
MEAN, STD = np.array([0.45, 0.5, 0.4]), np.array([0.25, 0.2, 0.3])
SIZE = 17  # px: feature maps of 8 x 8 in "early", of 6 x 6 in "late"
FILTERS = (2, 0, 2)
VECTORS = np.random.default_rng(2).normal(size=(3, 7)).round(2)
TYPED = "[" + ",".join(str(row).replace(" ", "") for row in VECTORS.tolist()) + "]"
PHOTOS = ["one.png", "two.png", "three.png"]


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
    return Backbone(model, ["late", "early", "logits"])


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


def seen(network: nn.Sequential, pictures: Array) -> Maps:
    """What the layers make of pictures, in double precision."""
    inputs = torch.from_numpy((pictures - MEAN[:, None, None]) / STD[:, None, None])
    with torch.no_grad():
        early = nn.functional.conv2d(inputs, network.early.weight.double(), network.early.bias.double(), 2)
        late = nn.functional.conv2d(early.clamp(min=0), network.late.weight.double(), network.late.bias.double())
        logits = late.mean((2, 3)) @ network.head.weight.double().T + network.head.bias.double()
    return {"early": early.numpy(), "late": late.numpy(), "logits": logits.numpy()}


def means(maps: Array, filters: tuple[int, ...] = FILTERS) -> Array:
    return np.array([maps[i, number].mean() for i, number in enumerate(filters)])


def dot_cosine(one: Array, other: Array, power: float) -> float:
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return float(one @ other * max(0.1, cosine) ** power)


def directions(maps: Array, power: float) -> Array:
    """(N, h, w), place by place."""
    places = np.ndindex(len(maps), *maps.shape[2:])
    scores = [dot_cosine(maps[i, :, y, x], VECTORS[i], power) for i, y, x in places]
    return np.reshape(scores, (len(maps), *maps.shape[2:]))


def caricatures(maps: Array, photos: Array, power: float) -> Array:
    places = maps.shape[2] * maps.shape[3]
    pairs = zip(maps, photos, strict=True)
    return np.array([dot_cosine(one.ravel(), other.ravel(), power) / places for one, other in pairs])


def apart(maps: Array, photos: Array) -> Array:
    pairs = zip(maps, np.broadcast_to(photos, maps.shape), strict=True)
    return np.array([((one - other) ** 2).sum() / (other**2).sum() for one, other in pairs])


def gram_cosine(one: Array, other: Array) -> float:
    """Olah et al. 2017: of the flattened Gram matrices."""
    a, b = (np.einsum("ihw,jhw->ij", maps, maps).ravel() for maps in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def diverse(maps: Array, gram: Array, weight: float) -> Array:
    """Pictures 0 and 2 are of one filter; picture 1 is alone."""
    return means(maps) - weight * gram_cosine(gram[0], gram[2]) * np.array([1, 0, 1])


@dataclass(frozen=True)
class Case:
    """An objective as it is typed, its formula from the maps of the pictures and of the photos, and its numbers."""

    typed: tuple[str, ...]
    formula: Callable[[Maps, Maps], Array]
    numbers: tuple[int, ...] = FILTERS
    makes: tuple[int, ...] = (2, 0)  # the numbers of the pictures that a run with filters=[2,0] makes
    couples: bool = False


ROW = (0, 1, 2)
FILES = f"objective.photo=[{','.join(PHOTOS)}]"
HERE = "objective.position=[1,4]"
SUM = "objective=sum"


def second(option: str) -> str:
    return f"objective@objective.terms.second={option}"


CASES = {
    "channel": Case(("objective=channel",), lambda m, _: means(m["late"])),
    "neuron": Case(("objective=neuron",), lambda m, _: m["late"][[0, 1, 2], FILTERS, 3, 3]),
    "neuron at a position": Case(("objective=neuron", HERE), lambda m, _: m["late"][[0, 1, 2], FILTERS, 1, 4]),
    "logit": Case(("objective=logit",), lambda m, _: m["logits"][[0, 1, 2], FILTERS]),
    "layer": Case(("objective=layer",), lambda m, _: (m["late"] ** 2).mean((1, 2, 3)) / 2, (0,), (0,)),
    "negative": Case(("objective=negative",), lambda m, _: -means(m["late"])),
    "direction": Case(
        ("objective=direction", f"objective.vectors={TYPED}"),
        lambda m, _: directions(m["late"], 2).mean((1, 2)),
        ROW,
        ROW,
    ),
    "direction, dot product": Case(
        ("objective=direction", f"objective.vectors={TYPED}", "objective.cosine_power=0"),
        lambda m, _: np.einsum("nchw,nc->nhw", m["late"], VECTORS).mean((1, 2)),
        ROW,
        ROW,
    ),
    "direction, power 1": Case(
        ("objective=direction", f"objective.vectors={TYPED}", "objective.cosine_power=1"),
        lambda m, _: directions(m["late"], 1).mean((1, 2)),
        ROW,
        ROW,
    ),
    "direction_neuron": Case(
        ("objective=direction_neuron", f"objective.vectors={TYPED}"),
        lambda m, _: directions(m["late"], 2)[:, 3, 3],
        ROW,
        ROW,
    ),
    "direction_neuron at a position": Case(
        ("objective=direction_neuron", f"objective.vectors={TYPED}", HERE),
        lambda m, _: directions(m["late"], 2)[:, 1, 4],
        ROW,
        ROW,
    ),
    "joint": Case(
        ("objective=joint", "objective.weights={6:1.0,1:-0.5}"),
        lambda m, _: m["late"].mean((2, 3)) @ [0, -0.5, 0, 0, 0, 0, 1],
        (0,),
        (0,),
    ),
    "interpolation": Case(
        ("objective=interpolation", "objective.ends=[3,5]", "objective.pictures=3"),
        lambda m, _: [1, 0.5, 0] * m["late"][:, 3].mean((1, 2)) + [0, 0.5, 1] * m["late"][:, 5].mean((1, 2)),
        ROW,
        ROW,
    ),
    "diversity": Case(("objective=diversity",), lambda m, _: diverse(m["late"], m["late"], 30), couples=True),
    "diversity at another layer": Case(
        ("objective=diversity", "objective.weight=3", "objective.apart_at=early"),
        lambda m, _: diverse(m["late"], m["early"], 3),
        couples=True,
    ),
    "caricature": Case(("objective=caricature", FILES), lambda m, p: caricatures(m["late"], p["late"], 0), ROW, ROW),
    "caricature, power 2": Case(
        ("objective=caricature", FILES, "objective.cosine_power=2"),
        lambda m, p: caricatures(m["late"], p["late"], 2),
        ROW,
        ROW,
    ),
    "inversion": Case(("objective=inversion", FILES), lambda m, p: -apart(m["late"], p["late"]), ROW, ROW),
    "inversion of one photo": Case(
        ("objective=inversion", "objective.photo=two.png"),
        lambda m, p: -apart(m["late"], p["late"][1:2]),
        (0,),
        (0,),
    ),
    "accentuation": Case(
        ("objective=accentuation", "objective.photo=two.png", "objective.keep_layer=early", "objective.keep_weight=3"),
        lambda m, p: means(m["late"]) - 3 * apart(m["early"], p["early"][1:2]),
    ),
    "sum": Case((SUM,), lambda m, _: 2 * means(m["late"])),
    "sum with weights": Case(
        (SUM, second("negative"), "objective.weights={first:0.5,second:2}"), lambda m, _: -1.5 * means(m["late"])
    ),
    "sum with a filter of its own at another layer": Case(
        (SUM, "objective.terms.second.layer=early", "objective.terms.second.filters=4", "objective.weights.second=-1"),
        lambda m, _: means(m["late"]) - m["early"][:, 4].mean((1, 2)),
    ),
    "sum with one picture's objective": Case(
        (SUM, second("layer"), "objective.terms.second.layer=early"),
        lambda m, _: means(m["late"]) + (m["early"] ** 2).mean((1, 2, 3)) / 2,
    ),
    "sum with diversity": Case(
        (SUM, second("diversity"), "objective.weights={first:-0.5,second:1}"),
        lambda m, _: diverse(m["late"], m["late"], 30) - 0.5 * means(m["late"]),
        couples=True,
    ),
    "sum with a photo": Case(
        (SUM, second("inversion"), "objective.terms.second.photo=two.png", "objective.terms.second.layer=early"),
        lambda m, p: means(m["late"]) - apart(m["early"], p["early"][1:2]),
    ),
}


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
    maps = backbone(torch.from_numpy(pictures).float())
    return objective({layer: maps[layer] for layer in objective.layers})


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
    scores = objective_of(CASES[name], backbone)(backbone(given))
    depends = np.array([torch.autograd.grad(score, given, retain_graph=True)[0].flatten(1).any(1) for score in scores])
    expected = np.eye(3, dtype=bool)
    if CASES[name].couples:
        expected[[0, 2], [2, 0]] = True  # the two pictures of filter 2
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
@pytest.mark.parametrize("name", ["negative", "diversity", "accentuation", "sum with a photo"])
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


@pytest.mark.parametrize("positions", [(2, 2), (4, 4)])
def test_gram_matrices_are_compared_alike_with_fewer_and_with_more_positions_than_filters(
    positions: tuple[int, int],
) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 6, *positions))
    expected = [[gram_cosine(one, other) for other in maps] for one in maps]
    np.testing.assert_allclose(gram_cosines(torch.from_numpy(maps).flatten(2)), expected, rtol=1e-6)


def test_the_gram_matrices_of_dead_maps_have_no_gradient_that_is_not_finite() -> None:
    maps = torch.zeros(2, 6, 4, 4, requires_grad=True)
    Diversity("late", [1, 1])({"late": maps}).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_a_direction_has_a_finite_gradient_where_nothing_is_seen(power: float) -> None:
    maps = torch.zeros(1, 3, 2, 2, requires_grad=True)
    Direction("late", [0], [1.0, 2.0, 3.0], power)({"late": maps}).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
    assert maps.grad.any()


def test_a_wide_angle_still_leads_towards_the_vector() -> None:
    maps = torch.tensor([-1.0, 0.2]).view(1, 2, 1, 1).requires_grad_()
    score = Direction("late", [0], [1.0, 0.0], 2.0)({"late": maps})
    score.backward()
    assert score.item() == pytest.approx(-0.01)
    assert maps.grad.flatten().tolist() == pytest.approx([0.01, 0.0])


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
    with pytest.raises(FeatvizError, match=r"call prepare\(backbone\) first"):
        Caricature("late", [0], "one.png")({"late": torch.zeros(1, 2, 3, 3)})


def test_a_number_too_many_is_refused() -> None:
    with pytest.raises(FeatvizError, match="an objective of 2 filters cannot score 3 pictures"):
        Negative("late", [1, 2])({"late": torch.zeros(3, 4, 2, 2)})
