"""What a notebook does otherwise than a terminal: pictures in the page, a line of progress that goes again."""

from __future__ import annotations

import sys
from typing import Any


def notebook() -> Any | None:
    """The shell of the notebook that this process is of; None elsewhere, in IPython's terminal too."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell if getattr(shell, "kernel", None) is not None else None


WIDTH = 24  # letters, of the bar


class NotebookLine:
    """A line below a cell that says how far a run is; empty lines take no room, and a cell has one at most."""

    def say(self, what: str, done: int, total: int, more: str = "") -> None:
        """Put a text in the place of the one before: what is done, how much of it, and more."""
        full = WIDTH * done // max(total, 1)
        parts = (what, "━" * full + "─" * (WIDTH - full), f"{done} of {total}", more)
        _show({"text/plain": "  ".join(filter(None, parts))})

    def clear(self) -> None:
        """Leave nothing behind."""
        _show({})


#: How often cells have been run, and the output of the latest one that has a line.
_LATEST: list[tuple[int, Any]] = []


def _show(data: dict[str, str]) -> None:
    """Show data of some kinds in the cell's line, which is made when there is first something to show."""
    shell = notebook()
    if shell is None:
        return
    if _LATEST and _LATEST[0][0] == shell.execution_count:
        _LATEST[0][1].update(data, raw=True)
    elif data:
        from IPython.display import display

        _LATEST[:] = [(shell.execution_count, display(data, raw=True, display_id=True))]
