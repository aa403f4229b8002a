"""Reading files that strangers may have written: nothing in them is run, and sizes are checked before anything is read.

Imported before the help is printed: what is slow to import is imported where it is used.
"""

from __future__ import annotations

import math
import stat
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from featviz.errors import FeatvizError, one_line

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

MOST_PIXELS = 50_000_000  # of a picture
NEAR = 0.7  # how alike a name must be to be one that was meant
MOST_SIDE = 50_000  # px; beyond it a picture of few pixels becomes a large one where it is cut or enlarged
MOST_BYTES = 2**30  # of an array
LONGEST_TABLE = 2**27  # bytes of a table or of checksums: some hundred thousand pictures
LARGEST_PNG = 2**28  # bytes
CONCEPTS = (".safetensors", ".pt", ".pth", ".ckpt")  # endings of files of concepts, layer3@FILE
WRITTEN = "a file as featviz writes it"
LONGEST_YAML = 2**20  # bytes; a run's configuration has a hundredth
DEEPEST_YAML = 32
ARCHIVED = 2**20  # bytes that a zip archive may unpack to over its own size: its table of contents


def expanded(path: str | PathLike[str]) -> Path:
    """The path that was typed, ``~`` being a home folder; of a user who is not there, it is part of a name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def inside(folder: Path, name: str) -> Path:
    """The path that ``name`` stands for below ``folder``.

    Raises:
        FeatvizError: it lies outside, by ``..``, by an absolute path, or by a link.
    """
    path = folder / name
    try:
        within = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a null character, a circle of links, a name too long
        within = False
    if not within or "\\" in name:
        raise FeatvizError(f"{folder} names the file {name!r}, which does not lie in it", got=name)
    return path


def check_relative(name: str, ending: str) -> str:
    """A table's name of a file, which is to lie below the table's folder.

    Raises:
        ValueError: it does not, as it is written, or it ends otherwise. Where links lead, ``inside`` tells.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.endswith(ending):
        raise ValueError(f"{name!r} is no {ending} file in its folder")
    return name


def check_photo_exists(path: Path) -> None:
    """Raise FeatvizError, with the nearest names beside it, for a photo or a folder of photos that is not there."""
    if path.exists():
        return
    beside = sorted(other.name for other in path.parent.glob("*") if other.name != path.name)  # a link to nowhere
    near = get_close_matches(path.name, beside, cutoff=NEAR)  # others in that folder would be noise
    what = f"there is no photo or folder '{path}'"
    raise FeatvizError(what, setting="photo", got=path.name, known=near or None)


def check_input(setting: str, path: Path, endings: Collection[str]) -> None:
    """Raise FeatvizError, with the nearest names beside it, where a setting's file is not there, or ends otherwise."""
    expected = f"a file that ends in {' or '.join(endings)}"
    if path.is_dir():
        raise FeatvizError(f"{setting}: {path} is a folder", setting=setting, got=path, expected=expected)
    if path.suffix.lower() not in endings:
        what = f"{setting}: {path} must end in one of {', '.join(endings)}"
        raise FeatvizError(what, setting=setting, got=path)
    if path.exists() and not path.is_file():
        raise FeatvizError(f"{setting}: {path} is no plain file", setting=setting, got=path.name, expected=expected)
    if not path.is_file():
        beside = [other.name for other in path.parent.glob("*") if other.suffix.lower() in endings and other != path]
        what = f"{setting}: there is no file '{path}'"
        raise FeatvizError(what, setting=setting, got=path.name, known=beside or None)


def check_exemplars(setting: str, folder: Path) -> None:
    """Raise FeatvizError for what is no folder of a run of task=exemplars; what it holds is seen when it is read."""
    if not folder.is_dir():
        raise FeatvizError(f"there is no folder '{folder}'", setting=setting, got=folder)
    if not (folder / "exemplars.csv").exists():
        what = f"{folder} is no folder of task=exemplars: it has no exemplars.csv"
        raise FeatvizError(what, setting=setting, got=folder)


def check_plain_file(path: Path, most: int) -> None:
    """Raise OSError where there is no file, it is no plain one (but a pipe, or a device), or longer than ``most``."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path.name} is no plain file")
    if status.st_size > most:
        raise OSError(f"{path.name} has {status.st_size} bytes, expected at most {most}")


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a file; raises OSError as ``check_plain_file`` does."""
    check_plain_file(path, most)
    return path.read_bytes()


@contextmanager
def opened_png(path: Path) -> Iterator[Image.Image]:
    """Open a PNG of ours, of no more than 50 megapixels; Pillow's own errors go on as OSError.

    Raises:
        OSError: there is none, or it is no plain file, damaged, cut short or too large.
    """
    from PIL import Image

    check_plain_file(path, LARGEST_PNG)
    try:
        with Image.open(path, formats=("PNG",)) as image:
            check_sides(image)
            image.load()
            yield image
    except (SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:  # of damaged chunks
        raise OSError(one_line(error)) from error


def check_sides(image: Image.Image) -> None:
    """Raise OSError for a picture of more pixels, or of a longer side, than any that is meant."""
    if image.width * image.height > MOST_PIXELS or max(image.size) > MOST_SIDE:
        raise OSError(f"{image.width} x {image.height} px; expected at most 50 megapixels and {MOST_SIDE} px a side")


def read_array(path: Path) -> np.ndarray:
    """The numbers in a .npy file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, holds other things than numbers, or claims more of them than it has.
    """
    check_plain_file(path, 2 * MOST_BYTES)
    with path.open("rb") as file:
        return _read_npy(file, path.stat().st_size)


def read_archived_array(path: Path, name: str | None = None) -> np.ndarray:
    """The array of this name, or the only one, in a .npz file; raises as ``read_array`` does, and KeyError."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        member = archive.getinfo(f"{name}.npy" if f"{name}.npy" in names or len(names) != 1 else names[0])
        if member.file_size > MOST_BYTES:
            raise ValueError(f"{member.filename} would take {member.file_size / 2**30:.1f} GiB")
        with archive.open(member) as file:
            return _read_npy(file, member.file_size)


def _read_npy(file: IO[bytes], size: int) -> np.ndarray:
    import numpy as np

    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(
        version
    )
    if read_header is None:
        raise ValueError(f"a .npy file of version {version}, expected 1.0 or 2.0")
    shape, fortran, dtype = read_header(file)
    if dtype.kind not in "fiub":
        raise ValueError(f"it holds {dtype}, not numbers")
    claimed, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if claimed != there or claimed > MOST_BYTES:
        raise ValueError(f"its header claims {claimed} bytes of numbers and {there} follow, expected at most 1 GiB")
    content = np.frombuffer(file.read(claimed), dtype)
    return content.reshape(shape, order="F" if fortran else "C").copy()


def check_archive(path: Path) -> None:
    """Raise ValueError for a zip archive that unpacks to far more than it takes on disk: torch's files do not."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > path.stat().st_size + ARCHIVED:
        raise ValueError(f"{path.stat().st_size} bytes that unpack to {unpacked}")


def read_yaml_text(path: Path) -> str:
    """The text of a YAML file that is neither long, nor deep, and repeats nothing by aliases.

    Raises:
        FeatvizError: it cannot be read, or is none of this.
    """
    import yaml

    try:
        text = read_bytes(path, LONGEST_YAML).decode()
        _check_events(text, path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FeatvizError(f"cannot read {path}: {one_line(error)}", got=str(path)) from error
    return text


def _check_events(text: str, path: Path) -> None:
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=_yaml_loader()):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > DEEPEST_YAML:
            what = "has aliases" if isinstance(event, yaml.AliasEvent) else "is nested too deep"
            raise FeatvizError(f"cannot read {path}: it {what}", got=str(path), expected=WRITTEN)


def read_yaml(path: Path) -> Any:
    """The lists, mappings and plain values of a YAML file; raises as ``read_yaml_text`` does."""
    import yaml

    text = read_yaml_text(path)
    try:
        return yaml.load(text, Loader=_yaml_loader())
    except (yaml.YAMLError, ValueError) as error:  # ValueError: of a date that there is not
        raise FeatvizError(f"cannot read {path}: {one_line(error)}", got=str(path)) from error


def _yaml_loader() -> Any:
    """The loader of plain values: libyaml's, in a tenth of the time, where PyYAML has been built with it."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
