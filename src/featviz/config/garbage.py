"""No search for garbage while libraries are imported or source is parsed: what comes of that stays, and is a lot."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Within it Python looks for no garbage: a fifth of the time that torch and Lightning need to load."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def count_as_old() -> None:
    """Let all that there is now be looked through with the oldest objects only, seldom.

    Where somebody has frozen objects they stay so, and nothing is done. To find that out takes as long as to go through
    them, so this is for what happens once.
    """
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()  # into the oldest generation
