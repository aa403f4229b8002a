"""Folders that strangers may have made: a run's, and a folder of photos, each with something in it that is no good."""

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

MARK = "PWN"  # a file that code from a folder would make


class Runs:
    """A pickle that makes a file when it is loaded."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        return os.mkdir, (MARK,)


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that claims these sides."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(*each) for each in chunks) + chunk(b"IEND", b"")


def sparse(path: Path, size: int = 6 * 2**30) -> None:
    """A file that is large, and takes no room."""
    with path.open("wb") as file:
        file.truncate(size)


def zip_bomb(path: Path) -> None:
    content = io.BytesIO()
    torch.save({"featviz": torch.zeros(3)}, content)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb, zipfile.ZipFile(content) as whole:
        for name in whole.namelist():
            bomb.writestr(name, whole.read(name))
        with bomb.open("archive/data/9", "w", force_zip64=True) as file:
            for _ in range(300):
                file.write(bytes(2**20))


def text_bomb() -> tuple[bytes, bytes]:
    """A chunk of a PNG: 256 MB of text in 256 kB."""
    packed = zlib.compressobj(9)
    return b"zTXt", b"x\0\0" + b"".join(packed.compress(bytes(2**20)) for _ in range(2**8)) + packed.flush()


def array(path: Path, count: int) -> None:
    """A .npy whose header claims so many numbers."""
    header = str({"descr": "<f4", "fortran_order": False, "shape": (count,)}).encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)


def replaced(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


PICTURE = "images/second/0000.png"
HOSTILE: dict[str, Callable[[Path], object]] = {
    "configuration that is a list": lambda f: (f / "config.yaml").write_text("[a, b]\nversion: 1"),
    "configuration of aliases": lambda f: (f / "config.yaml").write_text("version: 1\na: &a [x,x]\nb: [*a,*a,*a]"),
    "configuration nested deep": lambda f: (f / "config.yaml").write_text("version: 1\na: " + "[" * 3000),
    "configuration in no UTF-8": lambda f: (f / "config.yaml").write_bytes(b"version: 1\na: \xff\xfe"),
    "configuration of 6 GB": lambda f: sparse(f / "config.yaml"),
    "configuration that names code": lambda f: replaced(
        f / "config.yaml", "target: tiny_networks.Tiny", f"target: os.mkdir\n  path: {MARK}"
    ),
    "table that names a file outside": lambda f: replaced(f / "results.csv", PICTURE, "../.bashrc"),
    "table that names the root": lambda f: replaced(f / "results.csv", PICTURE, "/etc/x.png"),
    "tables of 6 GB": lambda f: [sparse(f / name) for name in ("results.csv", "exemplars.csv", "statistics.csv")],
    "pipes": lambda f: [fifo(f / name) for name in ("results.csv", "config.yaml", "checksums.json", PICTURE)],
    "link out": lambda f: ((f / PICTURE).unlink(), (f / PICTURE).symlink_to("/etc/hostname")),
    "circle of links": lambda f: (f / "images/round").symlink_to(f),
    "large square": lambda f: (f / PICTURE).write_bytes(png(50_000, 50_000)),
    "long line": lambda f: (f / PICTURE).write_bytes(png(1, 50_000_000)),
    "text that unpacks": lambda f: (f / PICTURE).write_bytes(png(48, 48, text_bomb())),
    "PostScript": lambda f: (f / PICTURE).write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "array that claims a terabyte": lambda f: [array(f / name, 10**12) for name in ("responses/second.npy", PICTURE)],
    "objects in an array": lambda f: np.save(f / "responses/second.npy", np.array([Runs()]), allow_pickle=True),
    "checkpoints that unpack": lambda f: [zip_bomb(f / "checkpoints" / name) for name in ("a.ckpt", "photos.ckpt")],
    "checkpoints that run": lambda f: [
        (f / "checkpoints" / name).write_bytes(pickle.dumps(Runs())) for name in ("a.ckpt", "photos.ckpt")
    ],
    "manifest nested deep": lambda f: (f / "manifest.json").write_text("[" * 100_000),
    "notes of 6 GB": lambda f: [sparse(f / name) for name in ("manifest.json", "inputs.json", "checksums.json")],
    "notes of nonsense": lambda f: [
        (f / name).write_text(json.dumps({"../../etc": 3, "\x1b[31m": [1], "layers": [{}]}))
        for name in ("manifest.json", "inputs.json", "checksums.json")
    ],
    "overrides of nonsense": lambda f: [
        (f / ".hydra/overrides.yaml").write_text("a: &a [1]\nb: *a"),
        sparse(f / ".hydra/config.yaml"),
    ],
}
