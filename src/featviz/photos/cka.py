"""How alike layers represent photos, in memory that does not depend on how many these are."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

FEWEST = 4  # photos of a batch, below which the unbiased estimate is not defined


class StreamingCKA:
    """Linear centered kernel alignment between layers of two networks (Kornblith et al. 2019, arXiv 1905.00414).

    HSIC is estimated without bias in each batch (Song et al. 2012) and summed over batches before the quotient is taken
    (Nguyen, Raghu and Kornblith 2021, arXiv 2010.15327), so that the size of the batches does not change what is
    estimated. Both networks see the same photos.
    """

    def __init__(self) -> None:
        self.photos = 0
        self._products: Tensor | None = None  # HSIC of each layer of the first with each of the second
        self._first: Tensor | None = None  # of each with itself
        self._second: Tensor | None = None

    def update(self, first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
        """Take in the products (N, N) of N photos, as of :func:`gram`, by layer; batches of few are left out."""
        one, other = torch.stack([*first.values()]), torch.stack([*second.values()])
        if one.shape[1] < FEWEST:
            return
        self.photos += one.shape[1]
        self._products = _sum(self._products, unbiased_hsic(one, other))
        self._first = _sum(self._first, unbiased_hsic(one, one).diagonal())
        self._second = _sum(self._second, unbiased_hsic(other, other).diagonal())

    def value(self) -> Tensor:
        """CKA (layers of the first, layers of the second).

        1 for the same up to rotation and scale, about 0 for unrelated; nan where a layer answers to all photos alike.
        """
        if self._products is None or self._first is None or self._second is None:
            return torch.empty(0, 0)
        scale = torch.outer(self._first.clamp(min=0), self._second.clamp(min=0)).sqrt()
        return torch.where(scale > 0, self._products / scale, torch.nan)


def gram(maps: Tensor) -> Tensor:
    """The products (N, N) of the feature maps of N photos, about their mean, with zeros on the diagonal, in 64 bits."""
    flat = maps.flatten(1).float()
    flat = flat - flat.mean(0)
    products = (flat @ flat.T).double().cpu()
    return products.fill_diagonal_(0)


def unbiased_hsic(one: Tensor, other: Tensor) -> Tensor:
    """The unbiased estimates (K, L) of HSIC for products (K, N, N) and (L, N, N) with zeros on their diagonals."""
    n = one.shape[1]
    traces = one.flatten(1) @ other.flatten(1).T
    rows, other_rows = one.sum(2), other.sum(2)
    sums = torch.outer(rows.sum(1), other_rows.sum(1)) / ((n - 1) * (n - 2))
    return (traces + sums - 2 / (n - 2) * rows @ other_rows.T) / (n * (n - 3))


def _sum(before: Tensor | None, more: Tensor) -> Tensor:
    return more if before is None else before + more
