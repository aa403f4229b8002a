"""How a unit would answer to a picture, by what another network sees in it.

The unit's answers to photos are regressed on the other network's (kernel ridge regression: Saunders et al. 1998). What
the regression says of a picture tells whether the other network finds in it what the unit goes by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor

#: Of the mean of the kernel's diagonal: of these, each unit gets the one that predicts photos left out best.
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


def kernel(layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Products of pictures (N, F) and photos (P, F), (N, P), of standardized features, each layer counting the same."""
    return torch.stack([one.double() @ other.double().T / one.shape[1] for one, other in layers]).sum(0)


@dataclass(frozen=True)
class Regression:
    """Of a unit's answers to P photos on another network's: weights (P,), and how well it predicts.

    ``left_out`` (P,) are the answers to photos as the others predict them, and ``correlation`` is theirs with the
    answers that there are: nan for a unit that always answers the same.
    """

    weights: Tensor
    mean: float
    left_out: Tensor
    correlation: float

    @classmethod
    def of(cls, products: Tensor, answers: Tensor) -> Regression:
        """The regression of answers (P,), from the ``kernel`` (P, P) of the photos."""
        mean = answers.double().mean()
        centered = answers.double() - mean
        unit = torch.eye(len(products), dtype=torch.float64)
        fits = []
        for penalty in PENALTIES:
            inverse = torch.linalg.inv(products + penalty * products.diagonal().mean().clamp_min(1e-12) * unit)
            weights = inverse @ centered
            left_out = centered - weights / inverse.diagonal()  # as if each had not been there: Allen 1974
            fits.append(((left_out - centered).square().sum().item(), weights, left_out))
        _, weights, left_out = min(fits, key=lambda fit: fit[0])
        varies = centered.norm() > 0 and left_out.std() > 0
        correlation = torch.corrcoef(torch.stack([left_out, centered]))[0, 1].item() if varies else nan
        return cls(weights, mean.item(), left_out + mean, correlation)

    def standing(self, products: Tensor) -> float:
        """What it says of a picture, in standard deviations above what it says of photos; from the ``kernel`` (P,)."""
        predicted = (products @ self.weights).item() + self.mean
        std, mean = torch.std_mean(self.left_out, correction=0)
        return (predicted - mean.item()) / std.item() if std > 0 else nan
