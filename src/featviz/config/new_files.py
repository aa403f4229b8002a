"""A command that is refused leaves nothing behind: what had been written before goes again.

Hydra writes what was typed into a run's folder, and opens a log there, before anybody can look at the settings; and a
task notes what its run is made of before it looks at photos. What is computed stays, and all that was there before.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SWEEP = "multirun.yaml"
#: What says of a run only what it is: Hydra's files and ours.
NOTES = (".hydra", ".hydra.new", "featviz.log", "config.yaml", "inputs.json", "manifest.json", "network.json", SWEEP)
TYPED = NOTES[:3]  # what Hydra writes


@dataclass(frozen=True)
class Before:
    """What there was before a command: the names in its folder, and which of the folders above were not there."""

    folder: Path
    names: frozenset[str]
    missing: tuple[Path, ...]  # the deepest first
    sweep: bytes | None = None  # what a sweep that goes on keeps of its first command, and Hydra writes anew

    def restore(self) -> None:
        """Remove the notes that were added, unless there is more than notes by now."""
        added = [path for path in self.folder.glob("*") if path.name not in self.names]
        if any(path.name not in NOTES for path in added):
            return
        for path in added:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if self.sweep is not None:
            (self.folder / SWEEP).write_bytes(self.sweep)
        for path in self.missing:
            with suppress(OSError):  # another command has written into it
                path.rmdir()


_BEFORE: list[Before] = []
_JOB: list[Before] = []  # of a sweep: the one that this process is at


def missing_folders(path: Path) -> list[Path]:
    """A path and the folders above it, the deepest first, as far as they are not there."""
    return [each for each in (path.absolute(), *path.absolute().parents) if not each.exists()]


def remember(folder: Path, missing: Sequence[Path]) -> None:
    """Note what there is in a run's folder, before anything is made of it, and which folders were ``missing``."""
    names = frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()
    sweep = (folder / SWEEP).read_bytes() if SWEEP in names else None
    _BEFORE.append(Before(folder.absolute(), names, tuple(missing), sweep))


def remember_job(folder: Path) -> None:
    """Note what there is in the folder of a sweep's job, in which Hydra has written what was typed already."""
    names = frozenset(path.name for path in folder.iterdir())
    new = names <= {*TYPED}
    _JOB[:] = [Before(folder.absolute(), frozenset() if new else names, (folder.absolute(),) if new else ())]


def remove_job_files() -> None:
    """Leave the folder of a sweep's job that is refused as it was before the job: none, where it is new."""
    while _JOB:
        with suppress(OSError):
            _JOB.pop().restore()


def remove_if_only_typed(folder: Path) -> None:
    """Remove the folder of a job that has done nothing."""
    if all(path.name in TYPED for path in folder.glob("*")):
        shutil.rmtree(folder, ignore_errors=True)


def remove_new_files() -> None:
    """Leave the folder of a command that is refused as it was."""
    while _BEFORE:
        with suppress(OSError):  # of a disk that fails: why the command ends is said already
            _BEFORE.pop().restore()


def keep_new_files() -> None:
    """Forget what there was before: the command has ended."""
    _BEFORE.clear()
