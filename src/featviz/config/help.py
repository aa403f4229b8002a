"""The settings of each task for ``--help``, read from the configurations' own lines, with the comments beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from featviz.config.compose import config_dir

LINE = re.compile(r"(?P<indent> *)(?P<name>[\w.]+):(?: (?P<value>[^#]*[^#\s]))?(?: +# (?P<comment>.*))?$")
HIDDEN = ("task.name", "task._target_", "task.settings", "name", "_target_", "settings", "version")
WIDTH = 20  # of a setting with its default, where it fits


def settings_of_tasks() -> str:
    """What can be typed beside the groups: of the tasks that make pictures, then of each of the others."""
    parts = ["Settings of the tasks that make pictures (setting: default):", *_lines(config_dir() / "config.yaml")]
    for path in sorted((config_dir() / "task").glob("*.yaml")):
        if lines := list(_lines(path)):
            parts += ["", f"Settings of task={path.stem}:", *lines]
    return "\n".join(parts).replace("$", "$$")  # Hydra puts its own in where there is one alone


def _lines(path: Path) -> Iterator[str]:
    """Each setting of a file with its default and its comment; what is below a setting has its name in front."""
    above: list[tuple[int, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = LINE.match(line)
        if not found:
            continue
        above = [(indent, name) for indent, name in above if indent < len(found["indent"])]
        name = ".".join([*(name for _, name in above), found["name"]])
        if found["value"] is None:
            above.append((len(found["indent"]), found["name"]))
        elif name not in HIDDEN and not name.startswith("hydra."):
            yield f"  {name + ': ' + found['value']:{WIDTH}}  {found['comment'] or ''}".rstrip()
