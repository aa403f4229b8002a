"""Checkpoints of a small network, read and refused."""

from collections.abc import Mapping
from pathlib import Path

from refusals import refusal_of
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.sources.checkpoint import load_into, read_state_dict


def network(wide: int = 3) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, wide, 3), nn.BatchNorm2d(wide))


def refused(path: Path) -> FeatvizError:
    """The error with which a file is refused when it is read."""
    error = refusal_of(lambda: read_state_dict(path))
    assert (error.setting, error.got) == ("model.weights", str(path))
    return error


def loads(path: Path, state: dict[str, Tensor], key: str | None = None, into: nn.Module | None = None) -> None:
    loaded = into or network()
    load_into(loaded, path, key)
    assert {name: tensor.tolist() for name, tensor in loaded.state_dict().items()} == {
        name: tensor.tolist() for name, tensor in state.items()
    }


def misfit(path: Path) -> FeatvizError:
    """The error with which the weights of a file are refused for the small network."""
    error = refusal_of(lambda: load_into(network(), path))
    assert (error.setting, error.got) == ("model.weights", str(path))
    return error


def prefixed(prefix: str, state: Mapping[str, object]) -> dict[str, object]:
    return {f"{prefix}{name}": value for name, value in state.items()}


def other(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor + 1 for name, tensor in state.items()}
