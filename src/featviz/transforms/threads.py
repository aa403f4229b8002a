"""Work of our own in several threads, beside torch's."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


def in_threads(work: Callable[[], None]) -> None:
    """Call ``work`` in as many threads as torch uses, at the same time, and wait for all; raises what one of them does.

    Where torch has its threads from GNU OpenMP, they are these very threads: having ended some work, they wait for
    more without leaving their cores, and other threads would get half a core each.
    """
    count, errors = torch.get_num_threads(), list[BaseException]()

    def careful(_: int | None = None) -> None:
        try:
            work()
        except BaseException as error:  # Ctrl-C, too, would be lost between threads
            errors.append(error)

    openmp = _gnu_openmp()
    if count == 1:
        careful()
    elif openmp:
        openmp.GOMP_parallel(_Task(careful), None, count, 0)
    else:
        list(_pool(os.getpid()).map(careful, range(count)))
    if errors:
        raise errors[0]


def each_in_threads(work: Callable[[Any], object], pictures: Sequence[Any]) -> None:
    """Call ``work`` with each picture, or what stands for it; each thread takes the next one when it is ready.

    With GNU OpenMP torch computes in that thread alone. Other threads than the caller's do not know of ``no_grad``.
    """
    left = iter(pictures)

    def some() -> None:
        for picture in left:  # an iterator hands out each of them once, whoever asks
            work(picture)

    in_threads(some)


def for_all(kernel: Callable[..., None], tensors: Sequence[Tensor], *same: Any) -> None:
    """Call a kernel of machine code with the arrays of each picture, (N, ...) each, and with what all share."""
    arrays = zip(*(tensor.detach().numpy() for tensor in tensors), strict=True)
    each_in_threads(lambda each: kernel(*each, *same), list(arrays))


_Task = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@lru_cache(maxsize=1)
def _gnu_openmp() -> ctypes.CDLL | None:
    """The library that torch has loaded, and no other; None where torch has none of that name."""
    try:
        library = ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD)
    except (OSError, AttributeError):
        return None
    library.GOMP_parallel.argtypes = [_Task, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    library.GOMP_parallel.restype = None
    return library


@lru_cache(maxsize=1)
def _pool(_process: int) -> ThreadPoolExecutor:
    """Of this process: a fork does not take threads along."""
    return ThreadPoolExecutor(os.cpu_count(), "featviz")
