"""Freed memory of the host is kept for the next step, instead of going back to the system and being asked for again.

Of large blocks the C library asks the system each time, which hands out pages that it first has to fill with zeros: on
2 cores with feature maps of 40 MB that took as long as the network's arithmetic (scripts/bench.py).
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# glibc's <malloc.h>
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
KEEPING = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1}
#: What glibc by itself comes to once a large block has been freed, and its number of blocks.
USUAL = {MMAP_THRESHOLD: 32 * 2**20, TRIM_THRESHOLD: 64 * 2**20, MMAP_MAX: 65536}
BY_USER = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")  # who has set one of these has chosen


@contextmanager
def retain_freed_memory() -> Iterator[None]:
    """Within it the process's memory does not shrink; afterwards, what is free goes back to the system.

    Does nothing with other C libraries than glibc, or where the environment settles how memory is allocated.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith(BY_USER) for name in os.environ):
        yield
        return
    library = ctypes.CDLL(None)
    _set(library, KEEPING)
    try:
        yield
    finally:
        _set(library, USUAL)
        library.malloc_trim(0)


def _set(library: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        library.mallopt(option, value)
