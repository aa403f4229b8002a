"""Loops of our own as machine code, by Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(*types: Any, contract: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile for arguments of these types at once, before threads call it; without types, for any when it is called.

    What is compiled lets other threads run meanwhile, and is kept on disk for later processes where there is a place.
    With ``contract`` a product may go into a sum before it is rounded.
    NUMBA_DISABLE_JIT, which is for loops that somebody works on, does not count: Python rounds them otherwise.
    """
    signature = numba.void(*types) if types else None
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"} if contract else False}

    def compile_(function: Callable[..., Any]) -> Callable[..., Any]:
        settings: Any = numba.config
        disabled, settings.DISABLE_JIT = settings.DISABLE_JIT, 0
        try:
            return numba.njit(signature, cache=True, **options)(function)
        except RuntimeError:  # no folder to keep machine code in
            return numba.njit(signature, **options)(function)
        finally:
            settings.DISABLE_JIT = disabled

    return compile_
