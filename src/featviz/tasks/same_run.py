"""Going on with what tasks without a plan have made: the folder is of the same run, and all there, or made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from featviz.config.compose import resolved_yaml
from featviz.config.python_values import folder_path
from featviz.models.model import Model
from featviz.results.completion import begin, damaged
from featviz.results.folder import RunFolder
from featviz.runs.inputs import check_inputs, inputs_of, write_inputs
from featviz.runs.same_settings import check_same_run, plain
from featviz.runs.worker import write_config


def folder_of_call(cfg: DictConfig, output: Any, model: Model | None) -> Path | None:
    """The folder that a call from Python names for its files, made ready; None where nothing is written.

    Raises:
        FeatvizError: it holds another run.
    """
    path = folder_path("output", output)
    if path:
        is_finished(cfg, path, model)
    return path


def is_finished(cfg: DictConfig, path: Path, model: Model | None = None) -> bool:
    """Whether the folder holds all that the configuration asks for; otherwise it is made ready for that.

    With ``model``, its weights are among what the run is made of.

    Raises:
        FeatvizError: it holds another run.
    """
    inputs, broken = inputs_of(plain(cfg), model), None
    if (path / "config.yaml").exists():
        check_same_run(cfg, path)
        check_inputs(path, inputs)
        broken = damaged(path)
        if broken == set():
            return True
    begin(path, broken or ())
    write_inputs(path, inputs)
    if not (path / "config.yaml").exists():
        write_config(RunFolder(path), resolved_yaml(cfg))
    return False
