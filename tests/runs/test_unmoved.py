"""Pictures that show nothing of their filter: gradients near the optimizer's eps, and filters of the padding."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import featviz
from featviz.results.rows import Row

SETTINGS = ["recipe=plain", "schedule.size=24", "schedule.steps=6", "restarts=0", "evidence=none"]


def rows_of(network: nn.Module, layer: str, *settings: str, filters: list[int], **more: Any) -> list[Row]:
    model = featviz.Model("net", network, (0.0,), (1.0,), 24, "given")
    return featviz.visualize(model, layer=layer, filters=filters, overrides=[*SETTINGS, *settings], **more).rows


class Faint(nn.Module):
    """As networks are that nobody has trained: what comes out hardly depends on the picture."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.conv, self.scale = nn.Conv2d(3, 4, 3), scale

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.conv(x) * self.scale
        return self.conv.bias.view(1, -1, 1, 1) + maps


@pytest.mark.parametrize(
    ("scale", "settings"), [(1e-8, []), (1e-11, []), (1e-9, ["optimizer=adamw"]), (1e-9, ["image=pixel"])]
)
def test_a_gradient_near_the_optimizers_eps_is_told(scale: float, settings: list[str]) -> None:
    torch.manual_seed(0)
    (row,) = rows_of(nn.Sequential(Faint(scale)), "0", *settings, filters=[1])
    assert row["status"] == "dead"
    assert "at most, and the optimizer's eps 1e-08, as in an untrained network" in row["reason"]


def test_other_gradients_are_not() -> None:
    torch.manual_seed(0)
    (row,) = rows_of(nn.Sequential(Faint(1.0)), "0", filters=[1])
    assert (row["status"], row["reason"]) == ("ok", "")


FRAME, INSIDE, SILENT = range(3)


class Framed(nn.Module):
    """Filter FRAME fires where its kernel hangs over the picture's edge, filter INSIDE wherever it is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.act = nn.ReLU()
        with torch.no_grad():
            self.conv.weight.fill_(0.1)
            self.conv.weight[FRAME] = -1.0
            self.conv.bias.copy_(torch.tensor([25.0, -0.5, -9.0]))

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.act(self.conv(x + 1))  # 27 numbers of 1 or more inside, 18 or 12 at the edge
        return maps


@pytest.mark.parametrize("steps", [1, 6])
def test_filters_of_the_padding_are_told(steps: int) -> None:
    rows = rows_of(Framed(), "act", f"schedule.steps={steps}", "redirect_steps=0", filters=[FRAME, INSIDE, SILENT])
    reasons = [(row["status"], row["reason"].partition(":")[0]) for row in rows]
    assert reasons == [("dead", "active at the padded border only"), ("ok", ""), ("dead", "never active")]


def test_filters_that_fire_inside_too_are_not() -> None:
    network = Framed()
    with torch.no_grad():
        network.conv.bias[FRAME] = 45.0
    (row,) = rows_of(network, "act", filters=[FRAME])
    assert (row["status"], row["reason"]) == ("ok", "")


def test_what_a_filter_dislikes_may_leave_it_silent() -> None:
    (row,) = rows_of(Framed(), "act", "objective=negative", filters=[FRAME])
    assert (row["status"], row["reason"]) == ("ok", "")
