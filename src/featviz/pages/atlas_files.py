"""The file of one atlas: its cells level by level, their thumbnails, and the photos behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from featviz.errors import printable
from featviz.pages.atlas_cells import AtlasCell
from featviz.pages.encoding import data_script, digest, rounded, to_json
from featviz.pages.site_folder import SiteFolder
from featviz.pages.sources import Source
from featviz.pages.sprites import CELL, Place, make_sprites

MOST_PHOTOS = 9  # of a cell


def write_atlas(folder: SiteFolder, name: str, module: str, sources: Sequence[Source]) -> str | None:
    """Write the atlas of a layer under a name that begins with ``name``; None where no run has one.

    Of several runs with one, the first one's is taken.
    """
    source = next((source for source in sources if module in source.data.atlases), None)
    if source is None:
        return None
    cells = source.data.atlases[module]
    sprites = make_sprites(
        [source.data.folder / cell.record.image if source.addresses.of(cell.record.image) else None for cell in cells],
        folder.sprite_writer(name),
    )
    source.damaged.update({cells[at].record.image: error for at, error in sprites.errors.items()})
    photos: dict[tuple[str, str], int] = {}
    places = list(zip(cells, sprites.places, strict=True))
    by_level = groupby(places, key=lambda pair: (pair[0].record.level, pair[0].record.grid))
    data = {
        "points": cells[0].record.points,
        "method": printable(cells[0].record.method),
        "run": source.number,
        "cell": CELL,
        "sprites": sprites.described(),
        "levels": [
            {"grid": grid, "cells": _columns(list(of_level), source, photos)} for (_, grid), of_level in by_level
        ],
    }
    text = to_json(data | {"photos": [list(photo) for photo in photos]})
    file = f"{name}_{digest(text.encode())}"
    folder.write_data(file, data_script(file, text))
    return file


def _columns(
    cells: Sequence[tuple[AtlasCell, Place]], source: Source, photos: dict[tuple[str, str], int]
) -> Mapping[str, Any]:
    """The cells of a level as columns of equal length; their photos are added to those of the atlas."""
    records = [cell.record for cell, _ in cells]
    return {
        "x": [record.column for record in records],
        "y": [record.row for record in records],
        "count": [record.count for record in records],
        "sprite": [place.sprite for _, place in cells],
        "cell": [place.cell for _, place in cells],
        "units": [[[unit, rounded(value)] for unit, value in cell.units] for cell, _ in cells],
        "classes": [[[at, name, rounded(share)] for at, name, share in cell.classes] for cell, _ in cells],
        "photos": [_photos(cell, source, photos) for cell, _ in cells],
    }


def _photos(cell: AtlasCell, source: Source, photos: dict[tuple[str, str], int]) -> list[int]:
    shown = [(source.addresses.of(one.image), source.photo_name(one.photo)) for one in cell.photos[:MOST_PHOTOS]]
    return [photos.setdefault(photo, len(photos)) for photo in dict.fromkeys(shown) if photo[0]]
