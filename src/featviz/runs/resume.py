"""Going on with a run: what is done in its folder, and what was saved of what is not."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from featviz.errors import one_line
from featviz.optim.visualizer import FilterVisualizer
from featviz.reading import inside, read_array
from featviz.results.completion import is_whole_png
from featviz.results.files import remove
from featviz.results.folder import BESIDE, RunFolder, read_rows
from featviz.results.frames import frames_folder, is_frame, is_whole_webp
from featviz.results.rows import Row, key_of
from featviz.results.tensors import load_tensors

log = logging.getLogger(__name__)

CHECKPOINT = "image.ckpt"


def finished_rows(folder: RunFolder, broken: Collection[str] = ()) -> list[Row]:
    """The rows of pictures that are done, each once, in their place and whole, and not among the ``broken`` ones.

    A picture of which a frame is broken is made again, and its frames with it.
    """
    table = folder.path / "results.csv"
    rows = {key_of(row): row for row in (read_rows(table) if table.is_file() else [])}.values()
    lost = {str(PurePosixPath(name).parent) for name in broken if is_frame(name)}
    whole = [row for row in rows if not row["image"] or (row["image"] not in broken and _is_whole(folder, row))]
    return [row for row in whole if not row["image"] or frames_folder(row["image"]) not in lost]


def _is_whole(folder: RunFolder, row: Row) -> bool:
    """Whether a row's picture is there, and neither cut short nor damaged."""
    path = inside(folder.path, row["image"])
    values, film = (path.with_suffix(ending) for ending in BESIDE)
    try:
        if values.is_file():
            read_array(values)
        if film.is_file() and not is_whole_webp(film):
            return False
        return path.is_file() and is_whole_png(path)
    except (OSError, ValueError):
        return False


#: What reading a damaged or foreign file raises.
DAMAGED = (OSError, EOFError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError)


@dataclass(frozen=True)
class SavedImage:
    """A checkpoint of unfinished pictures."""

    path: Path
    content: dict[str, Any]

    @property
    def steps(self) -> int:
        """How many steps had been done."""
        steps: int = self.content["featviz"]["steps_done"]
        return steps

    def put_into(self, visualizer: FilterVisualizer) -> None:
        """Bring the pictures to where they were, without their optimizer."""
        visualizer.on_load_checkpoint(self.content)
        visualizer.load_state_dict(self.content["state_dict"], strict=False)


def checkpoint_path(folder: RunFolder, chunk: str) -> Path:
    """Where the checkpoint of pictures that are made together lies."""
    return folder.path / "checkpoints" / chunk / CHECKPOINT


def drop_checkpoints(folder: RunFolder) -> None:
    """Remove the checkpoints of all pictures: they are finished."""
    for path in (folder.path / "checkpoints").glob(f"*/{CHECKPOINT}"):
        remove(path)
        with suppress(OSError):  # it holds what another callback has written
            path.parent.rmdir()
    with suppress(OSError):
        (folder.path / "checkpoints").rmdir()


def checkpoint_of(path: Path, visualizer: FilterVisualizer) -> SavedImage | None:
    """The checkpoint at ``path``, if it is of the same pictures; else None, which is said where one lies there."""
    if not path.is_file():
        return None
    try:
        checkpoint = load_tensors(path)
        saved = checkpoint["featviz"]
        same = saved["pictures"] == visualizer.picture_ids
        int(saved["steps_done"])
    except DAMAGED as error:
        log.warning("%s cannot be read, its pictures are made again: %s", path, one_line(error))
        return None
    if not same:
        log.info("%s is of other pictures than are made together now, these are made again", path)
    return SavedImage(path, checkpoint) if same else None
