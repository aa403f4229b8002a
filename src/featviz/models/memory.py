"""Errors that say that there is no memory left."""

from __future__ import annotations

import torch

CPU_IS_FULL = "DefaultCPUAllocator: can't allocate memory"


def memory_is_full(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, on a device or on the host."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or CPU_IS_FULL in str(error)
