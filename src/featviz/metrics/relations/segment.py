"""The part of a network between two layers, through which gradients lead from the later one to the earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.layers import Layer, Trace
from featviz.models.model import Model
from featviz.models.output_keys import module_and_key


@dataclass(frozen=True)
class Passed:
    """What two layers handed out for pictures: the ``source``'s output, from which gradients lead to ``output``."""

    source: Tensor
    output: Tensor


class Segment:
    """The way from the output of ``source`` to that of ``target``.

    Nothing before the source takes part in gradients, so that they cost what lies between the two layers alone.
    """

    def __init__(self, model: Model, traced: Trace, source: Layer, target: Layer, device: torch.device) -> None:
        self.model, self.traced = model, traced
        self.source, self.target, self.device = source, target, device

    @contextmanager
    def open(self) -> Iterator[OpenSegment]:
        """Within it, pictures can be passed."""
        opened = OpenSegment(self)
        try:
            yield opened
        finally:
            opened.close()

    def by_filter(self, values: Tensor) -> Tensor:
        """What belongs to the source's output, as (N, filters, positions), tokens before the patches' too."""
        layout = self.source.layout
        assert layout is not None
        values = layout.by_filter(values)
        return values.reshape(*values.shape[:2], -1)

    def target_maps(self, output: Tensor) -> Tensor:
        """The feature maps (N, filters, h, w) of the target's output."""
        layout = self.target.layout
        assert layout is not None
        return layout.feature_maps(output, self.traced.shape)

    def figures(self, output: Tensor, by: str) -> Tensor:
        """The ``mean`` or the ``max`` of all feature maps of the target's output, (N, filters)."""
        flat = self.target_maps(output).flatten(2)
        return flat.mean(2) if by == "mean" else flat.amax(2)

    def is_connected(self) -> bool:
        """Whether gradients lead from the target to the source."""
        with self.open() as opened:
            try:
                passed = opened(self.model.noise())
            except FeatvizError:
                return False
            if not passed.output.requires_grad:
                return False
            (gradient,) = torch.autograd.grad(passed.output.sum(), passed.source, allow_unused=True)
        return gradient is not None


class OpenSegment:
    """A segment whose network is being watched, until ``close``."""

    def __init__(self, segment: Segment) -> None:
        self._source = segment.source
        self._backbone = Backbone(segment.model, [segment.target.name], segment.traced).to(segment.device)
        self._target = segment.target.name
        self._leaf: Tensor | None = None
        self._calls = 0
        network = segment.model.network
        name, _ = module_and_key(segment.source.name, dict(network.named_modules()))
        self._handle = network.get_submodule(name).register_forward_hook(self._cut)

    def _cut(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        """Have gradients end at the source's output, which the network gets a copy of: it may overwrite its own."""
        self._calls += 1
        if self._calls != self._source.calls or not isinstance(output, Tensor):
            return None
        self._leaf = output.detach().requires_grad_()
        return self._leaf.clone()

    @torch.enable_grad()
    def __call__(self, pictures: Tensor) -> Passed:
        """Pass pictures (N, C, H, W) in [0, 1]; a picture alone may get a twin.

        Raises:
            FeatvizError: the source has not handed anything out before the target has, or not for each picture.
        """
        self._calls, self._leaf = 0, None
        device = self._backbone.mean.device
        output = self._backbone.outputs(self._backbone.resized(pictures.to(device)))[self._target]
        leaf = self._taken()
        layout = self._source.layout
        if leaf is None or layout is None or leaf.shape[layout.batch_axis] < len(pictures):
            what = f"'{self._target}' does not depend on '{self._source.name}', picture by picture"
            raise FeatvizError(what, setting="layer", got=self._source.name)
        return Passed(leaf, output)

    def _taken(self) -> Tensor | None:
        """What has been cut in the last pass."""
        return self._leaf

    def close(self) -> None:
        """Stop watching."""
        self._handle.remove()
        self._backbone.cpu().close()
