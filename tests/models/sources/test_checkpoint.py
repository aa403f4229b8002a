import argparse
import collections
import datetime
import functools
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.sources.checkpoint import load_into, read_state_dict


def network(wide: int = 3) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, wide, 3), nn.BatchNorm2d(wide))


@pytest.fixture
def state() -> dict[str, Tensor]:
    with torch.random.fork_rng():
        return network().state_dict()


def refused(words: str, path: Path) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        read_state_dict(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def misfit(words: str, path: Path) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        load_into(network(), path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin", ".pth.tar", ".safetensors"])
def test_every_kind_of_file(tmp_path: Path, state: dict[str, Tensor], suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    read = read_state_dict(path)
    assert {name: tensor.tolist() for name, tensor in read.items()} == {k: v.tolist() for k, v in state.items()}


@pytest.mark.parametrize("word", ["state_dict", "model", "model_state_dict"])
def test_a_state_dict_under_a_word(tmp_path: Path, state: dict[str, Tensor], word: str) -> None:
    lightning = {
        word: state,
        "epoch": 3,
        "hyper_parameters": {"lr": 0.1, "name": "mine"},
        "optimizer_states": [],
    }
    torch.save(lightning, tmp_path / "last.ckpt")
    assert list(read_state_dict(tmp_path / "last.ckpt")) == list(state)


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "model.", "net.", "network.", "backbone.", "_orig_mod.", "model._orig_mod.module."],
)
def test_a_common_prefix_is_stripped(tmp_path: Path, state: dict[str, Tensor], prefix: str) -> None:
    torch.save({f"{prefix}{name}": tensor for name, tensor in state.items()}, tmp_path / "weights.pt")
    loaded = network()
    load_into(loaded, tmp_path / "weights.pt")
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.state_dict().items())


def test_a_prefix_that_is_the_networks_own_is_kept(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save({f"module.features.{name}": tensor for name, tensor in state.items()}, tmp_path / "weights.pt")
    wrapped = nn.ModuleDict({"features": network()})
    load_into(wrapped, tmp_path / "weights.pt")
    assert torch.equal(wrapped.state_dict()["features.0.weight"], state["0.weight"])


def test_versions_of_modules_survive_the_stripping(tmp_path: Path) -> None:
    class Versioned(nn.Linear):
        _version = 7

        def _load_from_state_dict(self, _state: object, _prefix: str, metadata: dict[str, int], *_: object) -> None:
            assert metadata["version"] == 7

    torch.save(nn.Sequential(nn.Sequential(Versioned(1, 1))).state_dict(), tmp_path / "weights.pt")
    load_into(nn.Sequential(Versioned(1, 1)), tmp_path / "weights.pt")


def test_what_does_not_fit_is_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save({**state, "2.weight": torch.zeros(1)}, tmp_path / "more.pt")
    misfit("more.pt does not fit Sequential: unexpected 2.weight$", tmp_path / "more.pt")
    torch.save({**state, "0.scale": torch.zeros(1)}, tmp_path / "inner.pt")
    misfit("inner.pt does not fit Sequential: unexpected 0.scale$", tmp_path / "inner.pt")
    torch.save({"0.weight": state["0.weight"]}, tmp_path / "less.pt")
    misfit("missing 0.bias, 1.weight, 1.bias and 2 more$", tmp_path / "less.pt")
    torch.save(network(wide=5).state_dict(), tmp_path / "wide.pt")
    misfit(r"0.weight expected \[3, 1, 3, 3\], found \[5, 1, 3, 3\], 0.bias .* and 3 more$", tmp_path / "wide.pt")
    torch.save({"a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "other.pt")
    misfit("missing 0.weight, .* and 3 more; unexpected a, b$", tmp_path / "other.pt")


def test_files_that_are_not_there_or_not_checkpoints(tmp_path: Path, state: dict[str, Tensor]) -> None:
    refused("there is no file .*nowhere.pt' [^;]*$", tmp_path / "nowhere.pt")
    torch.save(state, tmp_path / "best.ckpt")
    refused("there is no file .*; nearest: .*best.ckpt", tmp_path / "bset.ckpt")
    refused("there is no file 'givn' .*; nearest: given", Path("givn"))
    refused("is a folder, expected a file", tmp_path)
    (tmp_path / "weights.npz").touch()
    refused("must end in one of .pt, .pth", tmp_path / "weights.npz")
    for name in ("empty.pt", "empty.safetensors"):
        (tmp_path / name).touch()
        refused("is cut short or not", tmp_path / name)
    for name in ("words.ckpt", "words.safetensors"):
        (tmp_path / name).write_text("<html>You are not logged in</html>" * 9)
        refused("is cut short or not", tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pt")
    refused("holds no state dict.*: it holds a list", tmp_path / "list.pt")
    torch.save({"epoch": 3, "weights": [state]}, tmp_path / "odd.pt")
    refused("holds no state dict.*: its keys are epoch, weights", tmp_path / "odd.pt")
    torch.save({}, tmp_path / "nothing.pt")
    refused("holds no state dict", tmp_path / "nothing.pt")


@pytest.mark.parametrize("name", ["cut.pt", "legacy.pt", "cut.safetensors"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.99])
def test_files_that_were_cut_short(tmp_path: Path, state: dict[str, Tensor], name: str, part: float) -> None:
    path = tmp_path / name
    if name.endswith("safetensors"):
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=name != "legacy.pt")
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    refused("is cut short or not", path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "weights.pt")
    (tmp_path / "weights.pt").chmod(0)
    refused("cannot be read", tmp_path / "weights.pt")


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
    refused("is cut short or not a checkpoint", tmp_path / "evil.pt")
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
    with pytest.raises(FeatvizError, match=r"evil.pt (is cut short or not a checkpoint|holds no state dict)"):
        read_state_dict(tmp_path / "evil.pt")
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


def loads(path: Path, state: dict[str, Tensor], key: str | None = None, into: nn.Module | None = None) -> None:
    loaded = into or network()
    load_into(loaded, path, key)
    assert {name: tensor.tolist() for name, tensor in loaded.state_dict().items()} == {
        name: tensor.tolist() for name, tensor in state.items()
    }


def prefixed(prefix: str, state: Mapping[str, object]) -> dict[str, object]:
    return {f"{prefix}{name}": value for name, value in state.items()}


def other(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor + 1 for name, tensor in state.items()}


BESIDE: dict[str, Callable[[dict[str, Tensor]], dict[str, object]]] = {
    "a criterion's weight": lambda s: {"criterion.pos_weight": torch.ones(3), **prefixed("model.", s)},
    "a criterion's weight, last": lambda s: {"state_dict": {**prefixed("net.", s), "loss.weight": torch.ones(3)}},
    "torch's own average": lambda s: {"n_averaged": torch.tensor(3), **prefixed("module.", s)},
    "an average beside": lambda s: {**prefixed("model.", s), **prefixed("ema_model.module.", other(s))},
    "an average before": lambda s: {**prefixed("ema.", other(s)), **prefixed("model.", s)},
    "an average under its own key": lambda s: {"state_dict_ema": other(s), "state_dict": s, "epoch": 3},
    "an average of the same numbers": lambda s: {"teacher": dict(s), "student": dict(s)},
    "an odd key": lambda s: {"epoch": 3, "weights": s},
    "one network only": lambda s: {"student": prefixed("module.", s), "head": {"weight": torch.ones(3)}},
    "a compiled part": lambda s: prefixed("model._orig_mod.", s),
    "compiled inside": lambda s: {name.replace("0.", "0._orig_mod."): value for name, value in s.items()},
    "parts in DataParallel": lambda s: {name.replace(".", ".module."): value for name, value in s.items()},
    "extra state": lambda s: {"state_dict": {**s, "1._extra_state": b"x", "_extra_state": {"scale": 1.0}}},
    "a head": lambda s: {**s, "head.weight": torch.ones(9, 3), "head.bias": torch.ones(9)},
    "a profiler's counters": lambda s: {**s, "total_ops": torch.zeros(1), "0.total_params": torch.zeros(1)},
    "no counters of batches": lambda s: {name: value for name, value in s.items() if "num_batches" not in name},
    "half": lambda s: {name: value.half() for name, value in s.items()},
    "bfloat16": lambda s: {name: value.bfloat16() for name, value in s.items()},
    "double": lambda s: {name: value.double() for name, value in s.items()},
}


@pytest.mark.parametrize("case", BESIDE)
def test_a_network_takes_what_it_needs(tmp_path: Path, case: str) -> None:
    state = {name: torch.zeros_like(tensor) for name, tensor in network().state_dict().items()}
    torch.save(BESIDE[case](state), tmp_path / "weights.pt")
    loads(tmp_path / "weights.pt", state)


def test_what_is_left_aside_is_told(tmp_path: Path, state: dict[str, Tensor], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    torch.save({"n_averaged": torch.tensor(3), **prefixed("module.", state)}, tmp_path / "swa.pth")
    loads(tmp_path / "swa.pth", state)
    assert "swa.pth: left aside, the network has no place for it: n_averaged" in caplog.text
    caplog.clear()
    torch.save({**prefixed("model.", state), **prefixed("ema.", other(state))}, tmp_path / "ema.ckpt")
    loads(tmp_path / "ema.ckpt", state)
    assert "taken from model; model.weights_key=ema takes others that fit as well" in caplog.text
    caplog.clear()
    torch.save(state, tmp_path / "plain.pt")
    loads(tmp_path / "plain.pt", state)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "nest",
    [
        lambda a, b: {"teacher": a, "student": b, "epoch": 1},
        lambda a, b: {"state_dict": {**prefixed("teacher.", a), **prefixed("student.module.", b)}},
    ],
)
def test_of_several_networks_one_is_chosen(
    tmp_path: Path, state: dict[str, Tensor], nest: Callable[..., dict[str, object]]
) -> None:
    path = tmp_path / "dino.pth"
    torch.save(nest(state, other(state)), path)
    misfit(r"several networks that fit; choose one with model.weights_key=\S*teacher or .*key=\S*student$", path)
    loads(path, state, "teacher")
    loads(path, other(state), "student")
    with pytest.raises(FeatvizError, match=r"no weights for this network under 'techer'; nearest: .*teacher"):
        load_into(network(), path, "techer")


def test_the_weights_of_a_longer_network_are_refused(tmp_path: Path) -> None:
    """All names of resnet18 are in resnet34, with the same shapes."""
    torch.save(torchvision.models.resnet34().state_dict(), tmp_path / "resnet34.pt")
    with pytest.raises(FeatvizError, match=r"does not fit ResNet: unexpected layer1.2.conv1.weight"):
        load_into(torchvision.models.resnet18(), tmp_path / "resnet34.pt")
    headless = torchvision.models.resnet34()
    headless.fc = nn.Identity()
    load_into(headless, tmp_path / "resnet34.pt")


def test_files_that_are_programs_or_whole_networks(tmp_path: Path) -> None:
    net = network().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.trace(net, torch.rand(1, 1, 8, 8)), tmp_path / "ts.pt")
    refused("is a TorchScript archive, not a state dict: save its weights", tmp_path / "ts.pt")
    torch.export.save(torch.export.export(net, (torch.rand(1, 1, 8, 8),)), tmp_path / "net.pt2")
    refused("is a program of torch.export, not a state dict: save its weights", tmp_path / "net.pt2")
    torch.save(net, tmp_path / "whole.pt")
    refused(
        r"whole pickled network \(torch.nn.modules.container.Sequential\).*torch.save\(network.state_dict",
        tmp_path / "whole.pt",
    )
    torch.save({"model": net, "epoch": 3}, tmp_path / "yolo.pt")
    refused(r"holds a whole pickled network under 'model'", tmp_path / "yolo.pt")


def test_quantized_and_meta_files(tmp_path: Path, state: dict[str, Tensor]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.quantize_per_tensor(state["0.weight"], 0.1, 0, torch.qint8)
    torch.save({**state, "0.weight": quantized}, tmp_path / "q.pt")
    misfit("is of a quantized network", tmp_path / "q.pt")
    torch.save({name: tensor.to("meta") for name, tensor in state.items()}, tmp_path / "meta.pt")
    misfit("was saved from the meta device and holds no numbers", tmp_path / "meta.pt")


def test_an_archive_that_unpacks_to_far_more_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"")
        archive.writestr("bomb/data/0", bytes(10**7))
    refused(r"of 0.0 MB unpacks to 10 MB, and was not read", tmp_path / "bomb.pt")
