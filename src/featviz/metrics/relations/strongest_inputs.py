"""Which units of an earlier layer excite another unit most, and which inhibit it most."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

INPUTS = 5


@dataclass(frozen=True)
class StrongInput:
    """A unit of an earlier layer that excites (``sign`` 1) or inhibits (-1), from rank 1."""

    sign: int
    rank: int
    unit: int
    strength: float


def strongest_inputs(strengths: Tensor, count: int = INPUTS) -> list[StrongInput]:
    """The ``count`` largest strengths (units,) above zero, then the ``count`` smallest below zero; of equal ones the
    first. What is not finite, or zero, is none.
    """
    found = []
    for sign in (1, -1):
        values, units = (sign * strengths.double()).nan_to_num(0.0, 0.0, 0.0).sort(descending=True, stable=True)
        pairs = zip(units[:count].tolist(), values[:count].tolist(), strict=True)
        strong = [(unit, value) for unit, value in pairs if value > 0]
        found += [StrongInput(sign, rank, unit, sign * value) for rank, (unit, value) in enumerate(strong, start=1)]
    return found
