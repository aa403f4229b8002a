"""Several devices: a process for each, with every so-many-th chunk; all write into the same run folder."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from shutil import which

import torch
from lightning import Trainer
from omegaconf import DictConfig, OmegaConf

from featviz.config.build import build
from featviz.errors import FeatvizError, one_line
from featviz.models.model import Model
from featviz.results.folder import RunFolder
from featviz.runs.chunks import read_shard
from featviz.runs.progress import ProgressReport

log = logging.getLogger(__name__)

LOOK = 0.5  # s between two looks at the processes


def devices_of(cfg: DictConfig) -> list[torch.device]:
    """The devices that ``cfg.trainer`` names; FeatvizError where there are not as many."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a precision that check_device refuses
        trainer: Trainer = build(cfg.trainer, "trainer", logger=False, enable_checkpointing=False)
    root, number = trainer.strategy.root_device, trainer.num_devices
    if root.type != "cpu":
        return [torch.device(root.type, index) for index in trainer.device_ids]
    cores = os.cpu_count() or 1
    if number > cores:
        raise FeatvizError(f"trainer.devices is {number}, but this machine has {cores} CPU cores")
    return [root] * number


def check_device(cfg: DictConfig, device: torch.device) -> None:
    """Raise FeatvizError for a precision that a device cannot do, and where a compiler that is needed is missing."""
    if device.type == "cpu" and str(cfg.trainer.get("precision")).startswith("16"):  # Lightning would take another
        raise FeatvizError(f"trainer.precision is {cfg.trainer.precision}, which a CPU cannot do; expected bf16-mixed")
    if cfg.compile is not True:
        return
    if device.type == "cuda" and not find_spec("triton"):
        raise FeatvizError("compile=true needs triton on a GPU, which is not installed; expected compile=false")
    compilers = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "cl"]
    if device.type == "cpu" and not any(map(which, compilers)):
        raise FeatvizError(f"compile=true needs a C++ compiler ({' or '.join(compilers)}); expected compile=false")


def describe_device(cfg: DictConfig, device: torch.device) -> str:
    """A device, and how it computes."""
    precision = str(cfg.trainer.get("precision") or "32-true")
    if device.type == "cuda":
        exact = "TF32" if torch.get_float32_matmul_precision() != "highest" else "float32"
        return f"{torch.cuda.get_device_name(device)} in {exact if precision.startswith('32') else precision}"
    count = torch.get_num_threads()
    threads = f" with {count} thread{'s' * (count > 1)}" if device.type == "cpu" else ""
    return f"{device.type}{threads} in {'float32' if precision.startswith('32') else precision}"


def make_on(devices: list[torch.device], cfg: DictConfig, folder: RunFolder, model: Model | None, total: int) -> None:
    """Make all pictures that are missing in the folder; FeatvizError if a process fails.

    ``model`` is one that was handed over from Python; otherwise each process loads its own.
    """
    context = get_context("spawn")
    errors: SimpleQueue[str] = context.SimpleQueue()
    threads = max((os.cpu_count() or 1) // len(devices), 1)
    processes = [
        context.Process(target=_work, args=(_part(cfg, folder, at, devices), threads, str(folder.path), model, errors))
        for at in range(len(devices))
    ]
    for process in processes:
        process.start()
    _wait(processes, folder, total)
    if not errors.empty():
        raise FeatvizError(errors.get())
    if codes := [process.exitcode for process in processes if process.exitcode]:
        raise FeatvizError(f"a process ended with {codes[0]}; what was made is kept: go on with resume={folder.path}")


def _part(cfg: DictConfig, folder: RunFolder, at: int, devices: list[torch.device]) -> str:
    """The configuration of one process."""
    part = cfg.copy()
    OmegaConf.set_struct(part, False)
    number, parts = read_shard(cfg.shard)
    part.shard = f"{number + parts * at}/{parts * len(devices)}"
    part.resume = str(folder.path)
    part.trainer.devices = 1 if devices[at].type == "cpu" else [devices[at].index]
    if part.callbacks:
        part.callbacks.pop("progress", None)
    return OmegaConf.to_yaml(part, resolve=True)


def _work(text: str, threads: int, path: str, model: Model | None, errors: SimpleQueue[str]) -> None:
    """One process."""
    from featviz.runs.worker import make_part

    logging.basicConfig(level=logging.WARNING, format="%(message)s")  # the first process tells how far all are
    cfg = OmegaConf.create(text)
    assert isinstance(cfg, DictConfig)
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        make_part(cfg, RunFolder(path), model)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        errors.put(one_line(error, most=1000))
        sys.exit(1)


def _end_with_parent() -> None:
    """A killed run must not leave processes behind."""
    parent = parent_process()
    assert parent
    parent.join()
    os._exit(1)


def _wait(processes: Sequence[BaseProcess], folder: RunFolder, total: int) -> None:
    """Until all have ended; Ctrl-C reaches them too, and they save what they have."""
    progress, counted, alive = ProgressReport(total), folder.count(), True
    try:
        while alive:
            time.sleep(LOOK)
            alive = any(process.is_alive() for process in processes)
            if (now := folder.count()) > counted:
                progress.tell(now - counted)
                counted = now
    except KeyboardInterrupt:
        for process in processes:
            process.join()
        raise
    for process in processes:
        process.join()
