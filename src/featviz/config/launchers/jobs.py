"""A sweep's jobs in other processes: what each is made of, how it is run there, and what is said when it dies.

Hydra's launchers, in ``hydra_plugins``, are imported before its help is printed: what is slow to import is imported
where it is used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from omegaconf import DictConfig, open_dict

from featviz.config.compose import register_resolvers
from featviz.config.launchers.task import run_task
from featviz.errors import JobFailed, one_line

if TYPE_CHECKING:
    from hydra.types import HydraContext


def job_config(context: HydraContext, sweep: DictConfig, overrides: Sequence[str], number: int) -> DictConfig:
    """The configuration of one job."""
    config: DictConfig = context.config_loader.load_sweep_config(sweep, list(overrides))
    with open_dict(config):
        config.hydra.job.id = f"{config.hydra.job.name}_{number}"
        config.hydra.job.num = number
    return config


def run_elsewhere(context: HydraContext, config: DictConfig, state: dict[Any, Any], folder: str) -> JobReturn:
    """Run a job where it has been sent: the program's own task, in the folder where the user stands."""
    os.chdir(folder)
    setup_globals()
    Singleton.set_state(state)
    register_resolvers()
    HydraConfig.instance().set_config(config)
    return run_job(
        hydra_context=context,
        task_function=run_task.__wrapped__,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def resuming(config: DictConfig) -> DictConfig:
    """The configuration of a job that is run again: it makes what is missing in its folder."""
    config = config.copy()
    with open_dict(config):
        config.resume = config.hydra.sweep.dir
    return config


def failed_job(config: DictConfig, why: BaseException | str) -> JobReturn:
    """Print at once that a job's process has died; return what its launcher hands on in its place."""
    job = config.hydra.job
    line = f"job {job.num} ({job.override_dirname}) failed: {one_line(why)}"
    print(f"featviz: {line}", file=sys.stderr)
    result = JobReturn(overrides=list(config.hydra.overrides.task), status=JobStatus.FAILED)
    result.return_value = JobFailed(line)
    return result
