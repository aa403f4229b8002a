"""The program in processes of its own that start at once, forked from one that has imported it and computed nothing.

A start of ``python -m featviz`` takes seconds of imports; here they are paid once. For what a start imports, and for
runs that start processes of their own, there is :func:`program.process`.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from program import Outcome, environment

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["featviz.api", "featviz.tasks.visualize", "featviz.transforms.kernels.bilinear"])


class Forked:
    """``featviz`` with these arguments, in the folder one stands in, begun but not waited for.

    Args:
        arguments: what is typed.
        first: Python that is run before.
        more: more of the environment.
    """

    def __init__(self, *arguments: str, first: str = "", **more: str) -> None:
        self._said = Path(tempfile.mkdtemp(prefix="featviz_said_"))
        settings = (str(Path.cwd()), arguments, first, environment(**more), str(self._said))
        self._process = FORKS.Process(target=_main, args=settings)
        self._process.start()

    def ended(self) -> bool:
        """Whether it has come to its end."""
        return not self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process.pid
        if not self.ended():
            os.kill(self._process.pid, number)

    def wait(self, timeout: float = 120) -> Outcome:
        """What it has said, and its exit status: minus the signal that ended it."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, "it does not end"
        return Outcome(self._process.exitcode, *(self._read(name) for name in ("out", "err")))

    def said(self) -> str:
        """What it has printed so far."""
        return self._read("out")

    def _read(self, name: str) -> str:
        path = self._said / name  # which one that was killed at once has not made
        return path.read_text() if path.exists() else ""

    def wait_for_checkpoint(self, folder: Path) -> None:
        """Until it has come beyond its start and written a checkpoint anew, or has ended."""
        before = _newest(folder)
        while not self.ended() and _newest(folder) == before:
            time.sleep(0.02)


def forked(*arguments: str, **more: str) -> Outcome:
    """Run the program in a process of its own, to its end."""
    return Forked(*arguments, **more).wait()


def _newest(folder: Path) -> int:
    return max((path.stat().st_mtime_ns for path in folder.rglob("*.ckpt")), default=0)


def _main(folder: str, arguments: tuple[str, ...], first: str, variables: dict[str, str], said: str) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for name, number in (("out", 1), ("err", 2)):
        with open(f"{said}/{name}", "w") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    sys.argv = ["featviz", *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    os.fsync = lambda _: None  # type: ignore[assignment]  # as in the tests' own process
    exec(first, {})
    from featviz.__main__ import main

    main()
