"""What model.target may name: networks, their classes and functions that return them, and nothing else is called."""

import functools
from pathlib import Path

import pytest
import tiny_networks
from refusals import refusal_of
from torch import nn

from featviz.models.sources.import_path import build, resolve


@pytest.mark.parametrize(
    ("target", "kwargs"),
    [
        ("subprocess.check_output", {"args": ["touch", "CALLED"]}),
        ("sys.exit", {}),
        ("os.system", {"command": "touch CALLED"}),
        ("os.getcwd", {}),
        ("subprocess.Popen", {"args": ["touch", "CALLED"]}),
        ("builtins.exec", {}),
        ("builtins.print", {}),
        ("pathlib.Path.touch", {}),
        ("functools.partial", {}),
        ("torch.Tensor", {}),
        ("shutil.rmtree", {"path": "kept"}),
    ],
)
def test_what_cannot_be_meant_is_not_called(
    target: str, kwargs: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept").mkdir()
    error = refusal_of(lambda: build(target, resolve(target), kwargs))
    assert (error.setting, error.got) == ("model.target", target)
    assert error.expected.startswith("a torch.nn.Module, its class, or a function")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_partial_of_it_is_not_called_either() -> None:
    error = refusal_of(lambda: build("mine.thing", functools.partial(exec, "1 / 0"), {}))
    assert (error.got, error.__cause__) == ("mine.thing", None)


@pytest.mark.parametrize("target", [tiny_networks.Tiny, tiny_networks.Tiny(), functools.partial(tiny_networks.Tiny, 1)])
def test_networks_classes_and_factories(target: object) -> None:
    assert isinstance(build("mine", target, {}), nn.Module)
    assert isinstance(build("mine", lambda: tiny_networks.Tiny(), {}), nn.Module)


def test_a_file_with_the_name_of_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "this.py").write_text("from torch import nn\ndef net(): return nn.Conv2d(3, 2, 1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(build("this.net", resolve("this.net"), {}), nn.Conv2d)


def test_a_network_that_ends_the_program_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaves.py").write_text("import sys\ndef net(): sys.exit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    error = refusal_of(lambda: build("leaves.net", resolve("leaves.net"), {}))
    assert (error.setting, error.got, type(error.__cause__)) == ("model.target", "leaves.net", SystemExit)


def one(depth: int, *, width: int, bias: bool = True) -> nn.Module:
    return nn.Conv2d(depth, width, 1, bias=bias)


class Deep(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth + 1


@pytest.mark.parametrize(
    ("target", "kwargs", "setting", "got", "nearest"),
    [
        (one, {}, "model.kwargs.depth", ["depth", "width"], ()),
        (one, {"depth": 3}, "model.kwargs.width", ["width"], ()),
        (Deep, {}, "model.kwargs.depth", ["depth"], ()),
        (Deep, {"depth": 3, "widht": 1}, "model.kwargs.widht", "widht", ("depth",)),
        (one, {"depth": 3, "width": 2, "bas": True}, "model.kwargs.bas", "bas", ("bias",)),
        (Deep, {"depth": "3"}, "model.target", "mine", ()),
    ],
)
def test_arguments_are_named(
    target: object, kwargs: dict[str, object], setting: str, got: object, nearest: tuple[str, ...]
) -> None:
    error = refusal_of(lambda: build("mine", target, kwargs))
    assert (error.setting, error.got, error.nearest) == (setting, got, nearest)
