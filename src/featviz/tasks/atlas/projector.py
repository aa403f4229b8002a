"""Points of an atlas with thumbnails for TensorBoard's projector, and whatever else shows vectors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger
from PIL import Image, ImageOps

from featviz.errors import FeatvizError
from featviz.photos.atlas.tables import LayerAtlas
from featviz.photos.files import distinct_names, read_photo
from featviz.results.loggers import log_embedding, takes_embeddings

log = logging.getLogger(__name__)

SIDE = 48  # px of a thumbnail


def log_points(loggers: Sequence[Logger], one: LayerAtlas, most: int) -> None:
    """Send at most so many points, evenly spaced, to the loggers that show vectors; each is labelled with its photo."""
    takers = [logger for logger in loggers if takes_embeddings(logger)]
    if not takers or not most:
        return
    count = len(one.points)
    chosen = [at * count // most for at in range(most)] if count > most else list(range(count))
    thumbnails = _thumbnails([one.points.photos[at] for at in chosen])
    shown = [at for at, tile in zip(chosen, thumbnails, strict=True) if tile]
    names = distinct_names([one.points.photos[at] for at in shown])
    for logger in takers:
        log_embedding(
            logger, f"atlas/{one.layer}", one.points.vectors[shown], names, [tile for tile in thumbnails if tile]
        )


def _thumbnails(files: Sequence[Path]) -> list[Image.Image | None]:
    """The middle of each photo, small; None for one that cannot be read any more."""
    known: dict[Path, Image.Image | None] = {}
    for file in files:
        if file not in known:
            try:
                known[file] = ImageOps.fit(read_photo(file), (SIDE, SIDE), Image.Resampling.BICUBIC)
            except FeatvizError as error:
                log.warning("no thumbnail: %s", error)
                known[file] = None
    return [known[file] for file in files]
