import argparse
import os
import pickle
from pathlib import Path

import pytest
import torch
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
    torch.save({**state, "head.weight": torch.zeros(1)}, tmp_path / "more.pt")
    misfit("more.pt does not fit Sequential: unexpected head.weight$", tmp_path / "more.pt")
    torch.save({"0.weight": state["0.weight"]}, tmp_path / "less.pt")
    misfit("missing 0.bias, 1.weight, 1.bias and 2 more$", tmp_path / "less.pt")
    torch.save(network(wide=5).state_dict(), tmp_path / "wide.pt")
    misfit(r"0.weight expected \[3, 1, 3, 3\], found \[5, 1, 3, 3\], 0.bias .* and 3 more$", tmp_path / "wide.pt")
    torch.save({"a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "other.pt")
    misfit("missing 0.weight, .* and 3 more; unexpected a, b$", tmp_path / "other.pt")


def test_files_that_are_not_there_or_not_checkpoints(tmp_path: Path, state: dict[str, Tensor]) -> None:
    refused("there is no file", tmp_path / "nowhere.pt")
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
    torch.save({"epoch": 3, "weights": state}, tmp_path / "odd.pt")
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


@pytest.mark.parametrize("how", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_checkpoint_that_would_run_code_does_not(tmp_path: Path, state: dict[str, Tensor], how: object) -> None:
    marker = tmp_path / "it_ran"
    how({"state_dict": state, "callback": RunsCode(str(marker))}, tmp_path / "evil.ckpt")
    refused("evil.ckpt (holds posix.mkdir, and such objects could run code: save|is cut)", tmp_path / "evil.ckpt")
    assert not marker.exists()


def test_other_objects_than_weights_are_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    lightning = {"state_dict": state, "hyper_parameters": argparse.Namespace(lr=0.1)}
    torch.save(lightning, tmp_path / "last.ckpt")
    refused("holds argparse.Namespace, .* save the weights alone with torch.save", tmp_path / "last.ckpt")
    torch.save(network(), tmp_path / "whole.pt")
    refused("holds torch.nn.modules.container.Sequential", tmp_path / "whole.pt")
