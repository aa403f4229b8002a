"""A copy of a network that computes the same in less time, taken only where it is found to compute the same."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from featviz.errors import one_line
from featviz.models.batch_norm import BatchNormsAsScales, replace_norms
from featviz.models.comparison import same
from featviz.models.norm_moments import can_be_computed_back
from featviz.models.output_keys import module_and_key
from featviz.models.speed.data_flow import outputs_that_stay
from featviz.models.speed.folding import fold, foldable
from featviz.models.speed.inplace_relu import inplace_relus, with_inplace_relus
from featviz.models.speed.onednn_linear import with_onednn_linears
from featviz.models.speed.partial_pass import PartialPass
from featviz.models.speed.same_padding import with_padding_inside

log = logging.getLogger(__name__)

THE_GRADIENT = "the gradient"
GRADIENT_TOLERANCE = 1e-2  # of a gradient's length: rounding turns some rectifiers on and off


@dataclass(frozen=True)
class SpeedOptions:
    """What makes a network's pass faster, with the same numbers but for rounding."""

    fold: bool = True  # batch norms into the convolutions before them, with leaner paddings and rectifiers
    channels_last: bool = True  # in memory
    onednn: bool = False  # linear layers by oneDNN

    @property
    def memory_format(self) -> torch.memory_format:
        """The order of numbers in memory that the copy wants of its pictures."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


#: The outputs of the modules for a picture, and the gradient of a random sum of them, or zeros.
Results = tuple[dict[str, Tensor], Tensor]


@dataclass(frozen=True)
class FasterCopy:
    """A copy of a network, and the order of numbers in memory that it wants of its pictures."""

    network: nn.Module
    memory_format: torch.memory_format


def faster_copy(
    network: nn.Module,
    calls: Mapping[str, int],
    options: SpeedOptions,
    pictures: Sequence[Tensor],
    name: str,
    moments: bool = False,
) -> FasterCopy | None:
    """A copy of a network up to some modules that is as fast as can be, with the same outputs and gradients there.

    Batch norms are folded where nothing else reads what the convolution returns, and otherwise replaced by scales and
    shifts. What makes a difference is left out: single folds, or all that ``options`` allow. None where even a plain
    copy differs, or there can be none; the log says so.

    Args:
        network: in eval mode; it stays as it is.
        calls: the modules, as for :class:`featviz.models.speed.partial_pass.PartialPass`.
        options: what may be done.
        pictures: several (1, C, H, W), normalized, for which outputs and gradients are compared.
        name: of the model, for the log.
        moments: whether it must be possible to tell what goes into a batch norm from what comes out.
    """
    if pictures[0].ndim > 4:
        options = replace(options, channels_last=False)  # films have no such order that all devices are fast with
    try:
        copies = _Copies(network, calls, pictures, moments)
        for allowed in dict.fromkeys((options, SpeedOptions(fold=False, channels_last=False))):
            if copied := copies.fastest(allowed):
                return copied
        reason = copies.reason
    except Exception as error:  # the copy runs whatever the network's parts define
        reason = one_line(error)
    log.info("%s: batch norms are not folded: %s", name, reason)
    return None


class _Copies:
    """Copies of a network, of which only those count that return the same as the network."""

    def __init__(self, network: nn.Module, calls: Mapping[str, int], pictures: Sequence[Tensor], moments: bool) -> None:
        self.network, self.calls, self.pictures = network, calls, pictures
        self.expected = self._results(network, torch.contiguous_format)
        self.reason = ""  # why the last copy does not count
        copied = copy.deepcopy(network)
        modules = dict(network.named_modules())
        shown = {module_and_key(layer, modules)[0] for layer in calls}
        pairs = {conv: norm for conv, norm in foldable(copied, pictures[0]).items() if conv not in shown}
        back = {norm for norm in pairs.values() if not moments or can_be_computed_back(network.get_submodule(norm))}
        self.pairs = {conv: norm for conv, norm in pairs.items() if norm in back}
        relus = inplace_relus(copied)
        stay = outputs_that_stay(copied, relus, pictures[0])
        self.relus = [relu for relu in relus if relu not in stay]

    def fastest(self, options: SpeedOptions) -> FasterCopy | None:
        """The copy with as many folds as give the same results."""
        pairs = self.pairs if options.fold else {}
        if copied := self._copy(options, pairs):
            return copied
        if not pairs or not self._copy(options, {}):
            return None
        return self._copy(options, self._harmless(options, pairs))

    def _harmless(self, options: SpeedOptions, pairs: Mapping[str, str]) -> dict[str, str]:
        """Those of several folds that do no harm, where all of them together do."""
        harmless: dict[str, str] = {}
        if len(pairs) == 1:
            return harmless
        items = list(pairs.items())
        for half in (dict(items[: len(items) // 2]), dict(items[len(items) // 2 :])):
            harmless |= half if self._copy(options, half) else self._harmless(options, half)
        return harmless

    def _copy(self, options: SpeedOptions, pairs: Mapping[str, str]) -> FasterCopy | None:
        network = self._changed(copy.deepcopy(self.network), self.pictures[0], options, pairs)
        self.reason = _difference(self.expected, self._results(network, options.memory_format))
        if self.reason == THE_GRADIENT and self._same_in_double(options, pairs):
            self.reason = ""
        return None if self.reason else FasterCopy(network, options.memory_format)

    def _changed(
        self, network: nn.Module, picture: Tensor, options: SpeedOptions, pairs: Mapping[str, str]
    ) -> nn.Module:
        """The network itself, made faster in place."""
        fold(network, pairs)
        replace_norms(network, picture)
        if options.fold:
            with_padding_inside(network)
            with_inplace_relus(network, self.relus)
        if options.onednn:
            with_onednn_linears(network)
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.ndim == 4:  # network.to would want it of five dimensions as well, and fail
                tensor.data = tensor.data.contiguous(memory_format=options.memory_format)
        return network

    def _same_in_double(self, options: SpeedOptions, pairs: Mapping[str, str]) -> bool:
        """Whether the gradients are the same in double precision, where rounding does not switch rectifiers."""
        picture = self.pictures[0].double()
        try:
            networks = [copy.deepcopy(self.network).double() for _ in range(2)]
            expected = self._results(networks[0], torch.contiguous_format, [picture])
            changed = self._changed(networks[1], picture, options, pairs)
            return not _difference(expected, self._results(changed, options.memory_format, [picture]))
        except (RuntimeError, TypeError, ValueError):  # parts of the network, or the device, know single precision only
            return False

    def _results(
        self, network: nn.Module, memory_format: torch.memory_format, pictures: Sequence[Tensor] = ()
    ) -> list[Results]:
        """Those for each picture; the gradient for the first one alone."""
        outputs, results = PartialPass(network, self.calls), []
        try:
            for at, picture in enumerate(pictures or self.pictures):
                picture = picture.detach().contiguous(memory_format=memory_format).requires_grad_(at == 0)
                with torch.set_grad_enabled(at == 0), BatchNormsAsScales():
                    by_name = outputs(picture)
                    gradient = _gradient(by_name.values(), picture)
                results.append(({name: output.detach().clone() for name, output in by_name.items()}, gradient))
        finally:
            outputs.close()
        return results


def _difference(expected: Sequence[Results], results: Sequence[Results]) -> str:
    """The first module whose output, or gradient, differs; empty without one."""
    for (outputs, gradient), (others, other_gradient) in zip(expected, results, strict=True):
        for name, output in outputs.items():
            if not same(output, others[name]):
                return name
        if not (gradient - other_gradient).norm() <= GRADIENT_TOLERANCE * gradient.norm():
            return THE_GRADIENT
    return ""


def _gradient(outputs: Iterable[Tensor], picture: Tensor) -> Tensor:
    """The gradient of a random sum of outputs; zero where there is none."""
    generator, total = torch.Generator().manual_seed(0), torch.zeros((), device=picture.device)
    for output in outputs:
        total = total + (output * torch.randn(output.shape, generator=generator).to(output)).sum()
    if not total.requires_grad:
        return torch.zeros_like(picture)
    (gradient,) = torch.autograd.grad(total, picture, allow_unused=True)
    return torch.zeros_like(picture) if gradient is None else gradient
