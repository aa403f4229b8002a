"""The folder of a site: its files are written whole, ``index.html`` last, and those of an earlier site go then."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from featviz.errors import FeatvizError
from featviz.pages.encoding import digest
from featviz.reading import inside
from featviz.results.files import remove, remove_parts, write_file

INDEX = "index.html"
DATA, SPRITES = "report/data", "report/sprites"
MARK = b'<meta name="generator" content="featviz'  # in each index.html of ours
HEAD = 4096  # bytes of a page in which the mark is
OURS = re.compile(r"(m|atlas_m)\d+_\w+\.(js|webp)")  # names of files that a site is made of


class SiteFolder:
    """The files of one site.

    Args:
        path: the folder of ``index.html``.

    Raises:
        FeatvizError: there is an ``index.html`` of somebody else, or ``report`` leads out of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = set[Path]()
        _check_is_ours(path / INDEX)
        for name in (DATA, SPRITES):
            inside(path, name)

    def write_data(self, name: str, content: bytes) -> None:
        """Write a file of data."""
        self._write(Path(DATA, f"{name}.js"), content)

    def sprite_writer(self, name: str) -> Callable[[int, bytes], str]:
        """What writes the sprite files of this name, given their number and content, and returns their addresses."""

        def write(number: int, content: bytes) -> str:
            file = Path(SPRITES, f"{name}_{number}_{digest(content)}.webp")
            self._write(file, content)
            return file.as_posix()

        return write

    def finish(self, index: bytes) -> Path:
        """Write ``index.html``, after which files of an earlier site, and halves of files, are removed."""
        path = self.path / INDEX
        write_file(path, index)
        remove_parts(self.path, below=False)
        remove_parts(self.path / "report")
        for name in (DATA, SPRITES):
            older = (file for file in (self.path / name).glob("*") if OURS.fullmatch(file.name))
            remove(*(file for file in older if file not in self._written))
        return path

    def _write(self, name: Path, content: bytes) -> None:
        path = self.path / name
        self._written.add(path)
        if not (path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content):
            write_file(path, content)


def _check_is_ours(index: Path) -> None:
    if not index.is_file():
        return
    with index.open("rb") as file:
        if MARK not in file.read(HEAD):
            what = f"{index} is a page that featviz has not made"
            raise FeatvizError(what, setting="into", got=str(index.parent), expected="another folder")
