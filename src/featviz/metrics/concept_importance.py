"""How much each concept of a layer matters for a class: by gradient x activation, and by taking it away.

After CRAFT (Fel et al. 2023, arXiv 2211.10154), which takes concepts away as well, and Kim et al. 2018 (arXiv
1711.11279), who ask how the class changes along a concept's direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from featviz.metrics.relations.segment import Segment
from featviz.models.dictionaries import Dictionary
from featviz.models.layouts import Layout
from featviz.models.output_keys import module_and_key, tensor_at

MOST_VARIANTS = 64  # of what a layer hands out, that are passed on at the same time


@dataclass(frozen=True)
class Importance:
    """Means over photos, for each concept, (concepts,).

    ``gradient`` is by how much the class's output would fall if the concept went, by its slope; ``removal`` by how much
    it does fall.
    """

    gradient: Tensor
    removal: Tensor


class ConceptImportance:
    """Measures the importance of concepts.

    Args:
        segment: from the layer of the concepts to the network's classes; all that these depend on goes through it.
        dictionary: the concepts, of which activations are sums.
    """

    def __init__(self, segment: Segment, dictionary: Dictionary) -> None:
        self._segment, self._dictionary = segment, dictionary
        self._encoder = dictionary.encoder().to(segment.device)

    def of_class(self, number: int, photos: Sequence[Tensor]) -> Importance:
        """That for a class, over photos (C, H, W) in [0, 1]."""
        gradients, removals = [], []
        with self._segment.open() as opened, self._rest() as rest:
            for photo in photos:
                passed = opened(photo[None])
                output = self._segment.target_maps(passed.output).flatten(2).mean(2)[:, number]
                (slope,) = torch.autograd.grad(output.sum(), passed.source)
                source = passed.source.detach()
                codes = self._codes(source)
                along = torch.einsum("ncp,kc->nkp", self._segment.by_filter(slope)[:1], self._encoder.W_dec)
                gradients.append((along * codes).sum(2)[0].cpu())
                removals.append(self._fall(source, codes[0], number, rest).cpu())
        return Importance(torch.stack(gradients).mean(0), torch.stack(removals).mean(0))

    @torch.no_grad()
    def _codes(self, source: Tensor) -> Tensor:
        """Codes (1, concepts, positions) of what the layer hands out for one picture, which may have a twin."""
        codes: Tensor = self._encoder(self._segment.by_filter(source)[..., None])
        return codes[:1, :, :, 0]

    @torch.no_grad()
    def _fall(self, source: Tensor, codes: Tensor, number: int, rest: RestOfNetwork) -> Tensor:
        """By how much the class falls without each concept, (concepts,)."""
        layout = self._segment.source.layout
        assert layout is not None
        maps = layout.by_filter(source)[:1]
        whole, falls = rest(_as_returned(maps.expand(2, *maps.shape[1:]), layout))[0, number], []
        for first in range(0, len(codes), MOST_VARIANTS):
            some = codes[first : first + MOST_VARIANTS]
            directions = self._encoder.W_dec[first : first + MOST_VARIANTS]
            parts = torch.einsum("kp,kc->kcp", some, directions).view(len(some), *maps.shape[1:])
            falls.append(whole - rest(_as_returned(maps - parts, layout))[: len(some), number])
        return torch.cat(falls)

    @contextmanager
    def _rest(self) -> Iterator[RestOfNetwork]:
        rest = RestOfNetwork(self._segment)
        try:
            yield rest
        finally:
            rest.close()


class RestOfNetwork:
    """The network from a layer on: from what the layer is to hand out to the values of the target, (N, filters)."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._given: Tensor | None = None
        self._kept: Tensor | None = None
        self._calls = 0
        network = segment.model.network
        modules = dict(network.named_modules())
        source, target = (module_and_key(layer.name, modules) for layer in (segment.source, segment.target))
        self._key = target[1]
        self._handles = [
            modules[source[0]].register_forward_hook(self._replace),
            modules[target[0]].register_forward_hook(self._keep),
        ]

    def __call__(self, outputs: Tensor) -> Tensor:
        """What comes of ``outputs``, in the shape in which the layer returns them; a single one should have a twin."""
        self._given, self._kept, self._calls = outputs, None, 0
        model = self._segment.model
        model.network(model.noise().to(outputs.device))
        self._given = None
        return self._segment.target_maps(self._taken()).flatten(2).mean(2)

    def _taken(self) -> Tensor:
        """What the target has handed out in the last pass."""
        assert self._kept is not None  # the way to it goes through the layer
        return self._kept

    def _replace(self, _module: nn.Module, _inputs: Any, _output: Any) -> Any:
        self._calls += 1
        if self._given is None or self._calls != self._segment.source.calls:
            return None
        return self._given.clone()  # which the network may overwrite

    def _keep(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if self._given is not None:
            self._kept = tensor_at(output, self._key)

    def close(self) -> None:
        """Take the hooks off the network."""
        for handle in self._handles:
            handle.remove()


def _as_returned(maps: Tensor, layout: Layout) -> Tensor:
    """Maps (N, filters, ...) in the shape in which a layer returns them."""
    return maps.movedim((0, 1), (layout.batch_axis, layout.channel_axis)).contiguous()
