"""The Hydra entry point: ``python -m featviz``."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf
from typing_extensions import override

from featviz.config.arguments import hydra_arguments
from featviz.config.compose import config_dir, register_resolvers
from featviz.config.help import settings_of_tasks
from featviz.config.launchers import joblib, ray
from featviz.config.launchers.task import OURS, WANT_TRACEBACK, print_error, run_task
from featviz.config.messages import is_bad_input, message_of
from featviz.config.new_files import keep_new_files, remove_new_files
from featviz.config.run_mode import composed_once
from featviz.config.streams import safe_output
from featviz.config.sweeps import finish_sweeps
from featviz.errors import JobFailed


class OwnConfigurations(SearchPathPlugin):
    """Finds our groups also where ``--config-path`` names another folder, such as that of an earlier run."""

    @override
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("featviz", f"file://{config_dir()}")


def main() -> None:
    """Run as a program: bad input gives one line and exit status 1."""
    # Hydra would print tracebacks and end the process; with this set it lets its errors through to us.
    os.environ.update({"HYDRA_FULL_ERROR": "1"} | ({} if WANT_TRACEBACK else {OURS: "1"}))
    if "--version" in sys.argv[1:]:
        print(f"featviz {version('featviz')}")
        return
    _make_importable(Path.cwd())
    with safe_output():
        _run()


def _make_importable(folder: Path) -> None:
    """Let modules be found beside the user, as ``python -m featviz`` does; the program ``featviz`` would not."""
    if not sys.flags.safe_path and not {"", str(folder)} & set(sys.path):
        sys.path.insert(0, str(folder))


def _run() -> None:
    Plugins.instance().register(OwnConfigurations)
    joblib.register()
    ray.register()
    register_resolvers()
    OmegaConf.register_new_resolver("task_settings", settings_of_tasks, replace=True)
    try:
        sys.argv[1:] = hydra_arguments(sys.argv[1:])
        with composed_once(sys.argv[1:]):
            run_task()
    except KeyboardInterrupt:
        sys.exit(130)
    except JobFailed:
        finish_sweeps()
        remove_new_files()
        sys.exit(1)
    except Exception as error:
        if WANT_TRACEBACK or not is_bad_input(error):
            raise
        finish_sweeps()
        remove_new_files()
        sys.exit(print_error(message_of(error, sys.argv[1:])))
    finally:
        keep_new_files()
        finish_sweeps()
        os.environ.pop(OURS, None)


if __name__ == "__main__":
    main()
