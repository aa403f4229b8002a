"""How far a pass over photos has come, in a file, so that a pass that was ended goes on there."""

from __future__ import annotations

import io
import logging
import pickle
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from featviz.errors import one_line
from featviz.results.files import remove, write_file
from featviz.results.tensors import load_tensors

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds of a pass that a kill may cost
DAMAGED = (OSError, EOFError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError)

State = dict[str, Any]


class SavedPass:
    """The state of a pass over photos, written every minute, whole or not at all.

    Args:
        path: the file.
        identity: what the pass is of, as plain values. A state of another pass is not gone on with.
        every: seconds between two writes.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], every: float = EVERY) -> None:
        self.path = path
        self.identity = dict(identity)
        self.every = every
        self._written = time.monotonic()

    def load(self) -> State | None:
        """The state that was written last; None where there is none, or where it is damaged or of another pass."""
        if not self.path.is_file():
            return None
        try:
            content = load_tensors(self.path)
            same, state = content["identity"] == self.identity, content["state"]
            if not isinstance(state, dict):
                raise TypeError("it holds no state")
        except DAMAGED as error:
            log.warning("%s cannot be read, the pass begins again: %s", self.path, one_line(error))
            return None
        if not same:
            log.info("%s is of other photos at a time, the pass begins again", self.path)
        return state if same else None

    def is_due(self) -> bool:
        """Whether the state is to be written now."""
        return time.monotonic() - self._written >= self.every

    def write(self, state: State) -> None:
        """Write the state."""
        content = io.BytesIO()
        torch.save({"identity": self.identity, "state": state}, content)
        write_file(self.path, content.getvalue())
        self._written = time.monotonic()

    def remove(self) -> None:
        """Forget the pass: its outcome is on disk."""
        remove(self.path)
        with suppress(OSError):  # other files are in its folder, or there is none
            self.path.parent.rmdir()
