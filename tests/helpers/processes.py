"""The program in processes of its own that start at once, forked from one that has imported it and computed nothing.

A start of ``python -m featviz`` takes seconds of imports; here they are paid once. For what a start imports, and for
runs that start processes of their own, there is :func:`program.process`.
"""

import contextlib
import multiprocessing
import os
import runpy
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from multiprocessing import forkserver
from pathlib import Path
from typing import BinaryIO

import pytest
from program import Outcome, environment

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["preloaded"])


def start_server() -> None:
    """Have the process run that others are forked from, unless it does; it finds modules where the tests do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()


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
        start_server()
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


def forked_module(folder: Path, *typed: str) -> Outcome:
    """Run ``python -m`` with what is typed, in a folder whose modules it finds, in a process of its own, to its end."""
    start_server()
    out, err = (folder / f"{name}.txt" for name in ("out", "err"))
    variables = environment(PYTHONPATH=str(folder))
    process = FORKS.Process(target=_run_module, args=(str(folder), list(typed), variables, str(out), str(err)))
    process.start()
    process.join()
    assert process.exitcode is not None
    return Outcome(process.exitcode, out.read_text(), err.read_text())


def imported_from(*folders: Path) -> str:
    """Python to be run ``first``, after which our packages are imported anew, from these folders."""
    return (
        f"import sys; sys.path[:0] = {[str(folder) for folder in folders]}\n"
        "for name in [*sys.modules]:\n"
        "    if name.partition('.')[0] in ('featviz', 'hydra_plugins'): del sys.modules[name]\n"
    )


def _newest(folder: Path) -> int:
    return max((path.stat().st_mtime_ns for path in folder.rglob("*.ckpt")), default=0)


def _main(folder: str, arguments: tuple[str, ...], first: str, variables: dict[str, str], said: str) -> None:
    _begin(folder, variables, f"{said}/out", f"{said}/err")
    sys.argv = ["featviz", *arguments]
    exec(first, {})
    from featviz.__main__ import main

    main()


def _begin(folder: str, variables: Mapping[str, str], out: str, err: str) -> None:
    """Make of a forked process what one that is started would be."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for path, number in ((out, 1), (err, 2)):
        with open(path, "a") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    os.fsync = lambda _: None  # type: ignore[assignment]  # as in the tests' own process


# Python that other programs start

QUICK_PYTHON = """#!{bash}
[[ " $* " == *" -m {module} "* ]] || exec {python} "$@"
mkfifo {folder}/$$
echo $$ > {folder}/begun
read status < {folder}/$$
exit $status
"""


@contextlib.contextmanager
def quick_python(folder: Path, module: str) -> Iterator[Path]:
    """A program to give out as ``sys.executable``, whose ``-m MODULE`` is forked, with all of its surroundings.

    Args:
        folder: an empty one, for its own use.
        module: the only one that is forked; with other arguments it is Python itself.
    """
    program, quoted = folder / "python", {"folder": shlex.quote(str(folder)), "python": shlex.quote(sys.executable)}
    program.write_text(QUICK_PYTHON.format(bash=shutil.which("bash"), module=module, **quoted))
    program.chmod(0o755)
    os.mkfifo(folder / "begun")
    start_server()
    with open(folder / "begun", "r+b", buffering=0) as begun:  # both ends: nobody waits for the other to open it
        answering = threading.Thread(target=_answer, args=(begun, folder))
        answering.start()
        yield program
        begun.write(b"\n")
        answering.join()


def _answer(begun: BinaryIO, folder: Path) -> None:
    """Fork for each that has begun, until an empty line comes."""
    waiting = []
    while line := begun.readline().strip():
        waiting.append(threading.Thread(target=_fork_for, args=(int(line), folder)))
        waiting[-1].start()
    for each in waiting:
        each.join()


def _fork_for(pid: int, folder: Path) -> None:
    about = Path(f"/proc/{pid}")
    typed, variables = (os.fsdecode((about / name).read_bytes()).split("\0")[:-1] for name in ("cmdline", "environ"))
    module = typed.index("-m") + 1
    process = FORKS.Process(
        target=_run_module,
        args=(
            str((about / "cwd").readlink()),
            typed[module:],
            dict(each.split("=", 1) for each in variables),
            *(str(about / "fd" / number) for number in "12"),
        ),
    )
    process.start()
    process.join()
    (folder / str(pid)).write_text(f"{process.exitcode}\n")


def _run_module(folder: str, typed: list[str], variables: dict[str, str], out: str, err: str) -> None:
    _begin(folder, variables, out, err)
    sys.path[:0] = variables.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = typed
    runpy.run_module(typed[0], run_name="__main__", alter_sys=True)
