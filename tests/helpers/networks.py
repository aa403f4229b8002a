"""Networks compared."""

import torch
from torch import nn


def state_equal(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same weights and buffers under the same names."""
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
