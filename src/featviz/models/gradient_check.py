"""Whether a gradient comes from a network's layers to its pictures."""

from __future__ import annotations

import logging

import torch

from featviz.errors import FeatvizError, one_line
from featviz.models.backbone import Backbone
from featviz.models.memory import memory_is_full
from featviz.shapes import Size

log = logging.getLogger(__name__)


def check_gradient(backbone: Backbone, size: Size) -> None:
    """Raise FeatvizError where no gradient comes from a layer to pictures of ``size`` px; say where it is zero."""
    for name in backbone.layers:
        pictures, reason = backbone.model.noise(size).to(backbone.mean.device).requires_grad_(), ""
        try:
            with torch.enable_grad():
                maps = backbone(pictures)[name]
                # what is normalized always has the same sum
                weights = torch.rand(maps.shape, generator=torch.Generator().manual_seed(1))
                (maps * weights.to(maps)).sum().backward()
        except RuntimeError as error:
            if memory_is_full(error):
                return  # which is told where pictures are made
            reason = f" ({one_line(error, 120)})"
        if pictures.grad is None:
            raise FeatvizError(
                f"no gradient comes from layer '{name}' of {backbone.model.name} to the picture{reason}: the network "
                "detaches or rounds what it computes there, or does not use the picture",
                setting="layer",
                got=name,
                expected="a layer before that",
            )
        if not pictures.grad.any():
            reason = "the gradient is zero in a picture of noise: the network rounds, or all is silent"
            log.warning("layer '%s' of %s: %s", name, backbone.model.name, reason)
