"""What is put back when pictures have been made, whatever has been done to it."""

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from featviz.watch.untouched import untouched


def threads() -> None:
    torch.set_num_threads(torch.get_num_threads() + 1)


def fail_after(change: Callable[[], Any]) -> None:
    change()
    raise RuntimeError


#: What the process has: how it is read, and how it is changed.
STATES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "python": (random.getstate, random.random),
    "numpy": (lambda: (np.random.get_state()[1].tolist(), np.random.get_state()[2]), np.random.random),
    "torch": (lambda: torch.get_rng_state().tolist(), lambda: torch.rand(1)),
    "seed": (torch.initial_seed, lambda: torch.manual_seed(17)),
    "threads": (torch.get_num_threads, threads),
    "type": (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64)),
    "kernels": (torch.are_deterministic_algorithms_enabled, lambda: torch.use_deterministic_algorithms(True)),
    "cudnn": (lambda: torch.backends.cudnn.benchmark, lambda: setattr(torch.backends.cudnn, "benchmark", True)),
    "gradients": (torch.is_grad_enabled, lambda: torch.set_grad_enabled(False)),
    "precision": (torch.get_float32_matmul_precision, lambda: torch.set_float32_matmul_precision("medium")),
    "denormal": (lambda: (torch.tensor(1e-40) * 1).item(), lambda: torch.set_flush_denormal(False)),
    "warnings": (lambda: list(warnings.filters), lambda: warnings.simplefilter("ignore")),
}


@pytest.mark.parametrize("state", STATES)
def test_it_is_as_before(state: str) -> None:
    read, change = STATES[state]
    before = read()
    with untouched():
        change()
    assert read() == before


@pytest.mark.parametrize("state", STATES)
def test_it_is_as_before_after_an_error(state: str) -> None:
    read, change = STATES[state]
    before = read()
    with pytest.raises(RuntimeError), untouched():
        fail_after(change)
    assert read() == before


def test_modes_of_the_training_are_switched_off_within() -> None:
    layer = torch.nn.Linear(2, 2)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        with untouched():
            output = layer(torch.rand(1, 2))
        assert torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
    assert (output.dtype, output.requires_grad) == (torch.float32, True)


def test_what_torch_has_been_told_is_put_back_as_it_was() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_default_dtype(torch.float64)
    try:
        with untouched():
            assert torch.rand(1).dtype == torch.float32
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.rand(1).dtype == torch.float64
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_default_dtype(torch.float32)
