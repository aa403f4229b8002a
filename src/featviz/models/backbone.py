"""A frozen network that normalizes pictures, stops after the last layer asked for, and hands out feature maps."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.errors import FeatvizError, one_line
from featviz.models.layers import Layer, Trace, trace
from featviz.models.model import Model
from featviz.models.normalization import Normalization
from featviz.models.redirected_relu import RedirectedReLU
from featviz.models.speed.folding import folded
from featviz.models.speed.inplace_relu import overwritten_later, with_inplace_relus
from featviz.models.speed.same_padding import with_padding_inside

log = logging.getLogger(__name__)

TOLERANCE = 1e-4  # of the largest number at a layer, for a faster network


@dataclass(frozen=True)
class SpeedOptions:
    """What makes a network's pass faster, with the same numbers but for rounding."""

    fold: bool = True  # batch norms into the convolutions before them, with leaner paddings and rectifiers
    channels_last: bool = True  # in memory


class _Stop(Exception):
    """Raised once the last layer asked for has answered: what comes after it is not computed."""


class Backbone(nn.Module):
    """The part of a model up to the layers asked for, frozen and in eval mode.

    ``layers`` are module or stage names. Pictures (N, C, H, W) in [0, 1] go in; a dict with the feature maps
    (N, filters, h, w) of each layer, under the name it was asked by, comes out. Where the network takes pictures of
    one size only, they are resampled to it. ``fast`` makes a copy of the network that computes the same with
    less. Raises FeatvizError for a layer that does not exist or has no filters.
    """

    def __init__(
        self, model: Model, layers: Sequence[str], traced: Trace | None = None, fast: SpeedOptions | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.network = model.network
        self.normalization = Normalization(model.mean, model.std)
        self.eval()
        self.trace = traced or trace(model)
        self.layers: dict[str, Layer] = {name: self.trace.resolve(name) for name in layers}
        self._caught: dict[str, Tensor] = {}
        self._calls: dict[str, int] = {}
        self._running = False  # several backbones may share a network: each answers to its own passes only
        order = list(self.trace.layers)
        self._wanted = sorted({layer.name for layer in self.layers.values()}, key=order.index)
        self._handles: list[Any] = []
        self._compiled: Callable[[Tensor], dict[str, Tensor]] = self._pass
        self._shapes: set[tuple[int, ...]] = set()  # of pictures for which it is
        self._watch()
        if fast and (fast.fold or fast.channels_last):
            self._speed_up(fast)

    def _watch(self) -> None:
        self.close()
        self._handles = [self.network.get_submodule(n).register_forward_hook(self._hook(n)) for n in self._wanted]

    def _speed_up(self, how: SpeedOptions) -> None:
        """Take the faster copy, if it hands out the same; else stay with the network as it is, and say so."""
        generator = torch.Generator().manual_seed(0)
        size = self.model.size
        noise = torch.rand(1, self.model.in_channels, size, size, generator=generator).to(self.mean.device)
        with torch.no_grad():
            usual = self.outputs(noise)
        self.close()
        try:
            self.network = self._quicker(how, noise)
            self.normalization.memory = torch.channels_last if how.channels_last else torch.contiguous_format
            self._watch()
            with torch.no_grad():
                fast = self.outputs(noise)
            unlike = [name for name in usual if difference(usual[name], fast[name]) > TOLERANCE]
        except Exception as error:  # the copy runs whatever the network's parts define
            unlike = [one_line(error)]
        if unlike:
            log.info("%s: batch norms are not folded: %s", self.model.name, unlike[0])
            self.network, self.normalization.memory = self.model.network, torch.contiguous_format
            self._watch()

    def _quicker(self, how: SpeedOptions, noise: Tensor) -> nn.Module:
        if how.fold:
            network = with_inplace_relus(with_padding_inside(folded(self.model.network, self._wanted, noise)))
        else:
            network = copy.deepcopy(self.model.network)
        return network.to(memory_format=torch.channels_last) if how.channels_last else network

    def describe(self) -> str:
        """How the network is run."""
        norms, before = (
            sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
            for network in (self.network, self.model.network)
        )
        folds = f"{before - norms} of {before} batch norms folded" if before else "no batch norms to fold"
        return f"{folds}, channels {'last' if self.normalization.memory == torch.channels_last else 'first'} in memory"

    def _hook(self, name: str) -> Any:
        expected, last = self.trace.layers[name].calls, name == self._wanted[-1]

        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            if not self._running:
                return
            self._calls[name] = self._calls.get(name, 0) + 1
            if self._calls[name] < expected:
                return
            # A layer after this one may overwrite its output in place (ReLU), unless nothing is run after it.
            self._caught[name] = output.clone() if overwritten_later(output) or not last else output
            if last:
                raise _Stop

        return hook

    def compile_for(self, *shapes: tuple[int, ...]) -> None:
        """Have torch.compile make the pass, with CUDA graphs where there are any.

        It is for pictures of these shapes (N, C, H, W) that need gradients, and unredirected ones: all other pictures
        are passed as before, instead of being compiled for. Without shapes, so are all.
        """
        torch.compiler.reset()  # what was compiled for earlier layers takes memory, and counts against a limit
        self._compiled, self._shapes = self._pass, set(shapes)
        if shapes:
            mode = "reduce-overhead" if self.mean.device.type == "cuda" else None
            self._compiled = torch.compile(self._pass, dynamic=False, mode=mode)

    @property
    def mean(self) -> Tensor:
        """Of the network's pictures, (1, C, 1, 1)."""
        return self.normalization.mean

    @property
    def std(self) -> Tensor:
        """Of the network's pictures, (1, C, 1, 1)."""
        return self.normalization.std

    def outputs(self, pictures: Tensor, normalized: bool = False) -> dict[str, Tensor]:
        """What the layers hand out, in the shape in which they do."""
        if not normalized:
            pictures = self.normalization(pictures)
        pictures = pictures.contiguous(memory_format=self.normalization.memory)
        compiled = pictures.requires_grad and pictures.shape in self._shapes and not RedirectedReLU.active
        caught = (self._compiled if compiled else self._pass)(pictures)
        missing = [name for name in self._wanted if name not in caught]
        if missing:
            raise FeatvizError(f"layer '{missing[0]}' was not called as often as in the first forward pass")
        return {asked: caught[layer.name] for asked, layer in self.layers.items()}

    def _pass(self, pictures: Tensor) -> dict[str, Tensor]:
        """What the modules hand out that were asked for, of normalized pictures."""
        self._caught, self._calls, self._running = {}, {}, True
        try:
            self.network(pictures)
        except _Stop:  # (contextlib.suppress would end what torch.compile follows)
            pass
        finally:
            caught, self._caught, self._running = self._caught, {}, False
        return caught

    def forward(self, pictures: Tensor, normalized: bool = False) -> dict[str, Tensor]:
        """Feature maps (N, filters, h, w) of each layer asked for; ``normalized`` pictures have been so already."""
        pictures = self.resized(pictures)
        height, width = pictures.shape[2:]
        outputs = self.outputs(pictures, normalized)
        maps = {}
        for asked, layer in self.layers.items():
            assert layer.layout is not None  # Trace.resolve refuses a layer without one
            maps[asked] = layer.layout.feature_maps(outputs[asked], height, width)
        return maps

    def resized(self, pictures: Tensor) -> Tensor:
        """The pictures at the size that the network takes, if it takes only one."""
        size = self.trace.size
        if self.trace.accepts_other_sizes or pictures.shape[2:] == (size, size):
            return pictures
        return F.interpolate(pictures, (size, size), mode="bilinear", align_corners=False, antialias=True)

    def check_size(self, size: int) -> None:
        """Raise FeatvizError where pictures of ``size`` px are too small for the network up to the layers."""
        try:
            with torch.inference_mode():
                maps = self(torch.zeros(1, self.model.in_channels, size, size, device=self.mean.device))
        except (RuntimeError, AssertionError, ValueError) as error:
            raise FeatvizError(f"size {size} px is too small for {self.model.name}: {one_line(error)}") from error
        for name, features in maps.items():
            if not features.numel():
                raise FeatvizError(f"size {size} px is too small for {self.model.name}: {name} has no positions left")

    def train(self, mode: bool = True) -> Backbone:
        """Stay in eval mode: batch norm and dropout in training mode couple the pictures of a batch."""
        return super().train(False)

    def close(self) -> None:
        """Take the hooks off the network."""
        while self._handles:
            self._handles.pop().remove()


def difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors, as a share of the first one's largest number."""
    return ((one - other).abs().max() / one.abs().max().clamp_min(1e-12)).item()
