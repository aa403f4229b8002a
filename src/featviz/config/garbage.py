"""No search for garbage while libraries are imported or source is parsed: what comes of that stays, and is a lot."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Within it Python looks for no garbage: a fifth of the time that torch and Lightning need to load.

    What there is afterwards counts as old, so that it is looked through with the oldest only, seldom.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # else somebody has frozen objects, which should stay so
            gc.freeze()
            gc.unfreeze()  # into the oldest generation
        if was_enabled:
            gc.enable()
