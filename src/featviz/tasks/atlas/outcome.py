"""The files of an atlas: tables and photos before its pictures are made, and afterwards sheets and thumbnails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger

from featviz.errors import FeatvizError
from featviz.models.model import Model
from featviz.photos.atlas.tables import LayerAtlas, write_cell_photos, write_cells, write_points
from featviz.photos.patches import write_patches
from featviz.results.files import file_name, png, write_file
from featviz.results.folder import RunFolder
from featviz.results.loggers import log_picture
from featviz.results.rows import Row
from featviz.tasks.atlas.projector import log_points
from featviz.tasks.atlas.sheet import atlas_sheet
from featviz.tasks.photo_folder import tracked

log = logging.getLogger(__name__)


def write_preparation(folder: Path, layers: Sequence[LayerAtlas], model: Model, photos: int) -> None:
    """Write the tables, without the pictures that are not made yet, and the photos of the cells."""
    write_points(folder, layers)
    write_cells(folder, layers, _named(model), {})
    images = write_cell_photos(folder, layers, photos)
    missing = [item for item in images.items() if not (folder / item[1]).is_file()]
    for photo, image in tracked(missing, "photos"):
        try:
            write_patches(folder, photo, image, [])
        except FeatvizError as error:  # a photo that was there a moment ago
            log.warning("not shown: %s", error)


def write_outcome(
    folder: RunFolder,
    layers: Sequence[LayerAtlas],
    model: Model,
    rows: Sequence[Row],
    loggers: Sequence[Logger],
    projected: int,
) -> None:
    """Write ``atlas.csv`` with the pictures of ``rows`` and ``atlas_<layer>.png``; loggers get sheets and points."""
    images = {(row["layer"], row["filter"]): row["image"] for row in rows}
    write_cells(folder.path, layers, _named(model), images)
    for one in layers:
        sheet = atlas_sheet(folder.path, one, images, model.label)
        write_file(folder.path / f"atlas_{file_name(one.layer)}.png", png(sheet))
        for logger in loggers:
            log_picture(logger, f"atlas/{one.layer}", sheet)
        log_points(loggers, one, projected)


def _named(model: Model) -> dict[str, str]:
    return {"model": model.name, "weights": model.weights}
