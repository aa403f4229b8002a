"""What whole layers gain, and what they need: three figures of docs/benchmarks.md.

    python scripts/bench_whole.py together    # 64 filters in one run, against one run for each
    python scripts/bench_whole.py processes   # two processes with one thread each, against one with two
    python scripts/bench_whole.py memory      # host memory at batch 64 and 224 px, and over 1000 steps

Settings of featviz may follow, such as layer=layer2.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

import psutil
from arguments import answer_help

ALONE = (0, 21, 42)  # of 64 filters, those that are timed in a run of their own
MIB = 2**20


def timed(*settings: str, threads: int = 2) -> float:
    """Seconds of a whole run as typed, start-up included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "featviz", "logger=none", "callbacks=none", *settings]
        began = time.perf_counter()
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run([*command, f"hydra.run.dir={folder}"], check=True, env=environment, capture_output=True)
        return time.perf_counter() - began


def together(*settings: str) -> None:
    """64 filters in one run against single runs."""
    whole = timed("layer=layer3", "filters=0-63", *settings)
    alone = median(timed("layer=layer3", f"filters={number}", *settings) for number in ALONE)
    print(f"64 filters in one run: {whole:.0f} s; one run for each: {64 * alone:.0f} s (64 x {alone:.1f} s, the median")
    print(f"of {len(ALONE)}); ratio {64 * alone / whole:.1f}")


def processes(*settings: str) -> None:
    """Two processes against two threads, in turns."""
    chosen = ("layer=layer3", "filters=0-31", "batch_size=8", *settings)
    ways: dict[str, list[float]] = {"one process, two threads": [], "two processes, one thread each": []}
    for _ in range(2):
        ways["one process, two threads"].append(timed(*chosen))
        ways["two processes, one thread each"].append(timed(*chosen, "trainer=cpu", "trainer.devices=2", threads=1))
    for name, seconds in ways.items():
        print(f"{name}: {median(seconds):.1f} s for 32 filters")


def memory(*settings: str) -> None:
    """The peak at batch 64, and what 1000 steps add."""
    large = _memory("schedule.size=224", "schedule.steps=12", "filters=0-63", "batch_size=64", *settings)
    print(f"batch 64 at 224 px: {max(large) / MIB:.0f} MiB at most")
    steps = _memory("schedule.size=64", "schedule.steps=1100", "filters=0-7", *settings)
    early, late = steps[100], max(steps[-100:])
    print(f"after 100 steps {early / MIB:.0f} MiB, after 1100 {late / MIB:.0f} MiB: {(late - early) / MIB:+.1f} MiB")


def _memory(*settings: str) -> list[int]:
    """The process's resident memory after each step."""
    from lightning import Callback

    from featviz.config.compose import compose_default
    from featviz.tasks.visualize import visualize

    seen: list[int] = []

    class Watch(Callback):
        def on_train_batch_end(self, *_: object, **__: object) -> None:
            seen.append(psutil.Process().memory_info().rss)

    visualize(compose_default(["layer=layer3", "logger=none", "callbacks=none", *settings]), callbacks=[Watch()])
    return seen


FIGURES: dict[str, Callable[..., None]] = {"together": together, "processes": processes, "memory": memory}

if __name__ == "__main__":
    answer_help(__doc__)
    if len(sys.argv) < 2 or sys.argv[1] not in FIGURES:
        sys.exit(f"expected one of: {', '.join(FIGURES)}")
    FIGURES[sys.argv[1]](*sys.argv[2:])
