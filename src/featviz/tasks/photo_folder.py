"""What the tasks share that go through folders of photos: the files, a progress bar, the report of skipped photos."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from omegaconf import ListConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from featviz.errors import FeatvizError, shown
from featviz.photos.files import find_photos, readable_photos
from featviz.photos.stream import Batch, PhotoStream
from featviz.results.minute_log import MinuteLog
from featviz.results.notebook import NotebookLine

log = logging.getLogger(__name__)

MOST_NAMED = 20  # of the photos that were skipped

Item = TypeVar("Item")


def configured_photos(paths: str | ListConfig, whole: bool = False) -> list[Path]:
    """The photos of a setting that is a file, a folder, or a list of them; ``whole`` ones only, or all."""
    several = list(paths) if isinstance(paths, ListConfig) else [paths]
    if not several or not all(isinstance(path, str) and path for path in several):
        raise FeatvizError(f"{shown(paths)} is no photo", expected="a file, a folder, or a list of them")
    return readable_photos(several) if whole else find_photos(several)


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar where there is a terminal or a notebook, else a line a minute; it yields what is told how many are done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=total)
        lines, line = MinuteLog(console), NotebookLine()

        def update(done: int) -> None:
            bar.update(task, completed=done)
            line.say(description, done, total)
            lines.say("%s: %d of %d", description, done, total)

        try:
            yield update
        finally:
            line.clear()


def tracked(items: Sequence[Item], description: str) -> Iterator[Item]:
    """The items, with a progress bar."""
    with progress_bar(description, len(items)) as update:
        for done, item in enumerate(items, 1):
            yield item
            update(done)


def watched(stream: PhotoStream, update: Callable[[int], None]) -> Iterator[Batch]:
    """The batches of a stream; ``update`` is called with how many of its files are done."""
    for batch in stream:
        yield batch
        update(batch.numbers[-1] + 1)


def log_skipped(skipped: Mapping[Path, str], table: str = "") -> None:
    """Say how many photos were skipped, and of the first ones why; ``table`` is the file that names them all."""
    if skipped:
        log.warning("%d photos skipped:", len(skipped))
    for reason in list(skipped.values())[:MOST_NAMED]:
        log.warning("  %s", reason)
    if len(skipped) > MOST_NAMED:
        log.warning("  and %d more%s", len(skipped) - MOST_NAMED, f" ({table})" if table else "")
