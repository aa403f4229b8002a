"""Which version of featviz made a folder: settings and classes of before version 0.2 have had other names."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError
from featviz.reading import LONGEST_YAML, opened_png

if TYPE_CHECKING:
    from omegaconf import DictConfig

OTHER_NAMES = "whose settings and classes had other names: go on with that version, or start a new run"


def version_of(folder: Path) -> str:
    """The version that made a run's folder, by its ``config.yaml`` or its pictures; empty where neither tells.

    The first versions did not write theirs into ``config.yaml``, but into the PNG text ``Software`` of each picture.
    """
    if written := written_version(folder):
        return written
    for path in sorted(folder.glob("images/**/*.png"))[:1]:
        try:
            with opened_png(path) as picture:
                return str(picture.info.get("Software", "")).removeprefix("featviz ")
        except OSError:
            return ""
    return ""


def written_version(folder: Path) -> str:
    """The ``version`` in a folder's ``config.yaml``; empty where there is none."""
    path = folder / "config.yaml"
    text = (
        path.read_text(encoding="utf-8", errors="replace")
        if path.is_file() and path.stat().st_size <= LONGEST_YAML
        else ""
    )
    found = re.search(r"^version: *['\"]?([\w.+-]+)", text, re.MULTILINE)
    return found[1] if found else ""


def check_version(folder: Path, setting: str) -> None:
    """Raise FeatvizError where ``setting`` names a folder that a version with other names has made."""
    if not written_version(folder):
        maker = f"featviz {version_of(folder)}".strip()
        raise FeatvizError(f"{setting}={folder} was made by {maker}, {OTHER_NAMES}", setting=setting, got=str(folder))


def mark_version(cfg: DictConfig, folder: Path | None) -> None:
    """Write the running version into a configuration; ``folder`` is where the main one comes from, if it is a run's.

    Raises:
        FeatvizError: the configuration is that of a run by a version with other names.
    """
    if folder and "version" not in cfg:
        check_version(folder, "--config-path")
    if "version" in cfg:
        cfg.version = version("featviz")
