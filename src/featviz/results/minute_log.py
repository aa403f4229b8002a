"""A line a minute in the log, so that a long run shows life where no bar can be seen."""

from __future__ import annotations

import logging
import time

from rich.console import Console

log = logging.getLogger(__name__)

MINUTE = 60.0  # seconds


class MinuteLog:
    """Takes what can be said at any moment, and logs it when a minute has passed; nothing where there is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()

    def say(self, message: str, *values: object) -> None:
        """Log a message with its values, unless one was logged less than a minute ago."""
        if not self._console.is_terminal and time.monotonic() - self._last >= MINUTE:
            self._last = time.monotonic()
            log.info(message, *values)
