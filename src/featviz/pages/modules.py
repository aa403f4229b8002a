"""Joins the page's small ES modules into one, which can stand in the page: browsers load none from ``file://``."""

from __future__ import annotations

import re
from pathlib import Path

IMPORT = re.compile(r"""^import\s*(?:\{[^}]*\}\s*from\s*)?["']\./([\w-]+\.js)["'];?[ \t]*\n""", re.M)
EXPORT = re.compile(r"^export (?=(?:async function|function|class|const|let)\b)", re.M)
TOP_LEVEL = re.compile(r"^(?:async function|function|class|const|let)\*? ([\w$]+)", re.M)
LEFT = re.compile(r"^(?:import|export)\b.*", re.M)


def joined_modules(folder: Path, first: str = "main.js") -> str:
    """The modules that ``first`` imports, directly or not, each once and before those that import it.

    They share one scope then: imports rename nothing, and no two modules have a top-level name in common.

    Raises:
        ValueError: they have, or there is a statement of ``import`` or ``export`` that cannot be joined.
    """
    texts: dict[str, str] = {}
    _add(folder, first, texts, ())
    owners: dict[str, str] = {}
    for name, text in texts.items():
        if left := LEFT.search(text):
            raise ValueError(f"{name} has a statement that cannot be joined: {left[0]}")
        for top in TOP_LEVEL.findall(text):
            if top in owners:
                raise ValueError(f"{owners[top]} and {name} both have {top}")
            owners[top] = name
    return "\n".join(texts.values())


def _add(folder: Path, name: str, texts: dict[str, str], above: tuple[str, ...]) -> None:
    if name in texts or name in above:  # a circle of functions that call each other is no harm
        return
    text = (folder / name).read_text(encoding="utf-8")
    for imported in IMPORT.findall(text):
        _add(folder, imported, texts, (*above, name))
    texts[name] = EXPORT.sub("", IMPORT.sub("", text))
