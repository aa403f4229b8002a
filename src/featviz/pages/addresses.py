"""Where a page finds the files of runs: links relative to the page, or copies beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import quote

from featviz.errors import FeatvizError
from featviz.reading import inside
from featviz.results.files import in_one_line

COPIES = "report/runs"  # below the folder of the page


class Addresses:
    """The addresses of one run's files, relative to the page and percent-encoded.

    Args:
        site: the folder of ``index.html``.
        run: the run folder.
        name: of the folder of its copies.
        copy: copy files that lie outside of ``site``, instead of linking to them.

    Attributes:
        missing: the files that were asked for and are not there, in order.
    """

    def __init__(self, site: Path, run: Path, name: str, copy: bool) -> None:
        self.run = run
        self.missing = dict[str, None]()
        self._copies = site / COPIES / name if copy and not run.resolve().is_relative_to(site.resolve()) else None
        self._start = f"{COPIES}/{name}" if self._copies else _relative(run, site)
        self._known = dict[str, str]()

    @property
    def folder(self) -> str:
        """The run folder, or that of the copies, as it is called from the page's folder."""
        return self._start

    def of(self, name: str, optional: bool = False) -> str:
        """The address of a file of the run; empty where there is no such file, or no name.

        What is ``optional`` is not among the missing ones.
        """
        if not name:
            return ""
        if name not in self._known:
            self._known[name] = self._look_up(name, optional)
        return self._known[name]

    def _look_up(self, name: str, optional: bool) -> str:
        try:
            path = inside(self.run, name)
            there = path.is_file()
        except (FeatvizError, OSError):  # behind a link that leads out of the folder
            there = False
        if not there:
            if not optional:
                self.missing[name] = None
            return ""
        if self._copies:
            _copy(path, self._copies / name)
        return quote(os.fsencode(name if self._start == "." else f"{self._start}/{name}"))


def _relative(run: Path, site: Path) -> str:
    try:
        return Path(os.path.relpath(run.resolve(), site.resolve())).as_posix()
    except ValueError as error:  # on another drive
        hint = "copy=true takes the files along"
        raise FeatvizError(f"no page in {site} can link to {run}", setting="into", got=str(site), hint=hint) from error


def _copy(path: Path, to: Path) -> None:
    """Copy a file with its time, unless that has been done; a kill on the way leaves no half of it."""
    before, part = path.stat(), to.with_name(f".{to.name}.{os.getpid()}.part")
    with in_one_line("write", to):
        if to.is_file() and (to.stat().st_size, to.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns):
            return
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, part)
            part.replace(to)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
