"""Pictures of a unit, as unlike as can be under a floor of its activation."""

import math
from collections.abc import Sequence

import pytest
import torch
from neurons import Cells
from refusals import refusal_of
from torch import Tensor

import featviz
from featviz.models.model import Model
from featviz.objectives import Variants
from featviz.objectives.base import PIXELS
from featviz.objectives.variants import diversity_index

FLOOR, COUNT, NORM = 0.85, 6, 5.0
SETTINGS = ["image=pixel", "image.bound=none", "image.space=model", "image/init=model_normal", "schedule.size=16"]
SETTINGS += ["projections=norm", f"projections.norm.rho={NORM}", "optimizer=sgd", "optimizer.lr=0.3", "evidence=none"]
SETTINGS += ["relations=false", "callbacks=none", "objective=variants", "objective.weight=3", f"variants={COUNT}"]


def test_simple_cells_have_one_picture_and_complex_cells_many() -> None:
    cells = Cells("sscc", (16, 16))
    model = Model("cells", cells, (0.0,), (1.0,), 16, range="none", in_channels=1)
    made = featviz.visualize(model, "output", "all", "plain", overrides=[*SETTINGS, "schedule.steps=250"])
    for unit, kind in enumerate(cells.kinds):
        rows = [row for row in made.rows if row["filter"] == unit]
        best = max(row["activation"] for row in rows)
        assert best >= 0.99 * cells.highest(unit, NORM)
        assert all(row["activation"] >= FLOOR * best and row["status"] == "ok" and not row["reason"] for row in rows)
        indices = {row["diversity_index"] for row in rows}
        assert len(indices) == 1
        assert indices.pop() <= 0.05 if kind == "s" else indices.pop() >= 0.95


def directions(share: float, spread: Sequence[float]) -> Tensor:
    """Pictures with this share of the first axis, and the rest spread over a circle of two others."""
    rest = math.sqrt(1 - share**2)
    rows = [[share, rest * math.cos(angle), rest * math.sin(angle)] for angle in spread]
    return torch.tensor(rows).view(len(rows), 1, 1, 3)


def test_the_index_is_0_at_most_for_a_linear_cell_and_1_for_all_phases() -> None:
    circle = [math.tau * at / 5 for at in range(5)]
    assert diversity_index(directions(FLOOR, circle), FLOOR).item() == pytest.approx(0, abs=1e-6)
    assert diversity_index(directions(0.95, circle), FLOOR).item() == 0
    assert diversity_index(directions(0, circle), FLOOR).item() == pytest.approx(1, abs=1e-6)
    halfway = diversity_index(directions(0.5, circle), FLOOR).item()
    assert halfway == pytest.approx((1 - 0.5**2 - (1 - FLOOR**2)) / FLOOR**2, abs=1e-6)


def maps(*answers: float) -> dict[str, Tensor]:
    """Of one filter, whose pictures are those of ``directions``."""
    pictures = directions(0.5, [0.3 * at for at in range(len(answers))])
    return {"a": torch.tensor(answers).view(-1, 1, 1, 1), PIXELS: pictures}


def test_pictures_below_the_floor_are_told() -> None:
    objective = Variants("a", [0, 0, 0])
    assert objective.remarks(maps(2.0, 1.8, 1.0)) == ["", "", "below the floor: 0.5 of the best picture's activation"]


def test_a_set_above_the_floor_is_worth_more_than_any_below() -> None:
    objective = Variants("a", [0, 0, 0])
    above, below = objective.worth(maps(2.0, 1.8, 1.9)), objective.worth(maps(2.0, 1.8, 1.69))
    assert (above > below).all()
    assert len(set(above.tolist())) == 1  # the pictures of a filter are kept from the same step


@pytest.mark.parametrize(
    ("settings", "setting"),
    [({"floor": 1.1}, "objective.floor"), ({"floor": -0.1}, "objective.floor"), ({"weight": -1.0}, "objective.weight")],
)
def test_bad_settings(settings: dict[str, float], setting: str) -> None:
    assert refusal_of(lambda: Variants("a", [0], **settings)).setting == setting
