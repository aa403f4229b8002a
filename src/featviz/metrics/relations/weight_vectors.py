"""The weights that single modules have for each of their units, by which units can be compared."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST_NUMBERS = 2**26  # of all units of a layer: 256 MB


def own_weights(module: nn.Module | None) -> Tensor | None:
    """The weights of a convolution or a linear layer, (units, numbers); None for other modules.

    With groups, each unit has zeros for the inputs of other groups: units of different groups have nothing in common.
    """
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or not isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        return None
    weight = weight.detach().float().cpu()
    groups = 1 if isinstance(module, nn.Linear) else module.groups
    if isinstance(module, nn.ConvTranspose2d):
        inputs, each, *sides = weight.shape
        weight = weight.reshape(groups, inputs // groups, each, *sides).transpose(1, 2)
        weight = weight.reshape(groups * each, inputs // groups, *sides)
    return weight.flatten(1) if groups == 1 else _apart(weight.flatten(1), groups)


def _apart(weights: Tensor, groups: int) -> Tensor | None:
    """Weights (units, numbers) of groups of inputs as those of all inputs; None where these would be too many."""
    units, numbers = weights.shape
    if units * numbers * groups > MOST_NUMBERS:
        return None
    of_all = torch.zeros(groups, units // groups, groups, numbers)
    each = torch.arange(groups)
    of_all[each, :, each] = weights.reshape(groups, -1, numbers)
    return of_all.reshape(units, -1)
