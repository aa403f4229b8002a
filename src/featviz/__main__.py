"""The Hydra entry point: ``python -m featviz``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig

from featviz.arguments import as_hydra_takes_them
from featviz.config import config_dir, register_resolvers
from featviz.config_errors import explain, is_bad_input
from featviz.errors import JobFailed, one_line
from featviz.sweep import FAILURE, finish_sweeps
from hydra_plugins.featviz_joblib import joblib_launcher
from hydra_plugins.featviz_ray import ray_launcher

OURS = "FEATVIZ_SETS_HYDRA_FULL_ERROR"  # tells the processes of a sweep's jobs that the user has not
WANT_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0") and OURS not in os.environ


class OwnConfigurations(SearchPathPlugin):
    """Finds our groups also where ``--config-path`` names another folder, such as that of an earlier run."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Look in our folder last."""
        search_path.append("featviz", f"file://{config_dir()}")


@hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")
def run(cfg: DictConfig) -> None:
    """Run the task of one composed configuration."""
    try:
        get_method(cfg.task._target_)(cfg)
    except Exception as error:
        if WANT_TRACEBACK or not is_bad_input(error):
            raise
        job = HydraConfig.get()
        if job.mode != RunMode.MULTIRUN:
            sys.exit(_say(explain(error)))
        line = f"job {job.job.num} ({job.job.override_dirname}) failed: {explain(error)}"
        _say(line)
        if "submitit" in str(job.launcher._target_):  # its jobs write into logs, and of several it raises the first
            Path(job.runtime.output_dir, FAILURE).write_text(line, encoding="utf-8")
        raise JobFailed(line) from error  # by Hydra, after the last job: the others go on


def main() -> None:
    """Run as a program: bad input gives one line and exit status 1."""
    # Hydra would print tracebacks and end the process; with this set it lets its errors through to us.
    os.environ.update({"HYDRA_FULL_ERROR": "1"} | ({} if WANT_TRACEBACK else {OURS: "1"}))
    Plugins.instance().register(OwnConfigurations)
    joblib_launcher.register()
    ray_launcher.register()
    register_resolvers()
    try:
        sys.argv[1:] = as_hydra_takes_them(sys.argv[1:])
        run()
    except KeyboardInterrupt:
        sys.exit(130)
    except JobFailed:
        sys.exit(1)
    except Exception as error:
        if WANT_TRACEBACK or not is_bad_input(error):
            raise
        sys.exit(_say(explain(error)))
    finally:
        finish_sweeps()
        os.environ.pop(OURS, None)


def _say(text: str) -> int:
    print(f"featviz: {one_line(text, most=1000)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
