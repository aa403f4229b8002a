"""What is known of a chunk's finished pictures: how each came out, and its metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import cast

from torch import Tensor

from featviz.objectives.filters import class_names
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.rows import CONCEPT, PARTS, Row, unit_word
from featviz.runs.run import Run
from featviz.runs.unmoved import NOTHING, faint_gradient, only_at_border
from featviz.shapes import Shape

log = logging.getLogger(__name__)

SAME = 1e-6  # scores that differ by less than this share are the same: they are rounded
FLAT = 1 / 255  # a picture whose values deviate less from their mean shows nothing; starts are as flat as that


def picture_rows(
    run: Run, visualizer: FilterVisualizer, pictures: Tensor, start: tuple[Tensor, Tensor], seconds: float
) -> list[Row]:
    """One row for each finished picture (N, C, H, W), with its metrics.

    ``start`` holds the scores and activations, (N,) each, of the pictures before the first step; ``seconds`` is what
    all of them together took.
    """
    model, rows, names = visualizer.backbone.model, list[Row](), class_names(visualizer.objective, visualizer.backbone)
    maps = visualizer.maps(pictures)
    end, columns = visualizer.measured(maps), visualizer.objective.columns(maps)
    statuses = _statuses(visualizer, pictures, start, end, maps)
    for at, (number, (status, reason)) in enumerate(zip(visualizer.filters, statuses, strict=True)):
        row = Row(
            model=model.name,
            weights=model.weights,
            layer=visualizer.layer,
            module=visualizer.backbone.layers[visualizer.layer].name,
            filter=number,
            variant=visualizer.variants[at],
            objective=visualizer.objective.acts_as or run.objective,
            recipe=run.recipe,
            seed=run.seed,
            steps=visualizer.steps_done,
            size=_told(visualizer.image.shape),
            activation=end[1][at].item(),
            start_activation=start[1][at].item(),
            status=status,
            reason=reason,
            seconds=round(seconds / len(pictures), 3),
            image="",
        )
        if names:
            row["class"] = names[number]
        if unit_word(row["module"]) == CONCEPT:
            row["concept"] = number
        rows.append(cast(Row, {**row, **{name: values[at].item() for name, values in columns.items()}}))
    return _with_metrics(visualizer, pictures, rows)


def _told(shape: Shape) -> int | str:
    """As tables have it: 224 for a square, else 36x64 or 40x36x64."""
    return shape[0] if shape.is_square else str(shape)


def _with_metrics(visualizer: FilterVisualizer, pictures: Tensor, rows: list[Row]) -> list[Row]:
    evidence = visualizer.method.evidence
    if not evidence:
        return rows
    found = evidence.of(visualizer.backbone, visualizer.objective, pictures)
    gains = [row["activation"] - row["start_activation"] for row in rows]
    return [cast(Row, {**row, "gain": gain, **more}) for row, gain, more in zip(rows, gains, found, strict=True)]


def _statuses(
    visualizer: FilterVisualizer,
    pictures: Tensor,
    start: tuple[Tensor, Tensor],
    end: tuple[Tensor, Tensor],
    maps: dict[str, Tensor],
) -> Iterator[tuple[str, str]]:
    """How each picture came out, and why; ``maps`` are the feature maps of the finished ones."""
    finite = visualizer.image.values.detach().flatten(1).isfinite().all(1).cpu()
    failed = visualizer.failed.cpu() | ~(finite & end[0].isfinite() & end[1].isfinite())
    remarks = visualizer.objective.remarks(maps)
    bordering, fulfilled = only_at_border(visualizer, pictures, maps), visualizer.objective.fulfilled(maps)
    for at, picture in enumerate(pictures):
        if failed[at]:
            yield "nan", "numbers stopped being finite"
            continue
        changes = [(before[at].item(), after[at].item()) for before, after in zip(start, end, strict=True)]
        status, reason = _status(picture, *changes)
        if status == "dead" and fulfilled[at]:
            status, reason = "ok", "its start has all that the objective asks for: nothing has changed it"
        elif status == "ok" and bordering[at]:
            status, reason = "dead", "active at the padded border only"
        elif status == "dead" and (faint := faint_gradient(visualizer, at)):
            reason = f"{reason}: {faint}"
        if remarks[at] and status == "ok":
            reason = PARTS.join(filter(None, (reason, remarks[at])))
            log.warning("%s filter %d: %s", visualizer.layer, visualizer.filters[at], remarks[at])
        yield status, reason


def _status(picture: Tensor, score: tuple[float, float], activation: tuple[float, float]) -> tuple[str, str]:
    """How a picture (C, H, W) came out, and why; of its score and activation, those of the start and of the end."""
    before, after = score
    if abs(after - before) <= SAME * max(abs(before), abs(after)):
        return "dead", "never active" if after == 0 else f"saturated at {after:.4g}"
    if after < before:
        return "dead", "did not rise above its start"
    if activation[0] < 0 and -NOTHING < activation[1] <= 0:
        return "dead", "never active"
    if picture.std(correction=0) < FLAT and 0.1 < picture.mean() < 0.9:  # white is what some filters like best
        return "dead", "gray"
    return "ok", ""
