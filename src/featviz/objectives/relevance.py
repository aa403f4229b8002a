"""How much each position of a layer's feature maps matters to a unit: gradient times activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone, raw_key
from featviz.shapes import Shape

#: From feature maps, by layer, to one number for each picture, (N,).
Unit = Callable[[Mapping[str, Tensor]], Tensor]


@torch.enable_grad()
def maps_and_gradients(
    backbone: Backbone, pictures: Tensor, unit: Unit, layers: Sequence[str]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Feature maps of some layers, and the gradient of a unit by them, (N, filters, h, w) each.

    Args:
        backbone: one whose outputs are ``linked``, so that gradients lead from layer to layer.
        pictures: (N, C, H, W) in [0, 1], of the size that the network takes; what comes of one alone may have a twin.
        unit: what the gradient is of.
        layers: of the backbone, before the unit or at it.

    Raises:
        FeatvizError: the unit does not depend on a layer.
    """
    shape = Shape(pictures.shape[2:])
    returned = backbone.outputs(pictures.detach().requires_grad_())
    outputs = {layer: returned[raw_key(layer)] for layer in backbone.layers}

    def shaped(values: Tensor, layer: str) -> Tensor:
        layout = backbone.layers[layer].layout
        assert layout is not None  # Trace.resolve refuses a layer without one
        return layout.feature_maps(values, shape)

    scores = unit({layer: shaped(output, layer) for layer, output in outputs.items()})
    gradients = torch.autograd.grad(scores.sum(), [outputs[layer] for layer in layers], allow_unused=True)
    found = {}
    for layer, gradient in zip(layers, gradients, strict=True):
        if gradient is None:
            raise FeatvizError(f"no gradient leads from the unit to layer '{layer}'", setting="objective", got=layer)
        found[layer] = shaped(outputs[layer].detach(), layer).float(), shaped(gradient, layer).float()
    return found
