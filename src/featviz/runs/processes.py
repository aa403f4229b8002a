"""Several devices: a process for each, with every so-many-th chunk; all write into the same run folder."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import Any

import torch
from omegaconf import OmegaConf

from featviz.config.judges import judge_nodes
from featviz.errors import FeatvizError, one_line
from featviz.models.model import Model
from featviz.results.folder import RunFolder
from featviz.results.loggers import finish_loggers
from featviz.runs.build import rebuild_run, with_settings
from featviz.runs.plan import make_plan
from featviz.runs.process import run_environment
from featviz.runs.progress import ProgressReport, RunProgress
from featviz.runs.resume import finished_rows
from featviz.runs.run import Run
from featviz.runs.worker import make_missing

POLL_SECONDS = 0.5  # between two looks at the processes


def make_in_processes(run: Run, folder: RunFolder, model: Model | None, total: int) -> None:
    """Make all pictures that are missing in the folder, ``total`` of them; FeatvizError if a process fails.

    ``model`` is one that was handed over from Python; otherwise each process loads its own.
    """
    context = get_context("spawn")
    errors: SimpleQueue[str] = context.SimpleQueue()
    count = len(run.hardware.devices)
    threads = max((os.cpu_count() or 1) // count, 1)
    processes = [
        context.Process(target=_work, args=(_config_of(run, folder, at), threads, str(folder.path), model, errors))
        for at in range(count)
    ]
    for process in processes:
        process.start()
    _wait(processes, folder, total)
    if not errors.empty():
        raise FeatvizError(errors.get())
    if codes := [process.exitcode for process in processes if process.exitcode]:
        raise FeatvizError(f"a process ended with {codes[0]}; what was made is kept: go on with resume={folder.path}")


def _config_of(run: Run, folder: RunFolder, index: int) -> str:
    """The configuration of one process; judges that the user has options for are written out, as it finds none."""
    device, devices = run.hardware.devices[index], run.hardware.devices
    settings: dict[str, Any] = {
        "shard": str(run.shard.divided(index, len(devices))),
        "resume": str(folder.path),
        "trainer.devices": 1 if device.type == "cpu" else [device.index],
    }
    if judges := OmegaConf.select(OmegaConf.create(run.config), "evidence.judges"):
        settings["evidence.judges"] = [OmegaConf.to_container(node, resolve=True) for node in judge_nodes(judges)]
    return with_settings(run.config, settings, without=["callbacks.progress"])


def _work(config: str, threads: int, path: str, model: Model | None, errors: SimpleQueue[str]) -> None:
    """What one process does."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")  # the first process tells how far all are
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with run_environment():
            _make_share(rebuild_run(config, model), RunFolder(path))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        errors.put(one_line(error, most=1000))
        sys.exit(1)


def _make_share(run: Run, folder: RunFolder) -> None:
    """Make a shard of what is missing in the folder."""
    plan, loggers = make_plan(run), run.new_loggers(folder.path)
    try:
        make_missing(RunProgress(plan, folder, finished_rows(folder)), loggers)
    finally:
        finish_loggers(loggers, {}, [])


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
            time.sleep(POLL_SECONDS)
            alive = any(process.is_alive() for process in processes)
            if (now := folder.count()) > counted:
                progress.add(now - counted)
                counted = now
    except KeyboardInterrupt:
        for process in processes:
            process.join()
        raise
    for process in processes:
        process.join()
