"""Which filter answers to which picture: the pictures of a layer against its filters."""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from lightning.pytorch.loggers import Logger
from PIL import Image
from torch import Tensor

from featviz.metrics.picture_metrics import PictureMetrics
from featviz.objectives import Channel
from featviz.results.files import file_name, write_file
from featviz.results.folder import RunFolder
from featviz.results.loggers import log_picture
from featviz.results.plots import matrix_plot
from featviz.results.rows import Row, heading
from featviz.runs.plan import LayerPlan, Plan

MOST = 512  # pictures of a layer; those after them are left out


def draw_response_matrices(plan: Plan, folder: RunFolder, rows: Sequence[Row], loggers: Sequence[Logger]) -> None:
    """Draw ``response_matrix_<layer>.png`` of each layer that has pictures of several single filters."""
    evidence = plan.method.evidence
    for layer in plan.layers:
        objective = plan.method.objective(layer=layer.name, filters=layer.filters[:1])
        found = [row for row in rows if row["layer"] == layer.name and row["image"] and row["variant"] == 0][:MOST]
        if evidence and isinstance(objective, Channel) and len(found) > 1:
            matrix = _matrix(evidence, plan, layer, folder, found)
            content = matrix_plot(matrix, [row["filter"] for row in found], heading(found))
            write_file(folder.path / f"response_matrix_{file_name(layer.name)}.png", content)
            with Image.open(io.BytesIO(content)) as image:
                for logger in loggers:
                    log_picture(logger, f"response_matrix/{layer.name}", image)


def _matrix(evidence: PictureMetrics, plan: Plan, layer: LayerPlan, folder: RunFolder, rows: Sequence[Row]) -> Tensor:
    """A line for each picture, a column for each filter that has one; made one by one, as memory may be short."""
    backbone, lines = plan.backbone(layer), []
    for row in rows:
        picture = folder.load_picture(row)
        assert picture is not None  # rows without one are left out
        lines.append(evidence.responses(backbone, layer.name, picture[None]))
    backbone.close()
    return torch.cat(lines)[:, [row["filter"] for row in rows]]
