"""A copy of a network that computes the same in less time, taken only where it is found to compute the same."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from featviz.errors import one_line
from featviz.models.speed.folding import folded
from featviz.models.speed.inplace_relu import with_inplace_relus
from featviz.models.speed.partial_pass import PartialPass
from featviz.models.speed.same_padding import with_padding_inside

log = logging.getLogger(__name__)

TOLERANCE = 1e-4  # of the largest number at a layer


@dataclass(frozen=True)
class SpeedOptions:
    """What makes a network's pass faster, with the same numbers but for rounding."""

    fold: bool = True  # batch norms into the convolutions before them, with leaner paddings and rectifiers
    channels_last: bool = True  # in memory

    @property
    def memory_format(self) -> torch.memory_format:
        """The order of numbers in memory that the copy wants of its pictures."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


def faster_copy(
    network: nn.Module, calls: Mapping[str, int], options: SpeedOptions, pictures: Tensor, name: str
) -> nn.Module | None:
    """A faster copy of a network up to some modules; None, and a line in the log, where their outputs would differ.

    Args:
        network: in eval mode; it stays as it is.
        calls: the modules, as for :class:`featviz.models.speed.partial_pass.PartialPass`.
        options: what may be done.
        pictures: (1, C, H, W), normalized, of which the outputs are compared.
        name: of the model, for the log.
    """
    try:
        copied = _copied(network, calls, options, pictures)
        expected = _outputs(network, calls, pictures)
        outputs = _outputs(copied, calls, pictures.contiguous(memory_format=options.memory_format))
        different = [name for name in expected if difference(expected[name], outputs[name]) > TOLERANCE]
    except Exception as error:  # the copy runs whatever the network's parts define
        different = [one_line(error)]
    if different:
        log.info("%s: batch norms are not folded: %s", name, different[0])
        return None
    return copied


def _copied(network: nn.Module, calls: Mapping[str, int], options: SpeedOptions, pictures: Tensor) -> nn.Module:
    if options.fold:
        copied = with_inplace_relus(with_padding_inside(folded(network, calls, pictures)))
    else:
        copied = copy.deepcopy(network)
    return copied.to(memory_format=torch.channels_last) if options.channels_last else copied


@torch.no_grad()
def _outputs(network: nn.Module, calls: Mapping[str, int], pictures: Tensor) -> dict[str, Tensor]:
    outputs = PartialPass(network, calls)
    try:
        return outputs(pictures)
    finally:
        outputs.close()


def difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors, as a share of the first one's largest number."""
    return ((one - other).abs().max() / one.abs().max().clamp_min(1e-12)).item()
