"""The Hydra entry point: ``python -m featviz``."""

from __future__ import annotations

import os
import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from featviz.config import config_dir
from featviz.config_errors import explain
from featviz.errors import FeatvizError, one_line

WANT_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")


@hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")
def run(cfg: DictConfig) -> None:
    """Run the task of one composed configuration."""
    try:
        get_method(cfg.task._target_)(cfg)
    except (FeatvizError, HydraException, OmegaConfBaseException) as error:
        if WANT_TRACEBACK:
            raise
        job = HydraConfig.get()
        if job.mode == RunMode.MULTIRUN:  # the other jobs go on; Hydra raises this one's error after the last
            print(
                f"featviz: job {job.job.num} ({job.job.override_dirname}) failed: {explain(error)}",
                file=sys.stderr,
            )
            raise
        sys.exit(_say(error))


def main() -> None:
    """Run as a program: bad input gives one line and exit status 1."""
    # Hydra would print tracebacks and end the process; with this set it lets its errors through to us.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(130)
    except (FeatvizError, HydraException, OmegaConfBaseException) as error:
        if WANT_TRACEBACK:
            raise
        sys.exit(_say(error))
    except OSError as error:
        if WANT_TRACEBACK or not error.filename:
            raise
        sys.exit(_say(FeatvizError(f"cannot use {error.filename}: {error.strerror}")))


def _say(error: Exception) -> int:
    text = str(error) if isinstance(error, FeatvizError) else explain(error)
    print(f"featviz: {one_line(text, most=1000)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
