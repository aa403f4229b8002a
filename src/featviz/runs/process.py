"""What a run changes in its process, and puts back."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only

from featviz.runs.host_memory import retain_freed_memory

NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"


@contextmanager
def run_environment() -> Iterator[None]:
    """Keep Lightning's chatter off the screen, and leave the process afterwards as it was.

    Lightning tells what hardware there is each time, and warns of what is so on purpose (a backbone in eval mode, few
    steps, going on in the middle of them) and of its own use of torch. Numbers next to zero (averages of filters that
    do not answer) slow a CPU down many times over: they are flushed to zero. Freed memory is kept for the next step
    (``host_memory.py``). Matrix products on CUDA may use TF32, as convolutions do by default.
    """
    flushing = not (torch.tensor(1e-40) * 1).item()
    precision = torch.get_float32_matmul_precision()
    try:
        torch.set_flush_denormal(True)
        if torch.cuda.is_available():
            torch.set_float32_matmul_precision("high")
        with (
            lightning_quiet(),
            retain_freed_memory(),
            _ended_by_sigterm(),
            _errors_of_writing_threads(),
            _no_gpu_looked_for(),
            _first_of_all_processes(),
            torch.inference_mode(False),
            torch.enable_grad(),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", message="Found .* in eval mode at the start of training")
            warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging")
            warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch")
            warnings.filterwarnings("ignore", message="The `srun` command is available on your system but is not used")
            warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.* is deprecated")
            yield
    finally:
        torch.set_flush_denormal(flushing)
        torch.set_float32_matmul_precision(precision)


@contextmanager
def lightning_quiet() -> Iterator[None]:
    """Keep off the screen what Lightning tells of itself and of the hardware whenever a trainer is made."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the process at once, as it does by itself: Lightning would go on to the end of the chunk.

    What is done is on disk, and ``resume`` goes on from there. A handler of the user's own stays.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _errors_of_writing_threads() -> Iterator[None]:
    """Raise, at the end, what a thread that writes files ended with, such as TensorBoard's on a full disk.

    Python would print a traceback at once; as a rule the same error is raised by the next call, and then told once.
    """
    failed, otherwise = list[OSError](), threading.excepthook

    def note(args: threading.ExceptHookArgs) -> None:
        if isinstance(args.exc_value, OSError):
            failed.append(args.exc_value)
        else:
            otherwise(args)

    threading.excepthook = note
    try:
        yield
    finally:
        threading.excepthook = otherwise
    if failed:
        raise failed[0]


@contextmanager
def _first_of_all_processes() -> Iterator[None]:
    """Let loggers and checkpoints be written: in jobs of SLURM or torchrun Lightning leaves them to another process."""
    decorator: Any = rank_zero_only
    rank, decorator.rank = decorator.rank, 0
    try:
        yield
    finally:
        decorator.rank = rank


@contextmanager
def _no_gpu_looked_for() -> Iterator[None]:
    """Where there is no GPU, let torch remember that.

    At each step its optimizers ask whether there is one. Lightning has set that the answer comes from the driver, whose
    library is then looked for every time: .2 ms. Without a driver, torch's other way knows at once.
    """
    setting = None if torch.cuda.is_available() else os.environ.pop(NVML, None)
    try:
        yield
    finally:
        if setting is not None:
            os.environ[NVML] = setting


def _end(number: int, _frame: Any) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
