"""How well a dictionary describes activations, and what each of its concepts does there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from featviz.models.dictionaries import Dictionary, Encoder
from featviz.photos.concepts.positions import Rows

CHUNK = 8192  # positions that are encoded at the same time
MOST_JUDGED = 50_000  # positions, evenly spaced


@dataclass(frozen=True)
class Quality:
    """Over activations: ``r2``, the share of their variance that a dictionary explains; 1 for all of it.

    ``l0`` is how many codes a position has that are not zero. For each concept, (concepts,): ``shares`` of the sum of
    squares of what concepts contribute, ``active`` the share of positions where its code is not zero, and the
    ``means`` and ``largest`` of its codes.
    """

    r2: float
    l0: float
    shares: Tensor
    active: Tensor
    means: Tensor
    largest: Tensor

    @property
    def dead(self) -> int:
        """How many concepts have no code above zero anywhere."""
        return int((self.active == 0).sum())


def codes_of(encoder: Encoder, rows: Tensor) -> Tensor:
    """Codes (P, concepts) of activations (P, filters)."""
    return encoder(rows.T[None, :, :, None])[0, :, :, 0].T


@torch.no_grad()
def quality_of(dictionary: Dictionary, rows: Rows) -> Quality:
    """How well a dictionary describes activations (positions, filters), by some of them if they are many."""
    rows = rows[:: -(-len(rows) // MOST_JUDGED)]
    encoder, mean = dictionary.encoder(), torch.from_numpy(rows.mean(0, dtype="float64")).float()
    lengths = dictionary.W_dec.square().sum(1)
    left = total = 0.0
    zero = torch.zeros(dictionary.concepts, dtype=torch.float64)
    active, sums, squares = zero.clone(), zero.clone(), zero.clone()
    largest = torch.full_like(zero, -torch.inf)
    for chunk in _chunks(rows):
        codes = codes_of(encoder, chunk)
        left += float((chunk - encoder.decode(codes)).double().square().sum())
        total += float((chunk - mean).double().square().sum())
        active += (codes != 0).double().sum(0)
        sums += codes.double().sum(0)
        squares += codes.double().square().sum(0) * lengths
        largest = torch.maximum(largest, codes.double().amax(0))
    count = len(rows)
    shares = squares / squares.sum().clamp_min(1e-30)
    r2 = 1 - left / total if total else 1.0
    return Quality(r2, float(active.sum() / count), shares, active / count, sums / count, largest)


def in_order(dictionary: Dictionary, quality: Quality) -> tuple[Dictionary, Quality]:
    """Both with the concepts in order of what they contribute, the largest first."""
    order = quality.shares.argsort(descending=True, stable=True)
    W_enc, b_enc, W_dec = dictionary.W_enc[:, order], dictionary.b_enc[order], dictionary.W_dec[order]
    figures = (getattr(quality, name)[order] for name in ("shares", "active", "means", "largest"))
    return replace(dictionary, W_enc=W_enc, b_enc=b_enc, W_dec=W_dec), Quality(quality.r2, quality.l0, *figures)


def _chunks(rows: Rows) -> Iterator[Tensor]:
    for first in range(0, len(rows), CHUNK):
        yield torch.from_numpy(rows[first : first + CHUNK])
