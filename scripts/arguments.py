"""What is typed behind a script's name: a question for help, or the folder to work in."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def answer_help(text: str | None, least: int = 0) -> None:
    """Print a script's ``text`` and end, where it is asked for; also where fewer than ``least`` arguments are typed."""
    asked = bool({"-h", "--help"} & {*sys.argv[1:]})
    if asked or len(sys.argv) <= least:
        print(text)
        sys.exit(0 if asked else 1)


def run_in_folder(main: Callable[[Path], None], text: str | None) -> None:
    """Call ``main`` with the folder that is typed, or else with one that goes again; or print ``text`` as help."""
    answer_help(text)
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
