"""Formulas of the objectives, in NumPy, from the feature maps of a network of two convolutions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featviz.models.reference_noise import noise_pictures

Array = NDArray[np.float64]
Maps = Mapping[str, Array]
MEAN, STD = np.array([0.45, 0.5, 0.4]), np.array([0.25, 0.2, 0.3])
SIZE = 17  # px: feature maps of 8 x 8 in "early", of 6 x 6 in "late"
FILTERS = (2, 0, 2)
VECTORS = np.random.default_rng(2).normal(size=(3, 7)).round(2)
TYPED = "[" + ",".join(str(row).replace(" ", "") for row in VECTORS.tolist()) + "]"
PHOTOS = ["one.png", "two.png", "three.png"]


def seen(network: nn.Sequential, pictures: Array) -> Maps:
    """What the layers make of pictures, in double precision."""
    early, late = layers(network, pictures)
    with torch.no_grad():
        logits = late.mean((2, 3)) @ network.head.weight.double().T + network.head.bias.double()
    noise = layers(network, noise_pictures(SIZE, 3).double().numpy())[1]
    return {"early": early.numpy(), "late": late.numpy(), "logits": logits.numpy(), "late of noise": noise.numpy()}


@torch.no_grad()
def layers(network: nn.Sequential, pictures: Array) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.from_numpy((pictures - MEAN[:, None, None]) / STD[:, None, None])
    early = nn.functional.conv2d(inputs, network.early.weight.double(), network.early.bias.double(), 2)
    return early, nn.functional.conv2d(early.clamp(min=0), network.late.weight.double(), network.late.bias.double())


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


def aligned(
    maps: Array, shares: list[float], alike: Array, weight: float, decay: float, places: tuple[int, ...] = (0, 1, 2)
) -> Array:
    """lucid's alignment, half of each pair's cost for either picture; ``shares`` are those of filter 3 against 5."""
    share = np.array(shares)
    scores = share * maps[:, 3].mean((1, 2)) + (1 - share) * maps[:, 5].mean((1, 2))
    for i in range(3):
        for j in range(3):
            apart = abs(places[i] - places[j])
            if 1 <= apart <= 4:
                scores[i] -= weight * ((alike[i] - alike[j]) ** 2).mean() / decay**apart / 2
    return scores


def contrasted(maps: Array, against: tuple[int, ...] | None = None, numbers: tuple[int, ...] = FILTERS) -> Array:
    scores = []
    for own, each in zip(numbers, maps.mean((2, 3)), strict=True):
        others = [number for number in against or range(len(each)) if number != own]
        scores.append(each[own] - each[others].mean())
    return np.array(scores)


def softmaxed(maps: Array, temperature: float, numbers: tuple[int, ...] = FILTERS) -> Array:
    """The logarithm of a filter's share of all, times how many there are."""
    answers = np.exp(maps.mean((2, 3)) / temperature)
    return np.log(answers[[0, 1, 2], numbers] / answers.mean(1))


def grouped(maps: Array) -> Array:
    return np.stack([maps[:, list(group)].mean(1) for group in ((0, 1), (2,), (3, 5, 6))], 1)


def levelled(answers: Array, levels: Array, beyond: float) -> Array:
    return np.where(answers < levels, answers - levels, beyond * (levels - answers))


def margins(maps: Maps, share: float, temperature: float) -> Array:
    """Of the filters, in standard deviations over noise, above a share of the others."""
    answers, usual = (maps[name].mean((2, 3)) for name in ("late", "late of noise"))
    scores = (answers - usual.mean(0)) / usual.std(0, ddof=1)
    others = [np.exp(np.delete(each, at) / temperature).sum() for each, at in zip(scores, FILTERS, strict=True)]
    return scores[[0, 1, 2], FILTERS] - share * temperature * np.log(others)


def floored(maps: Array, features: Array, floor: float, weight: float) -> Array:
    """Pictures 0 and 2 are of one filter, and 0 is the best of them; picture 1 is alone."""
    scores, (one, other) = means(maps), (features[at].ravel() for at in (0, 2))
    missing = max(0.0, floor + 0.02 - scores[2] / abs(scores[0]))
    scores[2] = 1 - one @ other / np.linalg.norm(one) / np.linalg.norm(other) - weight * missing
    return scores


def unlike(maps: Array, photos: Array) -> Array:
    """VITAL's distance at a layer: of ordered values from the mean of those of photos."""
    ordered, expected = (np.sort(each.reshape(*each.shape[:2], -1), 2) for each in (maps, photos))
    return ((ordered - expected.mean(0)) ** 2).mean((1, 2))


@dataclass(frozen=True)
class Case:
    """An objective as it is typed, its formula from the maps of the pictures and of the photos, and its numbers."""

    typed: tuple[str, ...]
    formula: Callable[[Maps, Maps], Array]
    numbers: tuple[int, ...] = FILTERS
    makes: tuple[int, ...] = (2, 0)  # the numbers of the pictures that a run with filters=[2,0] makes
    coupled: tuple[tuple[int, int], ...] = ()  # pictures that see each other


ROW = (0, 1, 2)
FILES = f"objective.photo=[{','.join(PHOTOS)}]"
HERE = "objective.position=[1,4]"
SUM = "objective=sum"
ALIGNED = ("objective=alignment", "objective.ends=[3,5]")


def second(option: str) -> str:
    return f"objective@objective.terms.second={option}"


CASES = {
    "channel": Case(("objective=channel",), lambda m, _: means(m["late"])),
    "neuron": Case(("objective=neuron",), lambda m, _: m["late"][[0, 1, 2], FILTERS, 3, 3]),
    "neuron at a position": Case(("objective=neuron", HERE), lambda m, _: m["late"][[0, 1, 2], FILTERS, 1, 4]),
    "capped": Case(
        ("objective=capped", "objective.level=0.05"),
        lambda m, _: np.minimum(0.7 * means(m["late"]) + 0.3 * means(m["late"][:, :, 1:4, 1:4]), 0.05),
    ),
    "capped, whole maps, far away": Case(
        ("objective=capped", "objective.level=100", "objective.center=0"), lambda m, _: means(m["late"])
    ),
    "cap": Case(("objective=cap", "objective.level=9"), lambda m, _: means(m["late"])),
    "cap of another objective": Case(
        ("objective=cap", "objective@objective.of=neuron", "objective.level=9"),
        lambda m, _: m["late"][[0, 1, 2], FILTERS, 3, 3],
    ),
    "margin": Case(("objective=margin",), lambda m, _: margins(m, 0.3, 10)),
    "margin, all of the strongest": Case(
        ("objective=margin", "objective.share=1", "objective.temperature=0.1"), lambda m, _: margins(m, 1, 0.1)
    ),
    "margin up to an earlier layer": Case(("objective=margin", "objective.to_stride=2"), lambda m, _: means(m["late"])),
    "contrast": Case(("objective=contrast",), lambda m, _: contrasted(m["late"])),
    "contrast against some": Case(
        ("objective=contrast", "objective.against=[5,3]"), lambda m, _: contrasted(m["late"], (5, 3))
    ),
    "contrast with temperature": Case(
        ("objective=contrast", "objective.temperature=0.3"), lambda m, _: softmaxed(m["late"], 0.3)
    ),
    "contrast against another layer": Case(
        ("objective=contrast", "objective.against=early"), lambda m, _: means(m["late"]) - means(m["early"])
    ),
    "contrast_groups": Case(
        ("objective=contrast_groups", "objective.groups=[[0,1],[2],[3,5,6]]"),
        lambda m, _: softmaxed(grouped(m["late"]), 1.6, ROW),
        ROW,
        ROW,
    ),
    "contrast_groups without temperature": Case(
        ("objective=contrast_groups", "objective.groups=[[0,1],[2],[3,5,6]]", "objective.temperature=null"),
        lambda m, _: contrasted(grouped(m["late"]), None, ROW),
        ROW,
        ROW,
    ),
    "level": Case(
        ("objective=level", "objective.levels=[0.02,0.1]"),
        lambda m, _: levelled(means(m["late"]), np.array([0.02, 0.02, 0.1]), 0.1),
    ),
    "level, as strong beyond it": Case(
        ("objective=level", "objective.levels=[-0.05,0.1]", "objective.beyond=1"),
        lambda m, _: -np.abs(means(m["late"]) - [-0.05, -0.05, 0.1]),
    ),
    "variants": Case(
        ("objective=variants", "objective.apart_at=late"), lambda m, _: floored(m["late"], m["late"], 0.85, 10)
    ),
    "variants at another layer": Case(
        ("objective=variants", "objective.apart_at=early", "objective.floor=0.1", "objective.weight=2"),
        lambda m, _: floored(m["late"], m["early"], 0.1, 2),
    ),
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
    "facets of no strength": Case(
        ("objective=facets", "objective.facets={early:[1,2,0,-1,1]}", "objective.strength=[0,0]"),
        lambda m, _: means(m["late"]),
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
    "interpolation to another layer": Case(
        ("objective=interpolation", "objective.ends=[3,4]", "objective.pictures=3", "objective.other_layer=early"),
        lambda m, _: [1, 0.5, 0] * m["late"][:, 3].mean((1, 2)) + [0, 0.5, 1] * m["early"][:, 4].mean((1, 2)),
        ROW,
        ROW,
    ),
    "alignment": Case(
        (*ALIGNED, "objective.pictures=3"),
        lambda m, _: aligned(m["late"], [1, 0.5, 0], m["late"], 1, 2),
        ROW,
        ROW,
        coupled=((0, 1), (0, 2), (1, 2)),
    ),
    "alignment at another layer": Case(
        (*ALIGNED, "objective.pictures=7", "objective.alike_at=early", "objective.weight=0.3", "objective.decay=1.5"),
        lambda m, _: aligned(m["late"], [5 / 6, 4 / 6, 0], m["early"], 0.3, 1.5, places=(1, 2, 6)),
        (1, 2, 6),
        tuple(range(7)),
        coupled=((0, 1), (1, 2)),
    ),
    "localgroup_weight": Case(("objective=localgroup_weight",), lambda m, _: m["late"][:, :, 3, 3].mean(1), (0,), (0,)),
    "localgroup_weight of a window": Case(
        (
            "objective=localgroup_weight",
            f"objective.vectors={TYPED}",
            "objective.position=[1,3]",
            "objective.window=[4,2]",
        ),
        lambda m, _: np.einsum("nchw,nc->n", m["late"][:, :, 1:5, 3:5], VECTORS) / (7 * 4 * 2),
        ROW,
        ROW,
    ),
    "diversity": Case(("objective=diversity",), lambda m, _: diverse(m["late"], m["late"], 30), coupled=((0, 2),)),
    "diversity at another layer": Case(
        ("objective=diversity", "objective.weight=3", "objective.apart_at=early"),
        lambda m, _: diverse(m["late"], m["early"], 3),
        coupled=((0, 2),),
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
    "statistics": Case(
        ("objective=statistics", FILES.replace("photo", "photos_from"), "objective.weights={early:0.5,late:2}"),
        lambda m, p: -sum(w * unlike(m[name], p[name]) for name, w in {"early": 0.5, "late": 2}.items()),
    ),
    "statistics of one photo": Case(
        ("objective=statistics", "objective.photos_from=two.png", "objective.weights={early:0,late:1}"),
        lambda m, p: -unlike(m["late"], p["late"][1:2]),
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
        coupled=((0, 2),),
    ),
    "sum with a photo": Case(
        (SUM, second("inversion"), "objective.terms.second.photo=two.png", "objective.terms.second.layer=early"),
        lambda m, p: means(m["late"]) - apart(m["early"], p["early"][1:2]),
    ),
}
