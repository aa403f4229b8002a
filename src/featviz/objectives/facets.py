"""A filter, and what speaks for one of the themes that it answers to: faceted feature visualization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.models.backbone import raw_key
from featviz.models.layers import Layer
from featviz.objectives.base import per_picture
from featviz.objectives.filters import Channel, OfFilters
from featviz.objectives.vectors import Vectors, check_length, check_vectors, read_vectors
from featviz.shapes import Shape

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone

SHARE = 5.0  # of all facets together (openai/CLIP-featurevis)


@dataclass(eq=False)
class Facets(OfFilters):
    """The mean of a filter, plus what earlier layers contribute to it in the direction of a facet (Goh et al. 2021).

    distill.pub/2021/multimodal-neurons, openai/CLIP-featurevis: at each of L layers the sum over channels and positions
    of ``weight * a * relu(d mean / d a)``, a being the feature map and the gradient taken as a number, times 5 / L and
    the picture's strength. ``facets`` {layer: weights} holds a number for each channel, or a file of them (see
    ``read_vectors``), of a linear probe that tells the theme from other photos. The pictures (variants) of a filter get
    strengths from ``strength`` [low, high], evenly; one alone gets the highest. Tables show the mean of the filter.
    """

    layer: str
    filters: Sequence[int]
    facets: Mapping[str, Vectors]
    strength: Sequence[float] = (0.1, 5.0)
    _weights: dict[str, Tensor] = field(init=False, repr=False)
    _layers: dict[str, Layer] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Read the weights."""
        if not isinstance(self.facets, Mapping) or not self.facets:
            expected = "weights of channels for each layer, '{layer3: weights.npy}'"
            raise FeatvizError(setting="objective.facets", got=self.facets, expected=expected)
        ends = list(self.strength) if isinstance(self.strength, list | tuple) else []
        if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
            raise FeatvizError(setting="objective.strength", got=self.strength, expected="two numbers, [0.1,5.0]")
        for vectors in self.facets.values():
            check_vectors(vectors)
        self._weights = {name: read_vectors(vectors)[0] for name, vectors in self.facets.items()}
        self._channel = Channel(self.layer, self.filters)

    @property
    @override
    def uses_variants(self) -> bool:
        return True

    @property
    @override
    def needs_links(self) -> bool:
        return True

    @property
    @override
    def subject(self) -> Channel:
        return self._channel

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.layer, *self._weights)))

    @override
    def prepare(self, backbone: Backbone) -> None:
        self._channel.prepare(backbone)
        self._layers = dict(backbone.layers)
        for name, weights in self._weights.items():
            check_length(weights[None], name, backbone.layers[name].channels or 0)
            here, last = (backbone.trace.finished[backbone.layers[each].name] for each in (name, self.layer))
            if here >= last:
                what = f"objective.facets: layer '{name}' does not come before '{self.layer}'"
                raise FeatvizError(what, setting="objective.facets", got=name, expected="an earlier layer")

    @override
    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.activation(maps)

    @override
    def completed(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        raw = {name: maps[raw_key(name)] for name in self.layers}
        means = self._means(raw[self.layer])
        gradients = torch.autograd.grad(
            means.sum(), [raw[name] for name in self._weights], retain_graph=True, allow_unused=True
        )
        found = {}
        for (name, weights), gradient in zip(self._weights.items(), gradients, strict=True):
            if gradient is None:
                raise FeatvizError(f"no gradient leads from {self.layer} to layer '{name}'", setting="objective.facets")
            channels = self._in_channels(name, raw[name] * gradient.clamp_min(0))
            found[_key(name)] = (channels @ weights.to(channels))[: len(maps[name])]
        return maps | found

    def _means(self, raw: Tensor) -> Tensor:
        """The mean of each picture's filter, of what the layer returns for all copies, and twins of a picture alone."""
        layout = self._layers[self.layer].layout
        assert layout is not None  # Trace.resolve refuses a layer without one
        each = layout.feature_maps(raw, SQUARE)
        numbers = torch.as_tensor(list(self.filters), device=raw.device).repeat(-(-len(each) // len(self.filters)))
        return each[torch.arange(len(each), device=raw.device), numbers[: len(each)]].float().mean((1, 2))

    def _in_channels(self, name: str, values: Tensor) -> Tensor:
        """The sums over positions, (N, channels)."""
        layout = self._layers[name].layout
        assert layout is not None
        return layout.feature_maps(values, SQUARE).float().sum((2, 3))

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        missing = [name for name in self._weights if _key(name) not in maps]
        if missing:
            raise FeatvizError("facets need maps that are completed: call completed(maps) first")
        facets = torch.stack([maps[_key(name)] for name in self._weights]).sum(0)
        strengths = per_picture(self._strengths(), facets)
        return self._channel(maps) + strengths * SHARE / len(self._weights) * facets

    def _strengths(self) -> list[float]:
        """That of each picture."""
        low, high = self.strength
        strengths = []
        for at, number in enumerate(self.filters):
            before, count = list(self.filters[:at]).count(number), list(self.filters).count(number)
            strengths.append(low + (high - low) * before / (count - 1) if count > 1 else float(high))
        return strengths

    @override
    def __str__(self) -> str:
        return f"facets({self.layer})"


SQUARE = Shape((1, 1))  # proportions of the picture, which do not matter where positions are summed


def _key(layer: str) -> str:
    return f"facet at {layer}"
