"""``hydra/launcher=joblib``: a sweep's jobs in several processes of this machine.

Hydra's own, hydra-joblib-launcher 1.2.0, gives all jobs up when the process of one is killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    "_target_": "hydra_plugins.featviz.JoblibLauncher",
    "n_jobs": -1,  # at the same time; -1: as many as there are cores
}
KILLED = "its process was killed, as happens when memory runs out; resume=FOLDER of the sweep makes what is missing"


def register() -> None:
    """Make ``joblib`` mean this launcher, in our own program only: others in the same environment have other tasks.

    To be called after Hydra has found its plugins, since its own launcher has the same name.
    """
    ConfigStore.instance().store(group="hydra/launcher", name="joblib", node=SETTINGS, provider="featviz")


class JoblibLauncher(Launcher):
    """Keeps ``n_jobs`` processes busy, which share the cores."""

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs

    @override
    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.config = hydra_context, config

    @override
    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        # Where a process dies, those that were running are tried again, each alone.
        from featviz.config.launchers.jobs import failed_job, job_config, resuming

        processes = self._processes()
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
        configs = {n: job_config(self.context, self.config, o, n) for n, o in zip(numbers, job_overrides, strict=True)}
        for number, overrides in zip(numbers, job_overrides, strict=True):
            print(f"#{number} : {' '.join(filter_overrides(list(overrides)))}", flush=True)
        done: dict[int, JobReturn] = {}
        while waiting := [number for number in numbers if number not in done]:
            done |= self._run({number: configs[number] for number in waiting}, processes)
            for number in [number for number in waiting if number not in done][:processes]:
                alone = self._run({number: resuming(configs[number])}, processes)
                done[number] = alone[number] if alone else failed_job(configs[number], KILLED)
        return [done[number] for number in numbers]

    def _processes(self) -> int:
        """How many at the same time."""
        from featviz.errors import FeatvizError

        try:
            from joblib import effective_n_jobs
        except ModuleNotFoundError as error:
            raise FeatvizError("hydra/launcher=joblib needs joblib: pip install 'featviz[joblib]'") from error
        if type(self.n_jobs) is not int or self.n_jobs == 0:
            expected = "a number of processes, or -1 for all cores"
            raise FeatvizError(setting="hydra.launcher.n_jobs", got=self.n_jobs, expected=expected)
        return int(effective_n_jobs(self.n_jobs))

    def _run(self, configs: dict[int, DictConfig], processes: int) -> dict[int, JobReturn]:
        """Run jobs at the same time; those that had ended, in order, when a process died, or all."""
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        from featviz.config.launchers.jobs import run_elsewhere

        state, folder = Singleton.get_state(), str(Path.cwd())
        calls = (delayed(_numbered)(n, run_elsewhere, self.context, c, state, folder) for n, c in configs.items())
        # Jobs are handed out in order and one by one: when a process dies, the first of those that have not ended ran.
        settings = {"batch_size": 1, "pre_dispatch": processes, "return_as": "generator_unordered"}
        done: dict[int, JobReturn] = {}
        try:
            # With a single process, joblib would take this one.
            results: Iterable[tuple[int, JobReturn]] = Parallel(max(processes, 2), "loky", **settings)(calls)
            for number, result in results:
                done[number] = result
        except TerminatedWorkerError:
            pass
        return done


def _numbered(number: int, run: Any, *what: Any) -> tuple[int, JobReturn]:
    return number, run(*what)
