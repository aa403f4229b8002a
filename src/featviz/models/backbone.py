"""A frozen network that normalizes pictures, stops after the last layer asked for, and returns feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import override

from featviz.errors import FeatvizError, one_line
from featviz.models.batch_norm import BatchNormsAsScales, ScaleShift, eval_norms
from featviz.models.concept_maps import Encoders
from featviz.models.frames import resized
from featviz.models.hooks import device_of
from featviz.models.input_size import SIZES
from featviz.models.layers import Layer, Trace
from featviz.models.layouts import Layout
from featviz.models.memory import memory_is_full
from featviz.models.model import Model, set_eval
from featviz.models.network_checks import check_numbers
from featviz.models.norm_moments import NormMoments, RunningMoments
from featviz.models.speed.compiled_pass import CompiledPass
from featviz.models.speed.faster_copy import SpeedOptions, faster_copy
from featviz.models.speed.partial_pass import PartialPass
from featviz.models.speed.wanted_filters import WantedFilters, find_wanted_filters
from featviz.models.tracing import trace
from featviz.shapes import Shape, Size

MOMENTS = Layout(2)  # of what goes into batch norms: (N, 2, channels)


class Backbone(nn.Module):
    """The part of a model up to the layers asked for, frozen and in eval mode.

    Called with pictures (N, C, H, W) in [0, 1], it returns the feature maps (N, filters, h, w) of each layer, by the
    name it was asked for; of films (N, C, T, H, W) they are (N, filters, t, h, w). Where the network takes pictures of
    one size only, they are resampled to it.

    Args:
        model: the network with its preprocessing.
        layers: module or stage names.
        traced: what :func:`featviz.models.tracing.trace` has found, where it is known already.
        fast: what may be done for speed; None runs the network as it is.
        moments: whether mean and variance over positions, (N, 2, channels), of what goes into each batch norm before
            the last of the layers are returned too, by the keys of ``running_moments``.
        linked: whether gradients lead from what a layer returns to what earlier ones do. What they do return, with a
            twin of a picture alone and before it is brought into the shape of feature maps, comes under ``raw_key``.

    Raises:
        FeatvizError: a layer does not exist, or has no filters.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[str],
        traced: Trace | None = None,
        fast: SpeedOptions | None = None,
        moments: bool = False,
        linked: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.network = model.network
        check_numbers(self.network)
        self.normalization = model.normalization().to(device_of(self.network))
        self.eval()
        self.trace = traced or trace(model)
        self.layers: dict[str, Layer] = {name: self.trace.resolve(name) for name in layers}
        self._bases = {layer.base.name: layer.base for layer in self.layers.values()}
        in_order = sorted(self._bases.values(), key=lambda layer: self.trace.finished[layer.name])
        self._calls = {layer.name: layer.calls for layer in in_order}
        self._encoders = Encoders(self.layers.values())
        if linked:
            self._encoders.check_links()
        self._may_leave_out = bool(fast and fast.fold and not moments and not linked)
        if fast:
            self._take_faster(fast, moments)
        self.linked = linked
        self._outputs = PartialPass(self.network, self._calls, linked)
        self._moments = NormMoments(self.network, model.network) if moments else None
        self._pass = CompiledPass(self._plain_pass)
        self._takes_one_only = False
        self._has_norms = bool(eval_norms(self.network))
        if self._moments:
            with torch.no_grad():
                self(model.noise().to(self.mean.device))  # which shows the norms that are before the layers

    def _take_faster(self, options: SpeedOptions, moments: bool) -> None:
        pictures = [self.normalization(picture.to(self.mean.device)) for picture in example_pictures(self.model)]
        copied = faster_copy(self.network, self._calls, options, pictures, self.model.name, moments)
        if copied:
            self.network, self.normalization.memory = copied.network, copied.memory_format

    def describe(self) -> str:
        """How the network is run: ``49 of 49 batch norms folded, channels last in memory``."""
        norms, before = (
            sum(isinstance(module, _BatchNorm | ScaleShift) for module in network.modules())
            for network in (self.network, self.model.network)
        )
        folds = f"{before - norms} of {before} batch norms folded" if before else "no batch norms to fold"
        return f"{folds}, channels {'last' if self.normalization.memory == torch.channels_last else 'first'} in memory"

    def class_names(self, layer: str) -> tuple[str, ...]:
        """The names of a layer's filters where they are the network's classes, and the model names these; else none."""
        names = self.model.classes
        return names if names and self.trace.hands_out_classes(self.layers[layer], len(names)) else ()

    def compile_for(self, *shapes: tuple[int, ...]) -> None:
        """Have torch.compile make the pass for pictures of these shapes (N, C, H, W); for none without any."""
        self._pass.compile_for({(max(count, self._fewest()), *rest) for count, *rest in shapes}, self.mean.device)

    @property
    def running_moments(self) -> dict[str, RunningMoments]:
        """The running statistics of the batch norms before the last layer, where their moments are asked for."""
        return self._moments.running if self._moments else {}

    @property
    def mean(self) -> Tensor:
        """Of the network's pictures, (1, C, 1, 1), or of films, (1, C, 1, 1, 1)."""
        return self.normalization.mean

    @property
    def std(self) -> Tensor:
        """Of the network's pictures, in the same shape."""
        return self.normalization.std

    def outputs(self, pictures: Tensor, normalized: bool = False) -> dict[str, Tensor]:
        """What the layers return, in the shape in which they do; ``normalized`` pictures have been so already.

        Of concepts it is feature maps.
        Before that come the moments of what goes into batch norms, where they are asked for.
        """
        if not normalized:
            pictures = self.normalization(pictures)
        outputs = self._pass_alike(pictures)
        missing = [name for name in self._calls if name not in outputs]
        if missing:
            what = f"layer '{missing[0]}' is called less often for these pictures than for one of noise"
            raise FeatvizError(what, setting="layer", got=missing[0])
        more = {key: outputs[key] for key in self.running_moments if key in outputs}
        if self.linked:
            more |= {raw_key(asked): outputs[raw_key(layer.base.name)] for asked, layer in self.layers.items()}
        shape = Shape(pictures.shape[2:])
        return more | {
            asked: self._encoders(layer, outputs[layer.base.name], shape) for asked, layer in self.layers.items()
        }

    def _fewest(self) -> int:
        """Of so many pictures a pass is made, where there are fewer with twins of them.

        On a CPU torch computes a batch of one by other kernels than any larger one. They round differently, and over
        hundreds of steps that grows into another picture: so a picture alone is passed with a twin.
        """
        return 2 if self.mean.device.type == "cpu" and not self._takes_one_only else 1

    def _pass_alike(self, pictures: Tensor) -> dict[str, Tensor]:
        """Pass pictures such that each gets the same numbers alone as beside others."""
        memory, count = self.normalization.memory, len(pictures)
        if count >= self._fewest():
            return self._with_raw(self._pass(pictures.contiguous(memory_format=memory)), count)
        try:
            outputs = self._pass(
                pictures.expand(self._fewest(), *[-1] * (pictures.ndim - 1)).contiguous(memory_format=memory)
            )
        except Exception:  # of any kind: where it is not of the number, the same comes for the picture alone
            outputs = self._pass(pictures.contiguous(memory_format=memory))
            self._takes_one_only = True
        return self._with_raw(outputs, count)

    def _with_raw(self, outputs: dict[str, Tensor], count: int) -> dict[str, Tensor]:
        """The outputs of so many pictures; what the layers did return, too, where it is asked for."""
        raw = {raw_key(name): output for name, output in outputs.items()} if self.linked else {}
        layouts = {name: layer.layout for name, layer in self._bases.items()}
        return raw | {name: (layouts.get(name) or MOMENTS).first_pictures(out, count) for name, out in outputs.items()}

    def _plain_pass(self, pictures: Tensor) -> dict[str, Tensor]:
        if torch.compiler.is_compiling() or not (self._has_norms and pictures.requires_grad):
            return self._outputs_and_moments(pictures)
        with BatchNormsAsScales():
            return self._outputs_and_moments(pictures)

    def _outputs_and_moments(self, pictures: Tensor) -> dict[str, Tensor]:
        if self._moments is None:
            return self._outputs(pictures)
        self._moments.start()
        try:
            outputs = self._outputs(pictures)
        finally:
            moments = self._moments.stop()
        return moments | outputs

    @override
    def forward(self, pictures: Tensor, normalized: bool = False) -> dict[str, Tensor]:
        pictures = self.resized(pictures)
        shape, maps = Shape(pictures.shape[2:]), self.outputs(pictures, normalized)
        for asked, layer in self.layers.items():
            assert layer.layout is not None  # Trace.resolve refuses a layer without one
            maps[asked] = layer.layout.feature_maps(maps[asked], shape)
        return maps

    def only(self, filters: Sequence[int]) -> AbstractContextManager[None]:
        """A context in which maps are needed of these filters of the layer alone: those of the others may be NaN."""
        leave_out = self._may_leave_out and not self._pass.in_use
        return self._wanted.only(filters) if leave_out and self._wanted else nullcontext()

    @cached_property
    def _wanted(self) -> WantedFilters | None:
        if len(self.layers) > 1:
            return None
        (layer,) = self.layers
        noise = self.normalization(self.model.noise().to(self.mean.device))
        return find_wanted_filters(self.network, lambda pictures: self(pictures, normalized=True)[layer], noise)

    def resized(self, pictures: Tensor) -> Tensor:
        """The pictures at the size that the network takes, if it takes only one, or at the next larger one it takes."""
        shape = Shape(pictures.shape[2:])
        if self.trace.accepts_other_sizes:
            multiple = [side + -side % self.trace.multiple for side in shape.frame]
            return resized(pictures, shape.with_frame(multiple), antialias=True)
        return resized(pictures, self.trace.shape, antialias=True)

    def check_size(self, size: Size) -> None:
        """Raise FeatvizError, which tells a size that fits, where pictures of ``size`` px do not fit the network."""
        if not (reason := self._misfit(size)):
            return
        own, side = self.model.shape, Shape.of(size).side
        sizes = sorted({*map(own.with_side, SIZES), own}, key=lambda shape: shape.side)
        least = next((shape for shape in sizes if shape.side > side and not self._misfit(shape)), None)
        raise FeatvizError(
            f"size {Shape.of(size)} px is too small for {self.model.name}" + ("" if least else f": {reason}"),
            setting="schedule.size",
            got=size,
            expected=f"{least} px or more" if least else "",
        )

    def check_axes(self, shape: Shape) -> None:
        """Refuse a film for a network of pictures, and the other way round."""
        own = self.model.shape
        if len(shape) != len(own):
            kinds = ("films", "pictures") if own.is_film else ("pictures", "films")
            what = f"{self.model.name} takes {kinds[0]} of {own} px, but schedule.size={shape} is one of {kinds[1]}"
            expected = f"schedule.size={'[frames,height,width]' if own.is_film else 'px such as 128, or [36,64]'}"
            raise FeatvizError(what, setting="schedule.size", got=shape.size, expected=expected)

    def _misfit(self, size: Size) -> str:
        """Why the network, up to the layers, does not take pictures of ``size`` px; empty where it does."""
        try:
            with torch.no_grad():
                maps = self(self.model.noise(size).to(self.mean.device))
        except (RuntimeError, AssertionError, ValueError, MemoryError) as error:
            if memory_is_full(error):
                what = f"no memory is left for a picture of {Shape.of(size)} px"
                raise FeatvizError(what, setting="schedule.size", got=size, expected="a smaller size") from error
            return one_line(error)
        return next((f"{name} has no positions left" for name, found in maps.items() if not found.numel()), "")

    @override
    def train(self, mode: bool = True) -> Backbone:
        # Batch norm and dropout in training mode couple the pictures of a batch.
        set_eval(self)
        return self

    def close(self) -> None:
        """Take the hooks off the network."""
        self._outputs.close()
        if self._moments:
            self._moments.close()


def raw_key(layer: str) -> str:
    """The name of what a layer returns, where gradients lead from layer to layer: see ``linked``."""
    return f"output of {layer}"


def example_pictures(model: Model) -> list[Tensor]:
    """Pictures of several kinds in [0, 1], (1, C, H, W) each: noise, black and white, and a gradual change."""
    (height, width), noise = model.shape.frame, model.noise()
    halves, gradual = torch.zeros_like(noise), torch.zeros_like(noise)
    halves[..., width // 2 :] = 1
    gradual[:] = torch.linspace(0, 1, width)
    gradual[:, ::2] = torch.linspace(0, 1, height)[:, None]
    return [noise, halves, gradual]
