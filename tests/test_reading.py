"""What strangers may have written is refused before it takes memory, and a table's paths stay in its folder."""

import io
import os
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from refusals import assert_refused, refusal_of

from featviz.errors import FeatvizError, printable
from featviz.reading import (
    check_archive,
    check_input,
    check_photo_exists,
    check_relative,
    expanded,
    inside,
    opened_png,
    read_archived_array,
    read_array,
    read_yaml,
)


@pytest.mark.parametrize("name", ["../x.png", "/etc/passwd", "a/../../x.png", "link/passwd", "..\\x.png", "a\0b"])
def test_what_lies_outside_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/link").symlink_to("/etc")
    assert_refused(lambda: inside(tmp_path / "run", name), "", name, "")


def test_what_lies_inside_is_its_path(tmp_path: Path) -> None:
    assert inside(tmp_path, "images/0.png") == tmp_path / "images/0.png"
    assert check_relative("images/0.png", ".png") == "images/0.png"


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "config.yaml", "a/../x.png", "..\\x.png"])
def test_names_of_tables(name: str) -> None:
    with pytest.raises(ValueError, match=r"no \.png file in its folder"):
        check_relative(name, ".png")


def header(width: int, height: int) -> bytes:
    """A PNG that says that it is so large."""
    chunk = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")


def eps(_: Path) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (4, 4)).save(content, "EPS")
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [header(1, 50_000_000), header(50_000_000, 1), header(20_000, 20_000), b"", b"\x89PNG\r\n\x1a\n", eps(Path())],
    ids=["tall", "wide", "large", "empty", "cut", "eps"],
)
def test_pictures_that_are_none_of_ours(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(OSError), opened_png(path):  # noqa: PT011
        pass


def claims(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(16)


@pytest.mark.parametrize(
    "content",
    [claims("(1000000000000,)"), claims("(3,)"), claims("(2,)", "|O"), b"", b"\x93NUMPY\x09\x00", claims("(-2,)")],
    ids=["10^12", "more", "objects", "empty", "version", "negative"],
)
def test_arrays_that_claim_more_than_they_hold(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011
        read_array(path)


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.float32([])])
def test_arrays_come_back(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    np.savez_compressed(tmp_path / "x.npz", magnitude=array, other=array + 1)
    assert np.array_equal(read_array(tmp_path / "x.npy"), array)
    assert np.array_equal(read_archived_array(tmp_path / "x.npz", "magnitude"), array)


def test_archives_that_unpack_to_far_more(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(2**24))
    with pytest.raises(ValueError, match="unpack"):
        check_archive(path)
    torch.save(torch.zeros(2**20), path)
    check_archive(path)


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    return "\n".join([*lines, *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))])


@pytest.mark.parametrize("text", [bomb(), "[" * 3000, "a: [", "a: 2024-99-99", "- " * 400 + "x"])
def test_configurations_that_are_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(FeatvizError) as refused:
        read_yaml(path)
    assert refused.value.got == str(path)
    assert not isinstance(refused.value.__cause__, FeatvizError)  # what cannot be read is not said twice


def test_a_configuration_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"a: \xff")
    assert_refused(lambda: read_yaml(path), "", str(path), "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x\x1b]0;OWNED\x07\x1b[31m.png", r"x\x1b]0;OWNED\x07\x1b[31m.png"),
        ("nl\nfeatviz: all fine.png", r"nl\x0afeatviz: all fine.png"),
        (os.fsdecode(b"caf\xe9.jpg"), r"caf\xe9.jpg"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("é ü 鷹 🦅.jpg", "é ü 鷹 🦅.jpg"),
    ],
)
@pytest.mark.parametrize("say", [printable, lambda text: str(FeatvizError(text))], ids=["printable", "errors"])
def test_terminals_do_not_obey_names(say: Callable[[str], str], text: str, shown: str) -> None:
    assert say(text) == shown


@pytest.mark.parametrize("read", [read_array, lambda path: opened_png(path).__enter__()], ids=["array", "picture"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "0000.png"
    os.mkfifo(path)
    with pytest.raises(OSError, match="is no plain file"):
        read(path)


@pytest.mark.parametrize("name", ["~no_such_user/a.png", "~no_such_user", "a~"])
def test_a_user_who_is_not_there_is_a_name(name: str) -> None:
    assert expanded(name) == Path(name)


def test_a_link_to_nowhere_and_a_pipe_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "link.npy").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.npy")
    for name in ("link.npy", "pipe.npy"):
        error = refusal_of(partial(check_input, "image.spectrum", tmp_path / name, (".npy",)))
        assert (error.setting, error.got) == ("image.spectrum", name)
        assert name not in error.nearest
    error = refusal_of(lambda: check_photo_exists(tmp_path / "link.npy"))
    assert "link.npy" not in error.nearest
