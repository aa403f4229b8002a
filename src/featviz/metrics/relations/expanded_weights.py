"""The weights from one layer to a later one, all that lies between them multiplied out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.metrics.relations.linearized import Linearized
from featviz.metrics.relations.segment import Segment
from featviz.models.reference_noise import noise_pictures

TOGETHER = 4  # units, each on a copy of the picture: on a CPU more of them take longer
MOST_NUMBERS = 2**26  # of all units: 256 MB; of larger ones positions are summed


def expanded_weights(segment: Segment, units: Sequence[int]) -> Tensor:
    """The weights of units from all filters and positions of the source, (units, filters, positions), on the CPU.

    They are the derivative of the unit, at its central position, by what the source hands out, in the linearized
    network: *expanded weights* (Voss et al. 2021, doi 10.23915/distill.00024.007). For a convolution alone they are its
    kernel. What of a network is not linear (see :class:`featviz.metrics.relations.linearized.Linearized`) is that of a
    picture of 1 / f noise. Positions are those from which some unit of the layer has weights, in rows; where that would
    be more than ``MOST_NUMBERS``, there is one, their sum.

    Raises:
        FeatvizError: the layer is what a gate, a sigmoid or a softmax, hands out, and so has no weights.
    """
    with _passed(segment, min(TOGETHER, len(units))) as (source, scores):
        copies = len(scores)
        within, weights = _reach(source, scores, segment), list[Tensor]()
        whole = len(units) * int(within.sum()) * (segment.source.channels or 0) <= MOST_NUMBERS
        for first in range(0, len(units), copies):
            some = list(units[first : first + copies])
            chosen = scores[list(range(len(some))), some].sum()
            (gradient,) = torch.autograd.grad(chosen, source, retain_graph=True)
            of_some = segment.by_filter(gradient)[: len(some)]
            weights.append((of_some[:, :, within] if whole else of_some.sum(2, keepdim=True)).float().cpu())
    return torch.cat(weights)


def _reach(source: Tensor, scores: Tensor, segment: Segment) -> Tensor:
    """Which positions of the source some unit has weights from, (positions,) of bool."""
    shares = torch.rand(scores.shape, generator=torch.Generator().manual_seed(0)).to(scores)
    (gradient,) = torch.autograd.grad((scores * shares).sum(), source, retain_graph=True)
    return segment.by_filter(gradient)[0].abs().amax(0) > 0


@contextmanager
def _passed(segment: Segment, copies: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The source's output for copies of a picture, and what all units hand out at their centers, (copies, filters)."""
    picture = noise_pictures(segment.model.size, segment.model.in_channels)[:1]
    with segment.open() as opened:
        with Linearized():
            passed = opened(picture.expand(copies, *[-1] * (picture.ndim - 1)))
        if not passed.output.requires_grad:
            what = f"{segment.target.name} is what a gate hands out (a sigmoid or softmax), which counts as a constant"
            raise FeatvizError(what, setting="layer", got=segment.target.name)
        yield passed.source, _central(passed.output, segment)


def _central(output: Tensor, segment: Segment) -> Tensor:
    maps = segment.target_maps(output)
    return maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
