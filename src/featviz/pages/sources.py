"""The runs of a site, with the addresses of their files and their problems."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from featviz.errors import printable
from featviz.pages.addresses import Addresses
from featviz.pages.run_folder import RunData
from featviz.reading import LARGEST_PNG, check_plain_file

STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(_\d+)?")  # the name of a folder that says when
MOST_NAMED = 20  # of the files of a run that are missing


@dataclass
class Source:
    """A run of a site: what it holds, where its files are, and which of its pictures are damaged."""

    number: int
    label: str
    data: RunData
    addresses: Addresses
    damaged: dict[str, str] = field(default_factory=dict)
    _sizes: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    def photo_size(self, name: str) -> tuple[int, int] | None:
        """Width and height of one of its photos, in px; None where it cannot be read."""
        if name not in self._sizes:
            try:
                check_plain_file(self.data.folder / name, LARGEST_PNG)
                with Image.open(self.data.folder / name, formats=("JPEG", "PNG")) as image:
                    self._sizes[name] = image.size
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                self._sizes[name] = None
        return self._sizes[name]

    def photo_name(self, photo: str) -> str:
        """What a photo is called in pages: below the folder that all photos share, so that these may be sent."""
        return printable(photo.removeprefix(self._photo_folder))

    @cached_property
    def _photo_folder(self) -> str:
        """The folder of all photos whose whole paths are known, with its last slash; empty where there is none."""
        units = (self.data.exemplars, self.data.weakest, self.data.tenths)
        photos = {one.photo for table in units for records in table.values() for one in records}
        photos |= {one.photo for cells in self.data.atlases.values() for cell in cells for one in cell.photos}
        folders = {os.path.dirname(photo) for photo in photos if os.path.isabs(photo)}
        return os.path.join(os.path.commonpath(folders), "") if folders else ""

    @property
    def problems(self) -> list[str]:
        """What is damaged or missing, a sentence each; of many files the first ones."""
        files = [printable(f"{name} is damaged ({reason})") for name, reason in self.damaged.items()]
        files += [printable(f"{name} is missing") for name in self.addresses.missing]
        more = [f"and {len(files) - MOST_NAMED} more files"] if len(files) > MOST_NAMED else []
        return [*self.data.problems, *files[:MOST_NAMED], *more]

    def described(self, model: str) -> dict[str, Any]:
        """As the site's data has it."""
        settings = self.data.settings
        return {
            "id": f"r{self.number}",
            "model": model,
            "label": self.label,
            "task": settings.task,
            "recipe": settings.recipe,
            "seed": settings.seed,
            "folder": printable(self.addresses.folder),
            "command": settings.command,
            "settings": [list(pair) for pair in settings.settings],
            "problems": self.problems,
        }


def sources_of(runs: Sequence[RunData], site: Path, copy: bool) -> list[Source]:
    """Give each run its label and the addresses of its files."""
    labels = labels_of(runs)
    return [
        Source(number, label, run, Addresses(site, run.folder, f"r{number}", copy))
        for number, (run, label) in enumerate(zip(runs, labels, strict=True))
    ]


def labels_of(runs: Sequence[RunData]) -> list[str]:
    """What tells runs apart: their names where these do, else as much of their paths as it takes.

    A folder that is called by the time goes by the run's name.
    """
    labels = [run.settings.name if STAMP.fullmatch(run.folder.resolve().name) else "" for run in runs]
    labels = [label or run.folder.resolve().name for label, run in zip(labels, runs, strict=True)]
    if len(runs) == 1:
        return [printable(runs[0].settings.name or labels[0])]
    paths = [run.folder.resolve().parts for run in runs]
    for length in range(1, max(map(len, paths)) + 1):
        counts = Counter(labels)
        if len(counts) == len(labels):
            break
        ends = ["/".join(path[-length:]) for path in paths]
        labels = [end if counts[label] > 1 else label for label, end in zip(labels, ends, strict=True)]
    return [printable(label) for label in labels]
