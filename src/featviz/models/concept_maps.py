"""Feature maps of concepts: what layers return, encoded by the dictionaries of those that have some."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.models.layers import OF_FILE, Layer
from featviz.shapes import Shape


class Encoders(nn.Module):
    """The encoders of those of the layers that are concepts of others.

    Called with a layer and what the network's own one returns, and with the shape of the network's input.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        super().__init__()
        dictionaries = {layer.name: layer.dictionary for layer in layers if layer.dictionary}
        self._places = {name: place for place, name in enumerate(dictionaries)}
        self._encoders = nn.ModuleList(dictionary.encoder() for dictionary in dictionaries.values())
        self.eval()

    def check_links(self) -> None:
        """Raise FeatvizError where there are concepts: gradients from layer to layer are those of the network's own."""
        if self._places:
            name, what = next(iter(self._places)), "gradients from layer to layer are followed in the network alone"
            expected = f"a layer of its own, such as {name.partition(OF_FILE)[0]}"
            raise FeatvizError(f"{what}, and '{name}' is concepts", setting="layer", got=name, expected=expected)

    @override
    def forward(self, layer: Layer, output: Tensor, shape: Shape) -> Tensor:
        # of a layer without a dictionary, what it returns itself
        if layer.name not in self._places:
            return output
        assert layer.base.layout is not None
        maps = layer.base.layout.feature_maps(output, shape).contiguous()
        positions = maps.flatten(2)[..., None]
        encoder = self._encoders[self._places[layer.name]]
        # A map alone is computed by other kernels than several, as pictures are: see Backbone.
        codes: Tensor = encoder(torch.cat([positions, positions]) if len(maps) == 1 else positions)
        return codes[: len(maps)].view(len(maps), -1, *maps.shape[2:])
