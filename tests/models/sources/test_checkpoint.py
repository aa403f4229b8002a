import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from checkpoints import loads, network, other, prefixed, refused
from refusals import refusal_of
from safetensors.torch import save_file
from torch import Tensor, nn

from featviz.models.sources.checkpoint import load_into, read_state_dict


@pytest.fixture
def state() -> dict[str, Tensor]:
    with torch.random.fork_rng():
        return network().state_dict()


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


def test_files_that_are_not_there_or_not_checkpoints(tmp_path: Path, state: dict[str, Tensor]) -> None:
    assert refused(tmp_path / "nowhere.pt").nearest == ()
    torch.save(state, tmp_path / "best.ckpt")
    assert refused(tmp_path / "bset.ckpt").nearest[0] == str(tmp_path / "best.ckpt")
    assert refused(Path("givn")).nearest == ("given",)
    assert refused(tmp_path).expected.startswith("a file ending in .pt, .pth")
    (tmp_path / "weights.npz").touch()
    assert refused(tmp_path / "weights.npz").expected.startswith("one of .pt, .pth")
    for name in ("empty.pt", "empty.safetensors"):
        (tmp_path / name).touch()
        assert refused(tmp_path / name).__cause__  # what the file's reader says
    for name in ("words.ckpt", "words.safetensors"):
        (tmp_path / name).write_text("<html>You are not logged in</html>" * 9)
        assert refused(tmp_path / name).__cause__
    torch.save([1, 2], tmp_path / "list.pt")
    assert refused(tmp_path / "list.pt").hint == "it holds a list"
    torch.save({"epoch": 3, "weights": [state]}, tmp_path / "odd.pt")
    assert refused(tmp_path / "odd.pt").hint == "its keys are epoch, weights"
    torch.save({}, tmp_path / "nothing.pt")
    assert refused(tmp_path / "nothing.pt").__cause__ is None  # it can be read


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
    assert refused(path).__cause__


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "weights.pt")
    (tmp_path / "weights.pt").chmod(0)
    assert isinstance(refused(tmp_path / "weights.pt").__cause__, PermissionError)


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
    error = refusal_of(lambda: load_into(network(), path))
    assert error.setting == "model.weights_key"
    assert [key.rpartition("=")[2].rpartition(".")[2] for key in error.hint.split(" or ")] == ["teacher", "student"]
    loads(path, state, "teacher")
    loads(path, other(state), "student")
    error = refusal_of(lambda: load_into(network(), path, "techer"))
    assert (error.setting, error.got) == ("model.weights_key", "techer")
    assert error.nearest[0].endswith("teacher")
