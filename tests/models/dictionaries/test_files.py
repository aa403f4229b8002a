"""Files of dictionaries: ours, those of other programs, and those that are damaged or made to harm."""

import json
import os
import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.dictionaries import Dictionary, Source, read_dictionary, write_dictionary

SOURCE = Source("Tiny", "0123456789abcdef", "second", "second", 5, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
NAMES = ("W_enc", "b_enc", "W_dec", "b_dec")


def weights(channels: int = 5, concepts: int = 3) -> dict[str, Tensor]:
    torch.manual_seed(0)
    shapes = ((channels, concepts), (concepts,), (concepts, channels), (channels,))
    return {name: torch.randn(shape) for name, shape in zip(NAMES, shapes, strict=True)}


def dictionary(**changed: Any) -> Dictionary:
    return Dictionary(**{"method": "nmf", **weights(), "activation": "topk", "k": 2, "source": SOURCE, **changed})


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_dictionary_is_read_as_it_was_written(tmp_path: Path) -> None:
    ours = dictionary()
    read = read_dictionary(written(tmp_path / "a b=c@d" / "x.safetensors", write_dictionary(ours)))
    assert all(torch.equal(getattr(ours, name), getattr(read, name)) for name in NAMES)
    assert (read.method, read.activation, read.k, read.source) == ("nmf", "topk", 2, SOURCE)
    assert read.label == ours.label != dictionary(k=1).label


@pytest.mark.parametrize("turned", [(), ("W_enc",), ("W_dec",), ("W_enc", "W_dec")])
def test_an_autoencoder_of_others_is_read(turned: tuple[str, ...], tmp_path: Path) -> None:
    own = weights()
    saved = {name: each.T.contiguous() if name in turned else each for name, each in own.items()}
    save_file(saved, tmp_path / "sae.safetensors")
    read = read_dictionary(tmp_path / "sae.safetensors")
    assert all(torch.equal(getattr(read, name), own[name]) for name in NAMES)
    assert (read.activation, read.source) == ("relu", None)
    assert read_dictionary(tmp_path / "sae.safetensors", k=2).activation == "topk"


def without(name: str) -> Callable[[Path], object]:
    return lambda path: save_file({key: each for key, each in weights().items() if key != name}, path)


def with_(**changed: Tensor) -> Callable[[Path], object]:
    return lambda path: save_file({**weights(), **changed}, path)


def metadata(**changed: str) -> Callable[[Path], object]:
    known = {"format": "featviz dictionary 1", "method": "nmf", "activation": "relu", "k": "0"}
    known["source"] = json.dumps(vars(SOURCE))
    return lambda path: save_file(weights(), path, {**known, **changed})


def cut(path: Path) -> None:
    path.write_bytes(write_dictionary(dictionary())[:-7])


def promises_more(path: Path) -> None:
    """A header of a tensor that would take a terabyte."""
    header = json.dumps({"W_dec": {"dtype": "F32", "shape": [2**20, 2**18], "data_offsets": [0, 2**40]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


DAMAGED: dict[str, Callable[[Path], object]] = {
    "there is no W_dec in it": without("W_dec"),
    "W_enc has the shape [4, 3]": with_(W_enc=torch.zeros(4, 3)),
    "W_dec has the shape [3]": with_(W_dec=torch.zeros(3)),
    "not finite": with_(b_dec=torch.full((5,), torch.nan)),
    "b_enc holds torch.int64": with_(b_enc=torch.zeros(3, dtype=torch.int64)),
    "W_enc is empty": with_(W_enc=torch.zeros(0, 3)),
    "it also holds threshold": with_(threshold=torch.zeros(3)),
    "unknown activation 'gelu'": metadata(activation="gelu"),
    "k of a dictionary of 3 concepts is 9": metadata(activation="topk", k="9"),
    "unknown method 'rm -rf'": metadata(method="rm -rf"),
    "is damaged": cut,
    "is damaged, or holds": promises_more,
    "holds no dictionary of concepts": lambda path: path.write_bytes(b""),
    "damaged, or": metadata(source="[" * 100_000),
    "or holds no": metadata(source="{}"),
    "holds no": metadata(k="many"),
    "no plain file": os.mkfifo,
}


@pytest.mark.parametrize("reason", DAMAGED)
def test_a_damaged_file_is_refused_in_one_line(reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    DAMAGED[reason](path)
    with pytest.raises(FeatvizError) as refused:
        read_dictionary(path)
    assert reason in str(refused.value)
    assert str(path) in str(refused.value)


class Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harmed",)


@pytest.mark.parametrize("content", [Harm(), {"dictionary._weights": Harm()}, torch.nn.Linear(2, 2)])
def test_nothing_in_a_file_is_run(content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, "saved.pt")
    Path("pickled.pt").write_bytes(pickle.dumps(content))
    for name in ("saved.pt", "pickled.pt"):
        with pytest.raises(FeatvizError, match="more than weights"):
            read_dictionary(name)
    assert not Path("harmed").exists()


def test_a_file_that_is_not_there_is_told_with_its_neighbors(tmp_path: Path) -> None:
    written(tmp_path / "layer3_nmf.safetensors", write_dictionary(dictionary()))
    with pytest.raises(FeatvizError) as refused:
        read_dictionary(tmp_path / "layer3_nfm.safetensors")
    assert refused.value.nearest == ("layer3_nmf.safetensors",)
    for other in (tmp_path, written(tmp_path / "notes.txt", b"")):
        with pytest.raises(FeatvizError):
            read_dictionary(other)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"module": "first"}, "another layer: second, not first"),
        (
            {"network": "f" * 16, "model": "Other"},
            "another network: Tiny with the checksum 0123456789abcdef, not Other",
        ),
        ({"channels": 6}, "are of 5 filters, and second has 6"),
        ({"std": (0.2, 0.2, 0.3)}, "other preprocessing"),
        ({"mean": (0.5,)}, "other preprocessing"),
    ],
)
def test_a_dictionary_of_something_else_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(FeatvizError) as refused:
        dictionary().check_source(replace(SOURCE, **changed), "x.safetensors")
    assert words in str(refused.value)
    dictionary().check_source(SOURCE, "x.safetensors")


def test_a_file_that_says_nothing_of_its_layer_is_taken_for_any_of_its_width() -> None:
    dictionary(source=None).check_source(replace(SOURCE, module="first"), "x.safetensors")
    with pytest.raises(FeatvizError):
        dictionary(source=None).check_source(replace(SOURCE, channels=6), "x.safetensors")
