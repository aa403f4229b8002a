"""Plots and sheets of task=top_filters: a photo, where its strongest filters fire, and their pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from lightning.pytorch.loggers import Logger
from PIL import Image
from torch import Tensor

from featviz.photos.activations import FeatureMapActivator
from featviz.photos.files import distinct_names
from featviz.results.display import COLORS
from featviz.results.files import file_name, png, write_file
from featviz.results.folder import RunFolder, load_tile
from featviz.results.loggers import log_picture
from featviz.results.plots import filter_plot, overlay
from featviz.results.rows import Row, is_doubtful, layer_name, outcome, three_digits, unit_word
from featviz.results.sheets import Cell, table_sheet
from featviz.tasks.photo_report import PhotoReport

AXIS = {"mean": "mean activation", "max": "largest activation", "zscore": "standard deviations above the usual"}


def write_sheets(
    folder: RunFolder,
    reports: Sequence[PhotoReport],
    activator: FeatureMapActivator,
    by: str,
    rows: Sequence[Row],
    loggers: Sequence[Logger],
) -> None:
    """Write ``plot_<photo>_<layer>.png`` and ``sheet_<photo>_<layer>.png``, which the loggers get too.

    ``rows`` are those of the filters' finished pictures.
    """
    stems = _stems([report.path for report in reports])
    by_filter = {(row["layer"], row["filter"]): row for row in rows}
    for report, layer in product(reports, activator.backbone.layers):
        title = _title(activator, layer, report)
        names = activator.backbone.class_names(layer)
        plot = filter_plot(report.values[layer].tolist(), report.ranked[layer], title, AXIS[by], names)
        of_filters = [by_filter.get((layer, number)) for number in report.ranked[layer]]
        sheet = _sheet(activator, report, layer, of_filters, by, folder)
        for kind, image in {"plot": Image.open(io.BytesIO(plot)), "sheet": sheet}.items():
            photo = file_name(stems[report.path])
            write_file(folder.path / f"{kind}_{photo}_{file_name(layer)}.png", png(image))
            for logger in loggers:
                log_picture(logger, f"{kind}/{photo}/{layer}", image)


def _title(activator: FeatureMapActivator, layer: str, report: PhotoReport) -> str:
    return f"{activator.model.label}, {layer_name(layer)}: {report.name}"


def _names(activator: FeatureMapActivator, layer: str, numbers: Sequence[int]) -> list[str]:
    """What the filters are called: the network's outputs by their classes."""
    classes = activator.backbone.class_names(layer)
    word = unit_word(activator.backbone.layers[layer].name)
    return [classes[number] if classes else f"{word} {number}" for number in numbers]


def _stems(paths: Sequence[Path]) -> dict[Path, str]:
    """What the photos' sheets are called by: names without endings, and with them where others have the same."""
    stems, names = distinct_names([path.with_suffix("") for path in paths]), distinct_names(paths)
    return {
        path: stem if stems.count(stem) == 1 else name for path, stem, name in zip(paths, stems, names, strict=True)
    }


def _sheet(
    activator: FeatureMapActivator,
    report: PhotoReport,
    layer: str,
    rows: Sequence[Row | None],
    by: str,
    folder: RunFolder,
) -> Image.Image:
    """The photo; for each of its strongest filters where it fires, if the layer has positions; and its picture."""
    numbers = report.ranked[layer]
    maps = report.activations.maps[layer][numbers]
    photo = report.picture if len(report.picture) >= 3 else report.picture[:1].expand(3, -1, -1)
    values = report.values[layer].tolist()
    figures = [f"{by} {three_digits(values[number])}" for number in numbers]
    pictures = [Cell(None) if row is None else _picture_cell(folder, row) for row in rows]
    likely = "\n".join(f"{share:.1%} {name}" for name, share in report.classes)
    shown = Cell(COLORS.image(report.picture), is_photo=True)
    title, names = _title(activator, layer, report), _names(activator, layer, numbers)
    if not _has_positions(activator, layer, maps):
        told = [
            replace(cell, label=f"photo: {figure}\npicture: {cell.label}")
            for cell, figure in zip(pictures, figures, strict=True)
        ]
        line = [replace(shown, label=likely), *told]
        return table_sheet([line], ["its picture\n(this layer has no positions)"], ["photo", *names], title)
    largest = maps.max().item()
    fires = [Cell(overlay(photo, one, largest), figure) for one, figure in zip(maps, figures, strict=True)]
    cells = [[shown, *fires], [Cell(likely or None), *pictures]]
    lines = [f"where it fires (brightest: {three_digits(largest)})", "its picture"]
    return table_sheet(cells, lines, ["photo", *names], title)


def _has_positions(activator: FeatureMapActivator, layer: str, maps: Tensor) -> bool:
    """Whether it can be shown where the filters of a layer fire, by feature maps (N, h, w)."""
    layout = activator.backbone.layers[layer].layout
    return maps.shape[1] * maps.shape[2] > 1 and layout is not None and layout.ordered


def _picture_cell(folder: RunFolder, row: Row) -> Cell:
    return Cell(load_tile(folder.path, row), outcome(row), is_doubtful(row))
