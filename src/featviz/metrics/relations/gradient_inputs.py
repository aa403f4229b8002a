"""What feeds units on their exemplars: gradient times activation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.metrics.relations.segment import Passed, Segment
from featviz.metrics.relations.unit_photos import UnitPhotos, counts, photo_batches


def gradient_inputs(segment: Segment, units: Sequence[int], photos: Sequence[UnitPhotos], by: str) -> Tensor:
    """How much each filter of the source adds to units of the target on their exemplars, (units, source filters).

    It is the gradient of the unit's figure by what the source hands out, times that, summed over positions: to first
    order what the unit loses where the filter is set to zero (Shrikumar et al. 2017, arXiv 1704.02685, section 2.3).

    Args:
        segment: from the source to the units' layer.
        units: their numbers.
        photos: some of their exemplars, by photo.
        by: the figure, ``mean`` or ``max``.

    Returns:
        The mean over a unit's photos; nan for a unit without any.
    """
    totals = torch.zeros(len(units), segment.source.channels or 0, dtype=torch.float64)
    with segment.open() as opened:
        for batch in photo_batches(photos, segment.model.size, segment.model.in_channels):
            _add(totals, opened(batch.pictures), batch.units, units, segment, by)
    return totals / torch.tensor(counts(photos, len(units)), dtype=torch.float64)[:, None]


def _add(
    totals: Tensor, passed: Passed, places: Sequence[Sequence[int]], units: Sequence[int], segment: Segment, by: str
) -> None:
    """Add what photos say of the units that each is shown for: of one unit of each photo at a time."""
    figures = segment.figures(passed.output, by)
    for turn in range(max(map(len, places))):
        shown = [(photo, its[turn]) for photo, its in enumerate(places) if turn < len(its)]
        chosen = figures[[photo for photo, _ in shown], [units[place] for _, place in shown]].sum()
        (gradient,) = torch.autograd.grad(chosen, passed.source, retain_graph=True)
        strengths = segment.by_filter(gradient * passed.source.detach()).sum(2).double().cpu()
        for photo, place in shown:
            totals[place] += strengths[photo]
