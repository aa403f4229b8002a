"""Mean, std and size of the pictures that a network of a library was trained on, read off the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from featviz.shapes import Shape, Size

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEFAULT_SIZE = 224
_INCEPTION_SIZE = 299  # Szegedy et al. 2016, arXiv 1512.00567

_KINETICS = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
#: Mean, std and size of the films that torchvision's networks were trained on, by their class.
_FILMS: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[int, int, int]]] = {
    "VideoResNet": (*_KINETICS, (16, 112, 112)),
    "S3D": (*_KINETICS, (16, 224, 224)),
    "MViT": ((0.45,) * 3, (0.225,) * 3, (16, 224, 224)),
    "SwinTransformer3d": (IMAGENET_MEAN, IMAGENET_STD, (16, 224, 224)),
}


@dataclass(frozen=True)
class Preprocessing:
    """For pictures in [0, 1]: minus ``mean``, over ``std``, a number for each channel or one for all.

    ``size`` is that of the pictures in px, where the network says it.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    size: Size | None = None

    def for_pixels(self, channel_order: str, scale: float) -> Preprocessing:
        """The same for pictures in another order, up to ``scale``; what takes them as they are, does so still."""
        if (self.mean, self.std) == ((0.0,), (1.0,)):
            return self
        step = -1 if channel_order == "bgr" else 1
        mean, std = (tuple(scale * value for value in values[::step]) for values in (self.mean, self.std))
        return replace(self, mean=mean, std=std)


def preprocessing_of(network: nn.Module, channels: int) -> Preprocessing:
    """What a network says of itself.

    timm's networks have a ``pretrained_cfg``; torchvision's take ImageNet's mean and std, but for its detectors, which
    normalize their pictures themselves, and for those whose ``transform_input`` would do it, but is off. Any other
    network takes pictures in [0, 1] as they are.
    """
    size = _fixed_size(network)
    if cfg := getattr(network, "pretrained_cfg", None):
        mean, std, default = of_timm(cfg, channels)
        return Preprocessing(mean, std, size or default)
    if not type(network).__module__.startswith("torchvision.models."):
        return Preprocessing(size=size)
    if film := _FILMS.get(type(network).__name__):
        return Preprocessing(*film)
    if hasattr(getattr(network, "transform", None), "image_mean"):
        return Preprocessing(size=size or DEFAULT_SIZE)
    if hasattr(network, "transform_input"):
        size = _INCEPTION_SIZE if type(network).__name__ == "Inception3" else DEFAULT_SIZE
        if not network.transform_input:
            return Preprocessing((0.5,), (0.5,), size)
    mean, std = (
        values if len(values) == channels else (sum(values) / len(values),) for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return Preprocessing(mean, std, size or DEFAULT_SIZE)


def of_timm(cfg: Mapping[str, Any], channels: int) -> tuple[tuple[float, ...], tuple[float, ...], Size]:
    """Mean, std and size of timm's ``pretrained_cfg``; averaged where the network takes other channels."""
    mean, std = (
        tuple(values) if len(values) == channels else (sum(values) / len(values),)
        for values in (cfg["mean"], cfg["std"])
    )
    return mean, std, Shape(cfg["input_size"][-2:]).size


def _fixed_size(network: nn.Module) -> Size | None:
    """The size that a network was built for, where it says so: torchvision's and timm's transformers do."""
    size = getattr(network, "image_size", None) or getattr(getattr(network, "patch_embed", None), "img_size", None)
    if isinstance(size, tuple | list) and len(size) == 2 and all(isinstance(side, int) for side in size):
        return Shape(size).size
    return size if isinstance(size, int) else None
