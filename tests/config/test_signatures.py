"""Arguments read from source are those of the objects: of each ``_target_`` of ours, and in all ways to write them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hydra.utils import get_object

from featviz.config.compose import config_dir
from featviz.config.kinds import WORDS, arguments_of
from featviz.config.signatures import Arguments, read_arguments

TARGETS = sorted({
    target for file in config_dir().rglob("*.yaml") for target in re.findall(r"_target_: ([\w.]+)", file.read_text())
})  # fmt: skip


def plain(arguments: Arguments) -> dict[str, set[type]]:
    """The types of a configuration's values, but where null is the only one: objects are no values."""
    kinds = {name: set(kinds) & set(WORDS) for name, kinds in arguments.kinds.items()}
    return {name: kind if kind != {type(None)} else set() for name, kind in kinds.items()}


@pytest.mark.parametrize("target", TARGETS)
def test_arguments_of_ours(target: str) -> None:
    read, real = read_arguments(target), arguments_of(get_object(target))
    assert read
    assert list(read.kinds) == list(real.kinds)
    assert read.takes_any == real.takes_any
    for name, kinds in plain(real).items():
        assert plain(read)[name] == kinds, name


SOURCE = """
import enum
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union
from collections.abc import Mapping, Sequence
from shapes.base import Base as Renamed
Named = Mapping[str, int]
if True:
    from .base import Below


class Own(Renamed):
    pass


class Other(Renamed):
    def __init__(self, size: "int | None", *, rate: Union[int, float] = 1, any: Any = 0, **others: int) -> None: ...


@dataclass(frozen=True)
class Fields(Below):
    name: Optional[str] = None
    both: Sequence[int] | int = 1
    named: Named | None = None
    one: Literal["a"] | str = "a"


def function(first, shape: Renamed | int, colors: Renamed | None = None, both: bool | str = "x"): ...


class Color(enum.Enum):
    RED = 1
"""
BASE = """
from dataclasses import dataclass


class Base:
    def __init__(self, width: int, height: float | None = None) -> None: ...


@dataclass
class Below:
    weight: float
"""
WRITTEN = {
    "Own": {"width": {int}, "height": {float, type(None)}},
    "Other": {"size": {int, type(None)}, "rate": {int, float}, "any": set()},
    "Fields": {
        "weight": {float},
        "name": {str, type(None)},
        "both": {Sequence, int},
        "named": {Mapping, type(None)},
        "one": set(),
    },
    "function": {"first": set(), "shape": {int}, "colors": set(), "both": {bool, str}},
}


@pytest.mark.parametrize("name", WRITTEN)
def test_arguments_of_other_ways_to_write_them(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, text in (("__init__", ""), ("own", SOURCE), ("base", BASE)):
        (tmp_path / "shapes").mkdir(exist_ok=True)
        (tmp_path / "shapes" / f"{file}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    read = read_arguments(f"shapes.own.{name}")
    assert read
    assert plain(read) == WRITTEN[name]
    assert read.takes_any == (name == "Other")


@pytest.mark.parametrize(
    "target", ["os.getcwd", "nowhere.Thing", "featviz.optim.Nothing", "", "x", "math.sqrt", "a..b"]
)
def test_what_cannot_be_read(target: str) -> None:
    assert read_arguments(target) is None
