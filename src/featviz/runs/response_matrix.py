"""Which filter answers to which picture: the pictures of a layer against its filters.

The responses are kept in ``responses/<layer>.npy``, so that the folders of shards can be put together without their
network.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch.loggers import Logger
from PIL import Image
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.metrics.picture_metrics import PictureMetrics
from featviz.objectives import Channel
from featviz.reading import read_array
from featviz.results.files import file_name, write_file
from featviz.results.folder import RunFolder
from featviz.results.loggers import log_picture
from featviz.results.plots import matrix_plot
from featviz.results.rows import Row, heading
from featviz.results.tensors import npy
from featviz.runs.plan import LayerPlan
from featviz.runs.progress import RunProgress
from featviz.runs.weak_pictures import Responses, with_weak_ones

MOST = 512  # pictures of a layer; those after them are left out


def compare_pictures(progress: RunProgress, loggers: Sequence[Logger]) -> None:
    """Show the pictures of a layer to all its filters, where it has pictures of several single filters.

    It draws ``response_matrix_<layer>.png``, and the rows of weak pictures get their reason.
    """
    plan, folder = progress.plan, progress.folder
    evidence = plan.method.evidence
    for layer in plan.layers:
        objective = plan.method.objective(layer=layer.name, filters=layer.filters[:1])
        rows = [row for row in progress.ordered() if row["layer"] == layer.name and not row["variant"]][:MOST]
        if not evidence or not isinstance(objective, Channel) or not rows:
            continue
        responses = _responses(evidence, progress, layer, rows)
        progress.replace(with_weak_ones(layer.name, progress.ordered(), responses, objective.statistic))
        if folder and responses:
            write_responses(folder, layer.name, responses)
            draw_response_matrix(folder, layer.name, progress.ordered(), responses, loggers)


def draw_response_matrix(
    folder: RunFolder, layer: str, rows: Sequence[Row], responses: Responses, loggers: Sequence[Logger]
) -> None:
    """Draw a layer's matrix, if it has several pictures and their responses are known."""
    found = [row for row in _shown(layer, rows) if row["filter"] in responses]
    if len(found) < 2:
        return
    numbers = [row["filter"] for row in found]
    scores = torch.stack([responses[number] for number in numbers])[:, numbers]
    names = [row["class"] for row in found if row.get("class")]
    content = matrix_plot(scores, numbers, heading(found), names if len(names) == len(found) else ())
    write_file(matrix_path(folder, layer), content)
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        for logger in loggers:
            log_picture(logger, f"response_matrix/{layer}", image)


def matrix_path(folder: RunFolder, layer: str) -> Path:
    """Where a layer's matrix lies."""
    return folder.path / f"response_matrix_{file_name(layer)}.png"


def write_responses(folder: RunFolder, layer: str, responses: Responses) -> None:
    """Keep responses: a line for each picture, the number of its filter and then the responses."""
    lines = [torch.cat([torch.tensor([float(number)]), line]) for number, line in responses.items()]
    write_file(_responses_path(folder, layer), npy(torch.stack(lines)))


def read_responses(folders: Iterable[RunFolder], layer: str) -> dict[int, Tensor]:
    """The responses that the folders of a run's shards have kept.

    Raises:
        FeatvizError: a file is damaged.
    """
    responses: dict[int, Tensor] = {}
    for folder in folders:
        path = _responses_path(folder, layer)
        if not path.is_file():
            continue
        try:
            table = torch.from_numpy(read_array(path).astype(np.float32))
            channels = table.shape[1] - 1
            numbers = [int(number) for number in table[:, 0]]
        except (OSError, ValueError, IndexError, OverflowError) as error:
            raise FeatvizError(f"cannot read {path}: {one_line(error)}") from error
        if any(not 0 <= number < channels for number in numbers):
            raise FeatvizError(f"cannot read {path}: it holds no responses of filters")
        responses |= {number: line[1:] for number, line in zip(numbers, table, strict=True)}
    if len({len(line) for line in responses.values()}) > 1:
        raise FeatvizError(f"the responses of {layer} are of networks with different numbers of filters")
    return responses


def _responses_path(folder: RunFolder, layer: str) -> Path:
    return folder.path / "responses" / f"{file_name(layer)}.npy"


def _shown(layer: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["layer"] == layer and row["image"] and row["variant"] == 0][:MOST]


def _responses(
    evidence: PictureMetrics, progress: RunProgress, layer: LayerPlan, rows: Sequence[Row]
) -> dict[int, Tensor]:
    """The responses to each picture; made one by one, as memory may be short."""
    backbone, responses = progress.plan.backbone(layer), {}
    for row in rows:
        picture = progress.picture(row)
        if picture is not None and picture.isfinite().all():
            responses[row["filter"]] = evidence.responses(backbone, layer.name, picture[None])[0].cpu()
    backbone.close()
    return responses
