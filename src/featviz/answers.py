"""Which filter answers to which picture: the pictures of a layer against its filters."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from lightning.pytorch.loggers import Logger
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from featviz.evidence import Evidence
from featviz.loggers import show_image
from featviz.objectives import Channel
from featviz.plan import Plan, Planned
from featviz.results import RunFolder, file_name, write_file
from featviz.rows import Row, heading

MOST = 512  # pictures of a layer; those after them are left out
NAMED = 40  # filters whose numbers fit beside a matrix


def show_answers(planned: Plan, folder: RunFolder, rows: Sequence[Row], loggers: Sequence[Logger]) -> None:
    """Draw ``answers_<layer>.png`` of each layer that has pictures of several single filters."""
    evidence = planned.method.evidence
    for layer in planned.layers:
        objective = planned.method.objective(layer=layer.layer, filters=layer.filters[:1])
        found = [row for row in rows if row["layer"] == layer.layer and row["image"] and row["variant"] == 0][:MOST]
        if evidence and isinstance(objective, Channel) and len(found) > 1:
            matrix = _matrix(evidence, planned, layer, folder, found)
            content = draw(matrix, [row["filter"] for row in found], heading(found))
            write_file(folder.path / f"answers_{file_name(layer.layer)}.png", content)
            with Image.open(io.BytesIO(content)) as image:
                show_image(loggers, f"answers/{layer.layer}", image)


def _matrix(evidence: Evidence, planned: Plan, layer: Planned, folder: RunFolder, rows: Sequence[Row]) -> Tensor:
    """A line for each picture, a column for each filter that has one; made one by one, as memory may be short."""
    backbone, lines = planned.backbone(layer), []
    for row in rows:
        picture = folder.load_picture(row)
        assert picture is not None  # rows without one are left out
        lines.append(evidence.answers(backbone, layer.layer, picture[None]))
    backbone.close()
    return torch.cat(lines)[:, [row["filter"] for row in rows]]


def draw(scores: Tensor, filters: Sequence[int], title: str) -> bytes:
    """A PNG of a matrix: pictures downwards, filters across; a filter's own picture is on the diagonal."""
    side = float(np.clip(2.5 + 0.22 * len(filters), 4.5, 12))
    canvas = Figure(figsize=(side + 1.2, side), dpi=110, layout="constrained")
    axes = canvas.add_subplot()
    limit = max(float(np.quantile(scores.abs().numpy(), 0.99)), 1e-6)
    shown = axes.imshow(scores.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    if len(filters) <= NAMED:
        axes.set_xticks(range(len(filters)), [str(number) for number in filters], rotation=90, fontsize=7)
        axes.set_yticks(range(len(filters)), [str(number) for number in filters], fontsize=7)
    axes.set(xlabel="filter", ylabel="picture of filter")
    axes.set_title(title, fontsize=9)
    bar = canvas.colorbar(shown, ax=axes, shrink=0.8)
    bar.set_label("activation, in standard deviations on noise with a natural spectrum", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    content = io.BytesIO()
    canvas.savefig(content, format="png", metadata={"Software": "featviz"})
    return content.getvalue()
