"""What lies on all paths through a network, against what is found by taking each tensor away."""

import random

import pytest
import torch
from torch import Tensor, nn

from featviz.models.trunk import Flow, flow_of


class Net(nn.Module):
    """Each of its modules adds up the outputs of some of those before it; the picture is number 0."""

    def __init__(self, inputs: list[list[int]]) -> None:
        super().__init__()
        self.inputs, self.steps = inputs, nn.ModuleList(nn.Tanh() for _ in inputs)

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for step, inputs in zip(self.steps, self.inputs, strict=True):
            found.append(step(torch.stack([found[at] for at in inputs]).sum(0)))
        return found[-1]


def drawn(seed: int, count: int = 12) -> list[list[int]]:
    """The inputs of each module: one to three of the last five outputs."""
    draw = random.Random(seed)
    return [draw.sample(range(max(0, n - 4), n + 1), min(draw.randint(1, 3), n + 1)) for n in range(count)]


def reaches(inputs: list[list[int]], start: int, end: int, without: int) -> bool:
    """Whether a path leads from one output to another that does not go through a third."""
    found = {start} - {without}
    for number, each in enumerate(inputs, 1):
        if number != without and found & set(each):
            found.add(number)
    return end in found


def expected(inputs: list[list[int]], start: int, end: int) -> list[str]:
    on_all = [n for n in range(1, end + 1) if n in (start, end) or not reaches(inputs, start, end, n)]
    return [f"steps.{n - 1}" for n in on_all if n >= start]


@pytest.mark.parametrize("seed", range(20))
def test_what_all_paths_go_through(seed: int) -> None:
    inputs = drawn(seed)
    flow, last = flow_of(Net(inputs), 1, 2), len(inputs)
    used = [n for n in range(1, last + 1) if reaches(inputs, n, last, -1)]
    assert flow.trunk() == expected(inputs, 0, last)
    on_the_way = [name for name in expected(inputs, 0, last) if name != f"steps.{last - 1}"]
    assert [name for group in flow.before("output") for name in group if ":" not in name] == on_the_way[::-1]
    for number in used:
        assert flow.trunk(f"steps.{number - 1}") == expected(inputs, 0, number)
        assert flow.ways_out(f"steps.{number - 1}") == expected(inputs, number, last)
    for number in set(range(1, last + 1)) - set(used):
        assert flow.trunk(f"steps.{number - 1}") == flow.ways_out(f"steps.{number - 1}") == []


def test_without_gradients_nothing_is_known() -> None:
    class Rounds(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    assert flow_of(Rounds(nn.Conv2d(1, 2, 3)).requires_grad_(False), 1, 8).trunk() == ["0"]  # up to the last that has
    assert Flow({}, None).trunk() == []
