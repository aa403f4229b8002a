"""A network, and a copy of it some of whose filters have changed places, or learned something else."""

import copy

import torch
from torch import Tensor, nn

PERMUTED, RETRAINED = list(range(2, 10)), list(range(12, 16))
PLACES = [*PERMUTED[1:], PERMUTED[0]]  # where each of the permuted filters is in the copy


class Filters(nn.Module):
    """Sixteen filters, and classes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 12, 3, 2, 1)
        self.second = nn.Conv2d(12, 16, 3, 2, 1)
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.second(torch.relu(self.first(x)))).mean((2, 3)))


def network() -> Filters:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Filters().eval()


def changed() -> Filters:
    """Of ``second``, eight filters are in other places, four are others, and all have moved a little."""
    other = copy.deepcopy(network())
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for values in (other.second.weight, other.second.bias):
            values[PLACES] = values[PERMUTED].clone()
        other.fc.weight[:, PLACES] = other.fc.weight[:, PERMUTED].clone()
        size = other.second.weight.std()
        other.second.weight[RETRAINED] = torch.randn(4, 12, 3, 3, generator=generator) * size
        other.second.weight += torch.randn(other.second.weight.shape, generator=generator) * size * 0.02
    return other
