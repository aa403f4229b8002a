"""Checkpoints of a small network, read and refused."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.sources.checkpoint import load_into, read_state_dict


def network(wide: int = 3) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, wide, 3), nn.BatchNorm2d(wide))


def refused(words: str, path: Path) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        read_state_dict(path)
    assert (caught.value.setting, caught.value.got) == ("model.weights", str(path))
    assert "\n" not in str(caught.value)


def loads(path: Path, state: dict[str, Tensor], key: str | None = None, into: nn.Module | None = None) -> None:
    loaded = into or network()
    load_into(loaded, path, key)
    assert {name: tensor.tolist() for name, tensor in loaded.state_dict().items()} == {
        name: tensor.tolist() for name, tensor in state.items()
    }


def misfit(words: str, path: Path) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        load_into(network(), path)
    assert "\n" not in str(caught.value)


def prefixed(prefix: str, state: Mapping[str, object]) -> dict[str, object]:
    return {f"{prefix}{name}": value for name, value in state.items()}


def other(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor + 1 for name, tensor in state.items()}
