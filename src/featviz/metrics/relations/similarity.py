"""Which units are most alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

NEAREST = 8


def cosines(vectors: Tensor, units: Sequence[int]) -> Tensor:
    """Cosines (len(units), all units) of the vectors (all units, numbers); nan with a unit whose vector is zero."""
    lengths = vectors.norm(dim=1, keepdim=True)
    directions = torch.where(lengths > 0, F.normalize(vectors), torch.nan).double()
    # in float64, so that no unit's numbers depend on which others are asked for: shards add up to the whole run
    return (directions[list(units)] @ directions.T).clamp(-1, 1).float()


def row_cosines(one: Tensor, other: Tensor) -> Tensor:
    """Cosines (N,) of vectors (N, numbers) with those of the same places; nan where one is zero."""
    lengths = one.norm(dim=1) * other.norm(dim=1)
    return torch.where(lengths > 0, F.cosine_similarity(one.double(), other.double()).float(), torch.nan)


def nearest_units(similarities: Tensor, units: Sequence[int], count: int = NEAREST) -> list[list[tuple[int, float]]]:
    """For each of the units the others that are most like it, with their similarity, the most similar first.

    Of equally similar ones the first comes first. What is not alike at all, with 0 or less, is none.

    Args:
        similarities: (len(units), all units); nan where there is none.
        units: their numbers.
        count: of the others.
    """
    others = similarities.double().nan_to_num(-1)
    others[torch.arange(len(units)), list(units)] = -1
    values, numbers = others.sort(dim=1, descending=True, stable=True)
    return [
        [(number, value) for number, value in zip(row, shares, strict=True) if value > 0]
        for row, shares in zip(numbers[:, :count].tolist(), values[:, :count].tolist(), strict=True)
    ]
