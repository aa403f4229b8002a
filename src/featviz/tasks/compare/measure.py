"""One pass of photos through all networks: how alike units answer, and how alike layers are."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.photos.cka import StreamingCKA, gram
from featviz.photos.correlations import StreamingCorrelations
from featviz.photos.stream import Batch, PhotoStream
from featviz.tasks.compare.networks import Compared
from featviz.tasks.photo_folder import log_skipped, progress_bar

log = logging.getLogger(__name__)

#: The sides in px of the pictures that a network takes, and their channels.
_Pictures = tuple[int | tuple[int, ...], int]

MOST_PAIRS = 2**26  # of units whose correlation is gathered: 512 MB


@dataclass
class Likeness:
    """How another network compares with the first: correlations of units by layer, and CKA of layers."""

    correlations: dict[str, StreamingCorrelations]
    cka: StreamingCKA = field(default_factory=StreamingCKA)

    def of_units(self, asked: str) -> Tensor:
        """Correlations (units of the first, units of the other) of the layer that was asked for of the first."""
        table = self.correlations[asked].correlations()
        return table[:, len(table) :]


@dataclass(frozen=True)
class Measured:
    """How each of the other networks compares with the first, over so many photos."""

    likeness: list[Likeness]
    photos: int
    skipped: Mapping[Path, str]


def measure(
    networks: Sequence[Compared], files: Sequence[Path], by: str, batch_size: int, device: torch.device, layers: bool
) -> Measured:
    """Show all photos once to all networks; what is kept does not grow with their number.

    Args:
        networks: the first is compared with each of the others.
        files: the photos.
        by: what stands for a unit's answer to a photo, the ``mean`` of its feature map or the ``max``.
        batch_size: photos at the same time.
        device: where the networks are run.
        layers: whether the likeness of all layers is measured, too.

    Raises:
        FeatvizError: no photo can be used, or the layers have too many units.
    """
    first, *others = networks
    likeness = [
        Likeness({asked: _correlations(first, other, at) for at, asked in enumerate(first.asked)}) for other in others
    ]
    with _backbones(networks, device, layers) as backbones, progress_bar("photos", len(files)) as update:
        streams = _streams(networks, files, batch_size)
        used = 0
        for batches in zip(*streams.values(), strict=True):
            by_size = dict(zip(streams, batches, strict=True))
            seen = [_see(b, by_size[_key(n)], n, by, layers) for n, b in zip(networks, backbones, strict=True)]
            finite = torch.stack([one.finite for one in seen]).all(0)
            used += int(finite.sum())
            _take_in(likeness, seen, finite, first.asked, layers)
            update(batches[0].numbers[-1] + 1)
    skipped = next(iter(streams.values())).skipped
    log_skipped(skipped)
    if not used:
        why = next(iter(skipped.values()), "answers are not finite")
        raise FeatvizError(f"none of {len(files)} photos can be used; the first: {why}", setting="data", got=len(files))
    return Measured(likeness, used, skipped)


@dataclass(frozen=True)
class _Seen:
    """What a network makes of a batch: figures (N, units) by place of the layer, products (N, N) by name."""

    figures: list[Tensor]
    grams: dict[str, Tensor]
    finite: Tensor


@torch.no_grad()
def _see(backbone: Backbone, batch: Batch, network: Compared, by: str, layers: bool) -> _Seen:
    count = len(batch.numbers)
    maps = {name: of[:count] for name, of in backbone(batch.pictures.to(backbone.mean.device)).items()}
    flat = [maps[network.key(asked)].flatten(2).float() for asked in network.asked]
    figures = [(each.mean(2) if by == "mean" else each.amax(2)).cpu() for each in flat]
    finite = torch.stack([figure.isfinite().all(1) for figure in figures]).all(0)
    usable = finite.to(backbone.mean.device)
    grams = {name: gram(maps[name][usable]) for name in network.all_layers} if layers else {}
    return _Seen(figures, grams, finite)


def _take_in(
    likeness: Sequence[Likeness], seen: Sequence[_Seen], finite: Tensor, asked: Sequence[str], layers: bool
) -> None:
    first, *others = seen
    for one, other in zip(likeness, others, strict=True):
        for name, figures, theirs in zip(asked, first.figures, other.figures, strict=True):
            one.correlations[name].update(torch.cat([figures, theirs], 1)[finite])
        if layers and bool(finite.all()):  # the products are of those photos that each network took
            one.cka.update(first.grams, other.grams)


def _correlations(first: Compared, other: Compared, at: int) -> StreamingCorrelations:
    units, theirs = first.layer(first.asked[at]).channels or 0, other.layer(other.asked[at]).channels or 0
    if units * (units + theirs) > MOST_PAIRS:
        what = f"{first.asked[at]} and {other.asked[at]} have {units} and {theirs} units"
        raise FeatvizError(what, setting="layer", got=first.asked[at], expected=f"at most {MOST_PAIRS} pairs")
    return StreamingCorrelations(range(units), units + theirs)


@contextmanager
def _backbones(networks: Sequence[Compared], device: torch.device, layers: bool) -> Iterator[list[Backbone]]:
    with ExitStack() as stack:
        made = []
        for network in networks:
            asked = [network.key(name) for name in network.asked]
            backbone = network.backbone([*asked, *(network.all_layers if layers else ())])
            stack.callback(backbone.close)
            stack.callback(backbone.cpu)
            made.append(backbone.to(device))
        yield made


def _key(network: Compared) -> _Pictures:
    size = network.model.size
    return size if isinstance(size, int) else tuple(size), network.model.in_channels


def _streams(networks: Sequence[Compared], files: Sequence[Path], batch_size: int) -> dict[_Pictures, PhotoStream]:
    """A stream for each size of pictures: networks of the same size share one, and all leave out the same files."""
    return {key: PhotoStream(files, *key, batch_size) for key in dict.fromkeys(map(_key, networks))}
