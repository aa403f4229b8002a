"""Runs the program as a user types it: inside the tests' own process, or as a process of its own where that matters."""

import contextlib
import copy
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import drawings
import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from omegaconf.basecontainer import BaseContainer

from featviz import __main__
from featviz.config.launchers import task
from featviz.config.messages import message_of
from featviz.errors import FeatvizError, one_line
from featviz.runs import new_folder

HELPERS = Path(__file__).parent
ROOT = HELPERS.parents[1]
TINY = ("model=own", "model.target=tiny_networks.Tiny", "model.weights=random", "model.size=48")
#: Of these pictures each has moved after three steps; those of 48 px are started again.
SHORT = (*TINY, "layer=second", "filters=[0,1]", "schedule.size=40", "schedule.steps=3")
#: Pictures and their table, in half the time.
PLAIN = ("logger=none", "callbacks=none", "evidence=none", "report=none", "relations=false")
DRAWN: dict[Any, bytes] = {}
ALLOWED = False  # set before each test, by its mark


@dataclass
class Outcome:
    """What a run printed, and how it ended."""

    status: int
    out: str
    err: str
    error: BaseException | None = None  # why it has ended: the last one that was told in a line


def run(*arguments: str) -> Outcome:
    """Call ``main`` with these arguments, in the folder one stands in."""
    assert ALLOWED, "a whole run is for tests with the mark end_to_end"
    out, err, status = io.StringIO(), io.StringIO(), 0
    told: list[BaseException] = []

    def noted(error: BaseException, overrides: Sequence[str] = ()) -> str:
        told.append(error)
        return message_of(error, overrides)

    with pytest.MonkeyPatch.context() as patch, _hydra_and_logging_restored():
        patch.setattr(sys, "argv", ["featviz", *arguments])
        for module in (__main__, task, new_folder):
            patch.setattr(module, "message_of", noted)
        drawings.make_once(patch, DRAWN)
        patch.setenv("HYDRA_FULL_ERROR", os.environ.get("HYDRA_FULL_ERROR", "0"))  # main changes it
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                __main__.main()
            except SystemExit as exit_:
                status = int(exit_.code or 0)
    return Outcome(status, out.getvalue(), err.getvalue(), told[-1] if told else None)


def refused(*arguments: str) -> str:
    """Run what must be refused with one line and exit status 1; returns the line without its beginning."""
    return _line(run(*arguments))


def refusal(*arguments: str) -> FeatvizError:
    """Run what must be refused with one line and exit status 1; returns the error that the line tells."""
    outcome = run(*arguments)
    assert isinstance(outcome.error, FeatvizError), outcome
    assert _line(outcome).startswith(one_line(str(outcome.error), most=1000))
    return outcome.error


def _line(outcome: Outcome) -> str:
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome
    assert outcome.status == 1
    assert lines[0].startswith("featviz: ")
    return lines[0].removeprefix("featviz: ")


def made(*arguments: str, output: str = "outputs") -> Path:
    """Run what must succeed; returns its run folder, the only one below ``output``."""
    outcome = run(*arguments, f"output={output}")
    assert outcome.status == 0, outcome
    (folder,) = Path(output).glob("*/*")
    return folder


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that runs the program with the tests' networks at hand."""
    kept = {name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"}
    path = os.pathsep.join(filter(None, (str(HELPERS), kept.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "160", **more}


def process(*arguments: str, **more: str) -> Outcome:
    """Run ``python -m featviz`` as a process of its own."""
    assert ALLOWED, "a whole run is for tests with the mark end_to_end"
    command = [sys.executable, "-m", "featviz", *arguments]
    done = subprocess.run(command, env=environment(**more), capture_output=True, text=True, timeout=300)
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def _hydra_and_logging_restored() -> Iterator[None]:
    Plugins.instance()  # which fills others
    stay = (Plugins, ConfigStore)  # which are large, and filled anew otherwise
    singletons = {kind: one if kind in stay else copy.deepcopy(one) for kind, one in Singleton._instances.items()}
    resolvers, root = dict(BaseContainer._resolvers), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        Singleton.set_state({"instances": singletons, "omegaconf_resolvers": resolvers})
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:], root.level = handlers, level
