"""What scripts share that work in a folder: the one that is typed, or else one that goes again."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def run_in_folder(main: Callable[[Path], None], text: str | None) -> None:
    """Call ``main`` with the folder; with ``--help`` print the script's ``text`` instead."""
    if {"-h", "--help"} & {*sys.argv}:
        print(text)
    elif len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
