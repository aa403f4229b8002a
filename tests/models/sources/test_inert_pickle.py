"""Nothing that stands in a file is run."""

import argparse
import collections
import datetime
import functools
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import loads, network, refused
from omegaconf import OmegaConf
from torch import Tensor, nn

from featviz.models.sources.checkpoint import read_state_dict


@pytest.fixture
def state() -> dict[str, Tensor]:
    with torch.random.fork_rng():
        return network().state_dict()


class RunsCode:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}])
def test_nothing_of_a_file_is_run(tmp_path: Path, state: dict[str, Tensor], options: dict[str, Any]) -> None:
    marker = tmp_path / "it_ran"
    torch.save({"state_dict": state, "callback": RunsCode(str(marker))}, tmp_path / "evil.ckpt", **options)
    read = read_state_dict(tmp_path / "evil.ckpt")
    assert all(torch.equal(tensor, state[name]) for name, tensor in read.items())
    assert not marker.exists()


def test_a_bare_pickle_is_no_checkpoint_and_is_not_run(tmp_path: Path, state: dict[str, Tensor]) -> None:
    marker = tmp_path / "it_ran"
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"state_dict": state, "callback": RunsCode(str(marker))}))
    assert refused(tmp_path / "evil.pt").__cause__
    assert not marker.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nmkdir\n(V{}\ntR.",
        b"c__builtin__\neval\n(V__import__('os').mkdir('{}')\ntR.",
        b"cbuiltins\ngetattr\n(cos\nsystem\nV__call__\ntR(Vmkdir {}\ntR.",
        b"ctorch.storage\n_load_from_bytes\n(Vmkdir {}\ntR.",
        b"ctorch._tensor\n_rebuild_from_type_v2\n(cos\nmkdir\nNV{}\n\x85NtR.",
        b"(ios\nmkdir\nV{}\n.",
    ],
)
def test_no_program_of_a_pickle_is_run(tmp_path: Path, program: bytes) -> None:
    """Each would make a folder under ``pickle.load``."""
    marker = tmp_path / "it_ran"
    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
        archive.writestr("evil/data.pkl", b"\x80\x02" + program.replace(b"{}", str(marker).encode()))
        archive.writestr("evil/version", "3")
        archive.writestr("evil/byteorder", "little")
    refused(tmp_path / "evil.pt")
    assert not marker.exists()


class Callback:
    """With a state that only its own method could take."""

    class Inner:
        pass

    def __init__(self) -> None:
        self.inner = Callback.Inner()

    def __getstate__(self) -> tuple[object, ...]:
        return (1, self.inner)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        raise AssertionError("the file's own code ran")


class Keys(list[str]):
    pass


FOREIGN: dict[str, object] = {
    "omegaconf": OmegaConf.create({"size": [1, 2], "net": {"_target_": "nets.Small"}}),
    "list": OmegaConf.create([1, 2]),
    "partial": functools.partial(torch.optim.Adam, lr=0.1),
    "path": Path("data"),
    "namespace": argparse.Namespace(lr=0.1),
    "numpy": {"best": np.float64(0.5), "last": np.arange(3), "kind": np.dtype("float32")},
    "network": nn.Sequential(nn.Conv2d(1, 3, 3)),
    "parameter": nn.Parameter(torch.zeros(3)),
    "own": [Callback(), {Callback.Inner: 1}, Keys(["a"])],
    "time": [datetime.timedelta(1), datetime.datetime(2025, 1, 1)],
    "containers": [collections.deque([1]), collections.defaultdict(list, {"a": [1]}), {1, 2}, collections.Counter("a")],
    "functions": [os.getcwd, torch.optim.Adam, nn.ReLU, torch.float16, len],
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("protocol", [2, 4])
def test_hyperparameters_do_not_make_a_file_unreadable(
    tmp_path: Path, state: dict[str, Tensor], what: str, protocol: int
) -> None:
    content = {"hyper_parameters": {what: FOREIGN[what]}, "state_dict": state}
    torch.save(content, tmp_path / "last.ckpt", pickle_protocol=protocol)
    loads(tmp_path / "last.ckpt", state)
