"""Loops of our own as machine code."""

from typing import Any

import numba
import numpy as np
import pytest

from featviz.transforms.kernels.bilinear import kernels
from featviz.transforms.kernels.compiled import compiled


def test_loops_are_compiled_whatever_the_environment_says_of_other_peoples_loops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config: Any = numba.config
    monkeypatch.setattr(config, "DISABLE_JIT", 1)

    @compiled(numba.float32[::1])
    def double(numbers: Any) -> None:
        for at in range(numbers.size):
            numbers[at] *= 2

    numbers = np.ones(3, np.float32)
    double(numbers)
    assert isinstance(double, numba.core.registry.CPUDispatcher)
    assert config.DISABLE_JIT == 1
    assert numbers.tolist() == [2, 2, 2]


def test_kernels_hold_no_compiled_function_for_which_machine_code_on_disk_would_not_be_found_again() -> None:
    for kernel in (*kernels(3), *kernels(1)):
        assert not [cell for cell in kernel.py_func.__closure__ or () if hasattr(cell.cell_contents, "py_func")]
