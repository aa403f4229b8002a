"""Files of a run, written whole or not at all; pictures as PNG. Nothing here imports torch."""

from __future__ import annotations

import csv
import errno
import io
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import psutil
from filelock import FileLock
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from featviz.errors import FeatvizError, one_line, printable
from featviz.results.rows import Row

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # how a text begins that a spreadsheet would compute
#: Time would make equal pictures differ, and so would names.
NOT_IN_PNG = ("reason", "seconds", "image", "class", "concept")


def png(image: Image.Image, row: Row | None = None, more: Mapping[str, str] | None = None) -> bytes:
    """Encode an image with its row, and more, as PNG text; equal images and rows give equal bytes."""
    text = PngInfo()
    text.add_text("Software", _software())
    for name, value in (row or {}).items():
        if name not in NOT_IN_PNG:
            text.add_text(name, printable(str(value)))
    for name, value in (more or {}).items():
        text.add_text(name, value)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=text)
    return buffer.getvalue()


@cache
def _software() -> str:
    return f"featviz {version('featviz')}"  # read from a file: not once for each of thousands of pictures


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Any]) -> None:
    """Write rows (mappings with just these columns) as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    write_file(path, text.getvalue().encode(errors="surrogateescape"))  # names of files that are not UTF-8 as they are


def csv_cell(value: Any) -> Any:
    """A cell of a table: a text that a spreadsheet would take for a formula gets the apostrophe that prevents it."""
    if not isinstance(value, str) or not FORMULA.match(value):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def from_csv_cell(text: str) -> str:
    """The text that ``csv_cell`` has made a cell of."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def write_records(path: Path, kind: type, records: Sequence[Any]) -> None:
    """Write instances of the dataclass ``kind`` as CSV, a column for each of its fields."""
    write_table(path, [field.name for field in fields(kind)], [vars(record) for record in records])


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a kill, or a power cut, on the way leaves the older one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with in_one_line("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine that write into a folder from the tables that they share.

    The lock is a file where locks work, as they do not in all shared folders. It is removed while it is held: who
    has waited for it sees that it is gone, and makes another.
    """
    name = sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    lock = Path(gettempdir(), f"featviz-{name}.lock")
    with FileLock(lock):
        try:
            yield
        finally:
            with suppress(PermissionError):  # Windows keeps a file that is open; there FileLock removes it
                lock.unlink(missing_ok=True)


def remove_parts(folder: Path, below: bool = True) -> None:
    """Remove what processes of this machine were writing into a folder, or ``below`` it, when they were killed."""
    for path, folders, names in os.walk(folder):  # what others remove meanwhile does not disturb it
        if not below:
            folders.clear()
        for name in names:
            match = re.fullmatch(r"\..*\.(\d+)\.part", name, re.S)
            if match and not psutil.pid_exists(int(match[1])):
                remove(Path(path, name))


def _sync_folder(folder: Path) -> None:
    """Let a new name outlive a power cut; not all file systems can do so."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(opened)


def file_name(layer: str) -> str:
    """Make a layer's name safe for file systems; what had to be changed gets a checksum to stay apart."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", layer)[:80].strip(".")
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", safe)
    if safe == layer and safe and not reserved:
        return safe
    return f"{safe}_{zlib.crc32(layer.encode(errors='surrogateescape')):08x}"


def picture_path(layer: str, number: int, variant: int) -> str:
    """The name of a picture's file below the run's folder."""
    return f"images/{file_name(layer)}/{number:04d}{f'_{variant}' if variant else ''}.png"


def remove(*paths: Path) -> None:
    """Remove files, if they are there."""
    for path in paths:
        with in_one_line("remove", path):
            path.unlink(missing_ok=True)


@contextmanager
def in_one_line(what: str, path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise FeatvizError(f"cannot {what} {path}: {reason}", got=str(path)) from error
