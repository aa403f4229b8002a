"""Units driven to given levels."""

from functools import partial
from pathlib import Path

import pytest
import torch
from neurons import Cells
from refusals import refusal_of
from torch import nn

import featviz
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import Level
from featviz.objectives.level import quantile_of
from featviz.photos.exemplars import PERCENTILES, ActivationStatistics, Exemplar, Exemplars
from featviz.photos.tables import Origin, write_tables

SETTINGS = ["image=pixel", "image.bound=none", "image/init=model_normal", "image.init.std=0.01", "optimizer.lr=0.01"]
SETTINGS += ["schedule.size=16", "evidence=none", "relations=false", "callbacks=none", "objective=level"]


def cells() -> Model:
    return Model("cells", Cells("scn", (16, 16)), (0.0,), (1.0,), 16, range="none", in_channels=1)


def test_levels_are_hit_and_rise() -> None:
    levels = [-2.0, -1.0, -0.3, 0.0, 0.5, 1.0, 1.7, 2.5, 3.0, 3.5]
    settings = [*SETTINGS, f"objective.levels=[{','.join(map(str, levels))}]", "variants=10", "schedule.steps=150"]
    rows = featviz.visualize(cells(), "output", [0], "plain", overrides=settings).rows
    reached = [row["activation"] for row in rows]
    band = max(levels) - min(levels)
    assert [row["level"] for row in rows] == pytest.approx(levels)
    hits = [abs(answer - level) <= 0.01 * band for answer, level in zip(reached, levels, strict=True)]
    assert sum(hits) >= 0.95 * len(levels)
    assert reached == sorted(reached)
    assert all(row["status"] == "ok" and not row["reason"].startswith("level") for row in rows)


@pytest.mark.filterwarnings("default")
def test_a_level_that_nobody_can_reach_is_told_with_the_nearest(caplog: pytest.LogCaptureFixture) -> None:
    settings = [*SETTINGS, "objective.levels=[-1,0.2]", "variants=2", "schedule.steps=60"]
    rows = featviz.visualize(cells(), "output", [1], "plain", overrides=settings).rows
    assert rows[0]["activation"] == pytest.approx(0, abs=0.01)  # an energy is never below zero
    assert rows[0]["reason"] == f"level -1 is not reached: the nearest is {rows[0]['activation']:.4g}"
    assert rows[0]["reason"] in caplog.text
    assert rows[1]["activation"] == pytest.approx(0.2, abs=0.02)


def backbone(seed: int = 0) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Conv2d(3, 4, 3))
    return Backbone(Model("tiny", network, (0.5,), (0.25,), 16, "random"), ["0"])


def exemplars(folder: Path, of: Backbone) -> str:
    """Answers to photos of filters 1 and 3: the percentiles are 0 to 100 and 0 to 300."""
    strongest = [Exemplar("0", n, 1, 9.0, 9.0, 0, 0, Path("1.png"), (0, 0, 3, 3)) for n in (1, 3)]
    statistics = [
        ActivationStatistics("0", n, figure, 5, 0.0, 1.0, [float(n * p) for p in PERCENTILES])
        for n in (1, 3)
        for figure in ("mean", "max")
    ]
    write_tables(folder, Exemplars(strongest, statistics), [], Origin.of(of.model, {"0": "0"}), "mean")
    return str(folder)


MAPS = {"0": torch.zeros(6, 4, 2, 2)}


def test_quantiles_of_answers_to_photos(tmp_path: Path) -> None:
    found = backbone()
    objective = Level("0", [1, 1, 1, 3, 3, 3], quantiles=[0.0, 0.255, 1.0], photos_from=exemplars(tmp_path, found))
    objective.prepare(found)
    assert objective.columns(MAPS)["level"].tolist() == pytest.approx([0, 25.5, 100, 0, 76.5, 300])
    assert objective.pictures_per_filter == 3


def test_levels_spread_evenly_go_beyond_what_photos_reach(tmp_path: Path) -> None:
    found = backbone()
    objective = Level("0", [1] * 3 + [3] * 3, levels=3, photos_from=exemplars(tmp_path, found))
    objective.prepare(found)
    low, high = 1 - 0.25 * 98, 99 + 0.5 * 98
    levels = [low, (low + high) / 2, high]
    assert objective.columns(MAPS)["level"].tolist() == pytest.approx([*levels, *(3 * level for level in levels)])


def test_quantiles_between_percentiles_are_linear() -> None:
    assert [quantile_of([0.0, 1.0, 4.0], share) for share in (0, 0.25, 0.5, 0.75, 1)] == [0, 0.5, 1, 2.5, 4]


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({}, "objective.levels"),
        ({"levels": [1.0], "quantiles": [0.5], "photos_from": "x"}, "objective.levels"),
        ({"levels": []}, "objective.levels"),
        ({"levels": 1, "photos_from": "x"}, "objective.levels"),
        ({"levels": 5}, "objective.photos_from"),
        ({"quantiles": [0.5]}, "objective.photos_from"),
        ({"quantiles": [1.5], "photos_from": "x"}, "objective.quantiles"),
        ({"levels": [1.0], "beyond": -1.0}, "objective.beyond"),
        ({"levels": [1.0], "tolerance": -1.0}, "objective.tolerance"),
    ],
)
def test_what_are_no_levels_is_refused(settings: dict, setting: str) -> None:
    assert refusal_of(lambda: Level("0", [0], **settings)).setting == setting


@pytest.mark.parametrize(("filters", "seed"), [([0], 0), ([1], 1)])
def test_a_folder_without_the_filter_or_of_another_network_is_refused(
    filters: list[int], seed: int, tmp_path: Path
) -> None:
    objective = Level("0", filters, quantiles=[0.5], photos_from=exemplars(tmp_path, backbone()))
    assert refusal_of(lambda: objective.prepare(backbone(seed))).setting == "objective.photos_from"


def test_each_level_has_a_picture() -> None:
    make = partial(featviz.visualize, cells(), "output", [0], "plain")
    error = refusal_of(lambda: make(overrides=[*SETTINGS, "objective.levels=[1,2,3]"]))
    assert (error.setting, error.expected) == ("variants", "variants=3")
