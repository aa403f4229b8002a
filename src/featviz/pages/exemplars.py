"""Exemplars as pages show them: photos with patches, where these lie, and where the unit answers most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from featviz.pages.encoding import rounded
from featviz.pages.records import ExemplarRecord
from featviz.pages.sources import Source
from featviz.pages.sprites import Place, Sprites, make_sprites
from featviz.results.relation_rows import WeakestRow

LARGEST_PHOTO = 512  # px: the side to which task=exemplars shrinks photos that are larger


@dataclass(frozen=True)
class ShownExemplar:
    """An exemplar with the run that it comes from."""

    source: Source
    record: ExemplarRecord


def exemplars_of(sources: Sequence[Source], module: str) -> list[ShownExemplar]:
    """The exemplars of a layer: by unit, then by run, the strongest first."""
    found = [
        (number, source.number, record.rank, ShownExemplar(source, record))
        for source in sources
        for (of_module, number), records in source.data.exemplars.items()
        if of_module == module
        for record in records
    ]
    return [shown for *_, shown in sorted(found, key=lambda item: item[:3])]


def exemplar_sprites(exemplars: Sequence[ShownExemplar], save: Callable[[int, bytes], str]) -> Sprites:
    """Make thumbnails of the patches; a damaged file is noted in its run."""
    paths = [
        one.source.data.folder / one.record.patch if one.source.addresses.of(one.record.patch) else None
        for one in exemplars
    ]
    sprites = make_sprites(paths, save)
    for at, error in sprites.errors.items():
        exemplars[at].source.damaged[exemplars[at].record.patch] = error
    return sprites


def patch_columns(exemplars: Sequence[ShownExemplar], sprites: Sprites) -> dict[str, Any] | None:
    """The thumbnails of a layer's patches as columns of equal length; None where there are no exemplars."""
    if not exemplars:
        return None
    return {
        "sprites": sprites.described(),
        "unit": [one.record.filter for one in exemplars],
        "rank": [one.record.rank for one in exemplars],
        "sprite": [place.sprite for place in sprites.places],
        "cell": [place.cell for place in sprites.places],
    }


def silent_units(sources: Sequence[Source], module: str) -> list[int]:
    """The units of a layer that answer to the strongest photo as to the weakest, as a dead one does."""
    return sorted(
        {
            number
            for source in sources
            for (of_module, number), weakest in source.data.weakest.items()
            if of_module == module and _alike(source.data.exemplars.get((of_module, number), ()), weakest)
        }
    )


def _alike(strongest: Sequence[ExemplarRecord], weakest: Sequence[WeakestRow]) -> bool:
    figures = {(one.mean, one.max) for one in strongest} | {(one.mean, one.max) for one in weakest}
    return len(strongest) > 1 and len(figures) == 1


def exemplar_data(shown: ShownExemplar, place: Place) -> dict[str, Any]:
    """An exemplar as the details have it.

    ``box`` is where the patch lies in the photo that is shown, ``spot`` the middle of what the strongest position sees,
    both in px; ``patch_spot`` is that middle in the patch's thumbnail, as shares, where the patch is much of the photo.
    """
    record, source = shown.record, shown.source
    size = source.photo_size(record.image) if source.addresses.of(record.image) else None
    return {
        "rank": record.rank,
        "run": source.number,
        "sprite": place.sprite,
        "cell": place.cell,
        "photo": source.photo_name(record.photo),
        "image": source.addresses.of(record.image),
        "patch": source.addresses.of(record.patch),
        "map": source.addresses.of(_map_of(record), optional=True),
        "box": _box(record, size),
        "spot": _spot(record, size),
        "patch_spot": _patch_spot(record),
        "size": list(size) if size else None,
        "mean": rounded(record.mean),
        "max": rounded(record.max),
    }


def _map_of(record: ExemplarRecord) -> str:
    """The feature map lies beside the patches, under the same name."""
    parts = PurePosixPath(record.patch).parts
    return "/".join(("maps", *parts[1:])) if len(parts) > 1 else ""


def _box(record: ExemplarRecord, size: tuple[int, int] | None) -> list[int] | None:
    """The patch's box in px of the saved photo; None where it is not known how far that one was shrunk."""
    scale = _scale(record, size)
    if not scale or not _has_patch(record):
        return None
    return [round(edge * scale) for edge in (record.left, record.top, record.right, record.bottom)]


def _spot(record: ExemplarRecord, size: tuple[int, int] | None) -> list[int] | None:
    scale = _scale(record, size)
    if not scale or not 0 <= record.center_x < record.width or not 0 <= record.center_y < record.height:
        return None
    return [round((at + 0.5) * scale) for at in (record.center_x, record.center_y)]


def _patch_spot(record: ExemplarRecord) -> list[float] | None:
    """None, too, where the patch is so small a part of the photo that it says by itself what the unit fires at."""
    sides = record.right - record.left, record.bottom - record.top
    if not _has_patch(record) or record.center_x < 0 or 2 * max(sides) < min(record.width, record.height):
        return None
    places = record.center_x + 0.5 - record.left, record.center_y + 0.5 - record.top
    whole = max(sides)  # of the thumbnail, in which a patch that is no square lies in the middle
    shares = [(at + (whole - side) / 2) / whole for at, side in zip(places, sides, strict=True)]
    return [round(share, 3) for share in shares] if all(0 <= share <= 1 for share in shares) else None


def _has_patch(record: ExemplarRecord) -> bool:
    return record.right > record.left and record.bottom > record.top


def _scale(record: ExemplarRecord, size: tuple[int, int] | None) -> float:
    """How much smaller a photo has been saved; 0 where that is not known."""
    if size is None:
        return 0
    width = record.width or (size[0] if max(size) < LARGEST_PHOTO else 0)
    return size[0] / width if width > 0 else 0
