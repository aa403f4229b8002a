"""What is printed may be lost, but no run with it: a closed pipe or a full disk behind standard output ends nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class SafeStream:
    """A stream that goes on in silence where nothing can be written to it any more; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or nothing."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # a closed pipe, a full disk; a stream that was closed
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Hand on what was written, or nothing."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._give_up()

    def _give_up(self) -> None:
        """Let all that is still to come go nowhere; otherwise Python would complain at its end."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def safe_output() -> Iterator[None]:
    """Have standard output and standard error written to safely; letters that a terminal lacks become escapes."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
            with suppress(OSError, ValueError):  # it is closed, or has been written to
                stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (stream and SafeStream(stream) for stream in before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
        sys.stdout, sys.stderr = before
