"""The task that makes activation atlases (Carter, Armstrong, Schubert, Johnson and Olah 2019, Distill)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, open_dict

from featviz.config.build import build_model
from featviz.config.report import without_pages
from featviz.errors import FeatvizError
from featviz.models.model import Model
from featviz.photos.atlas.tables import LayerAtlas
from featviz.results.files import file_name, write_file
from featviz.results.folder import RunFolder
from featviz.results.result import Result
from featviz.results.rows import Row
from featviz.results.tensors import npy
from featviz.runs.inputs import check_inputs, inputs_of, read_inputs
from featviz.runs.same_settings import check_same_run, plain
from featviz.tasks.atlas.outcome import write_outcome, write_preparation
from featviz.tasks.atlas.prepare import prepare
from featviz.tasks.visualize import visualize

log = logging.getLogger(__name__)

VECTORS = "objective.vectors"


@dataclass
class Atlas:
    """``layers``, the atlas of each; and the pictures of their cells, with a row of ``results.csv`` for each."""

    layers: list[LayerAtlas]
    result: Result


def run(cfg: DictConfig) -> None:
    """Make the atlas of each layer, in the run's folder."""
    folder = RunFolder(HydraConfig.get().runtime.output_dir)
    made = atlas(cfg, folder)
    cells = sum(len(one.cells) for one in made.layers)
    log.info("%s: atlas_*.png, atlas.csv of %d cells", folder.path, cells)


def atlas(cfg: DictConfig, folder: RunFolder | None = None, model: Model | None = None) -> Atlas:
    """Make the atlas of each layer; ``model`` takes the place of ``cfg.model``. Without a folder nothing is written."""
    if folder is None:
        with TemporaryDirectory() as path:
            return atlas(_unseen(cfg), RunFolder(path), model)
    _check_objective(cfg)
    model = model or build_model(cfg)
    inputs = inputs_of(plain(cfg), model)
    if (folder.path / "config.yaml").exists():
        check_same_run(cfg, folder.path, without=("objective",))
        check_inputs(folder.path, {**inputs, **_vectors_in(folder.path)})
    layers = prepare(cfg, folder.path, model, inputs)
    write_preparation(folder.path, layers, model, cfg.atlas.photos)

    def at_end(loggers: list[Logger], rows: list[Row]) -> None:
        write_outcome(folder, layers, model, rows, loggers, cfg.atlas.projected)

    result = visualize(_of_cells(cfg, folder.path, layers), folder, model, at_end, own_files=(VECTORS,))
    return Atlas(layers, result)


def _unseen(cfg: DictConfig) -> DictConfig:
    """The configuration of a run whose folder nobody will see."""
    other = without_pages(cfg)
    other.logger = None
    return other


def _vectors_in(folder: Path) -> dict[str, str]:
    """What an earlier run says of the vectors, which are computed of all else and have no part in the comparison."""
    inputs = read_inputs(folder) or {}
    return {name: digest for name, digest in inputs.items() if name.startswith(VECTORS)}


def _check_objective(cfg: DictConfig) -> None:
    if not {"vectors", "cosine_power"} <= {*cfg.objective}:
        what = f"task=atlas draws directions, and objective={cfg.objective.name} has none"
        raise FeatvizError(what, setting="objective", got=cfg.objective.name, expected="direction or direction_neuron")


def _of_cells(cfg: DictConfig, folder: Path, layers: list[LayerAtlas]) -> DictConfig:
    """The configuration of a run that draws the means of all cells, which are written into its folder."""
    files = {}
    for one in layers:
        path = folder / f"cells_{file_name(one.layer)}.npy"
        write_file(path, npy(torch.from_numpy(one.vectors)))
        files[one.module] = str(path.resolve())
    other = cfg.copy()
    with open_dict(other):
        other.objective.vectors = files
    return other
