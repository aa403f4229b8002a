"""Leaves a training as it was: its random numbers, and what torch has been told of how to compute."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

from featviz.runs.process import run_environment


@contextmanager
def untouched() -> Iterator[None]:
    """Within it pictures can be made; afterwards the process is as it was, bit for bit.

    The states of all random numbers (Python's, NumPy's, torch's on each device in use), the number of threads, the
    choice of deterministic kernels, the default type and device, autocast and the mode of gradients are put back;
    signals, warnings, precision and logging by :func:`featviz.runs.process.run_environment`.
    """
    with ExitStack() as stack:
        cuda_in_use: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        for put_back in (_random_numbers, _threads, _kernels, _default_type, run_environment):
            stack.enter_context(put_back())
        for kind in ("cpu", "cuda") if cuda_in_use else ("cpu",):
            stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def _random_numbers() -> Iterator[None]:
    """Those of all generators that the process shares; Lightning's ``isolate_rng`` forgets them after an error."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)


@contextmanager
def _threads() -> Iterator[None]:
    count = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != count:
            torch.set_num_threads(count)


@contextmanager
def _kernels() -> Iterator[None]:
    """Which of its kernels torch takes: a trainer sets that where its settings say so."""
    deterministic = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    flags = cudnn.benchmark, cudnn.deterministic
    try:
        torch.use_deterministic_algorithms(False)  # some of the transforms' kernels have no deterministic twin
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
        cudnn.benchmark, cudnn.deterministic = flags


@contextmanager
def _default_type() -> Iterator[None]:
    kind = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(kind)
