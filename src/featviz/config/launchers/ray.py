"""``hydra/launcher=ray``: a sweep's jobs on a running Ray cluster, or on this machine where there is none.

Hydra's own, hydra-ray-launcher 1.2.2, cannot join a running cluster of Ray 2, and holds cloudpickle at a version that
others exclude.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, configure_log, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from typing_extensions import override

#: What ``hydra.launcher`` takes. No dataclass: Hydra imports this in a way that those do not bear.
SETTINGS = {
    "_target_": "hydra_plugins.featviz.RayLauncher",
    "address": None,  # of a running cluster, host:port or auto; null: $RAY_ADDRESS, or Ray on this machine
    "cpus": 1,  # of each job, and its threads
    "gpus": 0,
    "retries": 3,  # of a job whose machine or process dies
}


def register() -> None:
    """Make ``ray`` mean this launcher, in our own program only, after Hydra has found its plugins."""
    ConfigStore.instance().store(group="hydra/launcher", name="ray", node=SETTINGS, provider="featviz")


class RayLauncher(Launcher):
    """Hands each job to Ray; all machines see the same folders."""

    def __init__(self, address: str | None, cpus: float, gpus: float, retries: int) -> None:
        self.address, self.cpus, self.gpus, self.retries = address, cpus, gpus, retries

    @override
    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    @override
    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        # One that Ray gives up is printed, and the others go on.
        from featviz.config.launchers.jobs import job_config, run_elsewhere

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        ray = self._ray()
        remote = ray.remote(run_elsewhere).options(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=self.retries)
        numbered = enumerate(job_overrides, initial_job_idx)
        configs = [job_config(self.context, self.config, each, number) for number, each in numbered]
        state, folder = Singleton.get_state(), str(Path.cwd())
        jobs = [remote.remote(self.context, config, state, folder) for config in configs]
        for config, overrides in zip(configs, job_overrides, strict=True):
            print(f"#{config.hydra.job.num} : {' '.join(filter_overrides(list(overrides)))}")
        try:
            return [self._result(ray, job, config) for job, config in zip(jobs, configs, strict=True)]
        finally:
            ray.shutdown()

    def _ray(self) -> Any:
        from featviz.errors import FeatvizError, one_line

        try:
            import ray
        except ModuleNotFoundError as error:
            raise FeatvizError("hydra/launcher=ray needs ray: pip install 'featviz[ray]'") from error
        address = self.address or os.environ.get("RAY_ADDRESS")
        _check_reachable(address)
        own: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}  # seen by nobody else
        try:
            ray.init(**({"address": address} if address else own), logging_level=logging.WARNING)
        except Exception as error:  # each kind of address fails in its own way
            raise FeatvizError(f"hydra.launcher.address={address}: no Ray answers: {one_line(error)}") from error
        return ray

    @staticmethod
    def _result(ray: Any, job: Any, config: DictConfig) -> JobReturn:
        from featviz.config.launchers.jobs import failed_job

        try:
            result: JobReturn = ray.get(job)
        except ray.exceptions.RayError as error:  # its process died, or memory ran out, more often than it is tried
            return failed_job(config, error)
        return result


def _check_reachable(address: str | None) -> None:
    """Raise FeatvizError where nothing listens at the address: Ray itself would wait for minutes."""
    from featviz.errors import FeatvizError

    host, separator, port = (address or "").rpartition("://")[2].rpartition(":")
    if not separator:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise FeatvizError(f"hydra.launcher.address={address}: no Ray answers: {error}") from error
