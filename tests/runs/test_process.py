"""What a run changes in its process, and puts back."""

import copy
import errno
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from interface import QUIET
from tiny_networks import Tiny
from torch import Tensor, nn

import featviz
from featviz.config.compose import config_dir
from featviz.errors import FeatvizError
from featviz.runs.process import run_environment

pytestmark = pytest.mark.usefixtures("libraries_imported")


def state() -> dict[str, Any]:
    named = [entry for entry in logging.root.manager.loggerDict.values() if isinstance(entry, logging.Logger)]
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index]
        "python": random.getstate(),
        "gradients": torch.is_grad_enabled(),
        "flushed": (torch.tensor(1e-40) * 1).item() == 0,
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "logging": {log.name: (log.level, log.handlers[:]) for log in [logging.root, *named]},
        "warnings": warnings.filters[:],
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "hydra": GlobalHydra.instance().hydra,
        "environment": dict(os.environ),
        "path": sys.path[:],
        "arguments": sys.argv[:],
        "folder": Path.cwd(),
    }


@pytest.fixture
def flushed() -> Iterator[None]:
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


CALLS: dict[str, Callable[[nn.Module], object]] = {
    "visualize": lambda net: featviz.visualize(net, "second", [0], overrides=QUIET),
    "by name": lambda _: featviz.visualize(
        "own", "second", [0], overrides=["model.target=tiny_networks.Tiny", "model.weights=random", *QUIET]
    ),
    "wrong": lambda net: wrongly(net),
    "layers": lambda net: featviz.layers(net),
    "activations": lambda net: featviz.activations(net, torch.zeros(1, 3, 48, 48), "bn"),
}


def wrongly(net: nn.Module) -> None:
    with pytest.raises(FeatvizError):
        featviz.visualize(net, "nowhere", overrides=QUIET)


@pytest.mark.parametrize("name", CALLS)
def test_the_process_is_left_as_it_was(tiny: Tiny, name: str) -> None:
    network = tiny.train()
    network.second.weight.requires_grad_(False)
    kept, modes = copy.deepcopy(network.state_dict()), [module.training for module in network.modules()]
    before = state()
    CALLS[name](network)
    after = state()
    assert {key for key in before if after[key] != before[key]} == set()
    assert [module.training for module in network.modules()] == modes
    assert [parameter.requires_grad for parameter in network.parameters()].count(False) == 1
    assert all(torch.equal(kept[key], value) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.usefixtures("flushed")
def test_numbers_next_to_zero_stay_flushed_where_they_were(tiny: Tiny) -> None:
    before = state()
    featviz.visualize(tiny, "second", [0], overrides=QUIET)
    assert state()["flushed"] is before["flushed"] is True


@pytest.mark.parametrize("mode", [nullcontext, torch.no_grad, torch.inference_mode])
def test_inside_a_mode_without_gradients(tiny: Tiny, mode: Callable[[], Any]) -> None:
    expected = featviz.visualize(tiny, "second", [0], overrides=QUIET).images
    with mode():
        before = torch.is_grad_enabled()
        images = featviz.visualize(tiny, "second", [0], overrides=QUIET).images
        assert torch.is_grad_enabled() is before
    assert torch.equal(images, expected)


def test_in_another_thread(tiny: Tiny) -> None:
    found: list[Tensor] = []
    thread = threading.Thread(
        target=lambda: found.append(featviz.visualize(tiny, "second", [0], overrides=QUIET).images)
    )
    thread.start()
    thread.join()
    assert torch.equal(found[0], featviz.visualize(tiny, "second", [0], overrides=QUIET).images)


@pytest.mark.parametrize("later", [None, FeatvizError("told already")])
def test_what_a_thread_that_writes_ends_with_is_raised_once(
    later: Exception | None, capfd: pytest.CaptureFixture[str]
) -> None:
    def write() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    @run_environment()
    def work() -> None:
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        if later:
            raise later

    with pytest.raises(FeatvizError if later else OSError):
        work()
    assert capfd.readouterr().err == ""


def test_other_errors_of_threads_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    with run_environment():
        thread = threading.Thread(target=lambda: [].pop())
        thread.start()
        thread.join()
    assert seen == [IndexError]


def test_inside_a_program_that_uses_hydra_itself(tiny: Tiny) -> None:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        own = GlobalHydra.instance().hydra
        featviz.visualize(tiny, "second", [0], overrides=QUIET)
        assert GlobalHydra.instance().hydra is own
        assert compose("config").seed == 0
