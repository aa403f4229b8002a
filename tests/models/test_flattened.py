import logging

import pytest
import torch
from torch import Tensor, nn

from featviz.models.flattened import flattened_sizes
from featviz.models.input_size import find_size
from featviz.models.model import Model


class Flat(nn.Module):
    """A network that flattens ``rows`` x ``columns`` positions, at stride 4."""

    def __init__(self, rows: int, columns: int, channels: int = 1, padding: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 4, 3, 2, padding)
        self.second = nn.Conv2d(4, 6, 3, 2, padding)
        self.last = nn.Linear(6 * rows * columns, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.first(x).relu()).relu().flatten(1))


@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (9, 11), (3, 13)])
@pytest.mark.parametrize("padding", [0, 1])
def test_a_network_of_one_oblong_size_works_without_being_told(rows: int, columns: int, padding: int) -> None:
    network = Flat(rows, columns, padding=padding)
    found = Model("flat", network)
    with torch.no_grad():
        maps = network.second(network.first(found.noise()))
    assert sorted(maps.shape[2:]) == sorted((rows, columns))
    assert not found.shape.is_square


def test_other_sizes_that_fit_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert find_size(Flat(8, 8)) == 32
    assert "16x64" in caplog.text
    assert "model.size" in caplog.text


def test_networks_that_flatten_nothing_have_no_such_sizes() -> None:
    assert flattened_sizes(nn.Sequential(nn.Conv2d(3, 4, 3)), 3) == []
    assert flattened_sizes(nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), 3) == []
