"""``checksums.json``: what a run has written, with sizes and checksums, so that the next one sees what is damaged."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from featviz.reading import LARGEST_PNG, LONGEST_TABLE, inside, read_bytes
from featviz.results.files import remove, remove_parts, write_file

NAME = "checksums.json"
FOLDERS = (
    "images",
    "frames",
    "responses",
    "patches",
    "photos",
    "maps",
    "recipe",
)  # loggers' and checkpoints' files change at each start
ENDINGS = (".png", ".jpg", ".webp", ".npy", ".csv", ".json", ".yaml", ".safetensors")


def write_checksums(folder: Path) -> None:
    """Note all files of a finished run."""
    files = {str(path.relative_to(folder)): _checksum(path) for path in sorted(_files(folder))}
    write_file(folder / NAME, (json.dumps(files, indent=0) + "\n").encode())


def begin(folder: Path, broken: Iterable[str] = ()) -> None:
    """Forget what has been noted, since the run's files are about to change.

    ``broken`` pictures go first, and what an earlier process was writing when it was killed.
    """
    remove_parts(folder)
    remove(*(inside(folder, name) for name in broken if name.startswith("images/")))
    remove(folder / NAME)


def damaged(folder: Path) -> set[str] | None:
    """The files of a finished run that are missing or other ones by now; None where it had not finished."""
    try:
        noted = json.loads(read_bytes(folder / NAME, LONGEST_TABLE))
        return {name for name, checksum in noted.items() if _is_other(inside(folder, name), checksum)}
    except (OSError, ValueError, AttributeError, TypeError, LookupError, RecursionError):  # none, or damaged itself
        return None


def _is_other(path: Path, checksum: list[int]) -> bool:
    """Whether a file is missing, or has another size or content than was noted."""
    return not path.is_file() or path.stat().st_size != checksum[0] or _checksum(path) != checksum


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name in FOLDERS:
            yield from (file for file in path.rglob("*") if file.suffix in ENDINGS and file.is_file())
        elif path.suffix in ENDINGS and path.is_file() and path.name != NAME and not path.name.startswith("."):
            yield path


def _checksum(path: Path) -> list[int]:
    """Size in bytes, and CRC-32."""
    checksum = 0
    with path.open("rb") as file:
        while content := file.read(2**20):
            checksum = zlib.crc32(content, checksum)
    return [path.stat().st_size, checksum]


def is_whole_png(path: Path) -> bool:
    """Whether a PNG has all its chunks, none of them damaged."""
    try:
        content = read_bytes(path, LARGEST_PNG)
    except OSError:
        return False
    at = 8
    while content[:8] == b"\x89PNG\r\n\x1a\n" and at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunk, end = content[at + 4 : at + 8 + length], at + 12 + length
        if zlib.crc32(chunk) != int.from_bytes(content[end - 4 : end], "big"):
            return False
        if chunk[:4] == b"IEND":
            return end == len(content)
        at = end
    return False
