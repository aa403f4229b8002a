"""The pictures of task=exemplars: patches cut from photos, the photos, feature maps of them, and sheets of patches."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from featviz.photos.exemplar_maps import ExemplarMaps
from featviz.photos.files import read_photo
from featviz.photos.table_rows import ExemplarRow
from featviz.reading import inside, opened_png
from featviz.results.files import png, write_file
from featviz.results.rows import three_digits
from featviz.results.sheets import LARGEST, Cell, fit, table_sheet

LARGEST_PHOTO = 512  # px, of the photos that are saved whole
PER_SHEET = 24  # filters
NEARLY = 1.15  # the longer side in shorter ones, below which a patch counts as a square
RING, FINENESS = 30, 4  # px, the ring that marks a place; it is drawn so many times as large, and shrunk


def write_patches(folder: Path, file: Path, image: str, rows: Sequence[ExemplarRow]) -> None:
    """Write the photo of a file, as ``image`` in the folder, and the patches of ``rows`` that are cut from it.

    Raises:
        FeatvizError: the photo cannot be read any more.
    """
    photo = read_photo(file)
    for row in rows:
        write_file(folder / row.patch, png(_at_most(photo.crop(row.box), LARGEST)))
    content = io.BytesIO()
    _at_most(photo, LARGEST_PHOTO).save(content, "JPEG", quality=90)
    write_file(folder / image, content.getvalue())


def write_maps(folder: Path, rows: Iterable[ExemplarRow], maps: ExemplarMaps) -> None:
    """Write the feature map behind each row, named as its patch is: ``maps/layer3/0007_01.png``."""
    for row in rows:
        picture = maps.picture(row.filter, row.rank)
        write_file(folder / map_name(row.patch), png(picture))


def map_name(patch: str) -> str:
    """The name of the map that belongs to a patch."""
    return f"maps/{patch.partition('/')[2]}"


def _at_most(image: Image.Image, side: int) -> Image.Image:
    shrunk = image.copy()
    shrunk.thumbnail((side, side), Image.Resampling.LANCZOS)  # which never enlarges
    return shrunk


def write_sheets(
    folder: Path, stem: str, lines: Sequence[tuple[str, list[Cell]]], columns: Sequence[str], title: str
) -> dict[str, Image.Image]:
    """Write labelled lines of cells as ``<stem>.png``, or ``<stem>_01.png`` and so on where they are many."""
    pages = [lines[at : at + PER_SHEET] for at in range(0, len(lines), PER_SHEET)]
    digits = max(2, len(str(len(pages))))
    names = [f"{stem}_{number:0{digits}d}" if len(pages) > 1 else stem for number in range(1, len(pages) + 1)]
    sheets = {}
    for name, page in zip(names, pages, strict=True):
        sheets[name] = table_sheet([cells for _, cells in page], [label for label, _ in page], columns, title)
        write_file(folder / f"{name}.png", png(sheets[name]))
    return sheets


def describe_statistics(subject: str, mean: float, std: float, percentiles: Sequence[float]) -> str:
    """A filter and its figures over all photos, for the left margin of a sheet."""
    if percentiles[0] == percentiles[-1]:
        return f"{subject}\n{three_digits(mean)} for all photos"
    return f"{subject}\nphotos: {three_digits(mean)} ± {three_digits(std)}\nat most {three_digits(percentiles[-1])}"


def patch_cell(folder: Path, row: ExemplarRow) -> Cell:
    """A patch and its figure; where the patch is much of the photo, a ring is where the filter fires most."""
    label = three_digits(row.figure)
    try:
        with opened_png(inside(folder, row.patch)) as image:
            patch = fit(image) if row.spot else squared(image, LARGEST)  # whose middle a ring would miss
    except OSError:
        return Cell("missing", label)
    return Cell(marked(patch, row.spot) if row.spot else patch, label, is_photo=True)


def squared(patch: Image.Image, side: int) -> Image.Image:
    """A patch in a size, cut to a square if it nearly is one: fields that are no whole px give sides of 15 and 16."""
    if max(patch.size) < NEARLY * min(patch.size):
        least = min(patch.size)
        left, top = (patch.width - least) // 2, (patch.height - least) // 2
        patch = patch.crop((left, top, left + least, top + least))
    return fit(patch, side)


def marked(picture: Image.Image, spot: tuple[float, float]) -> Image.Image:
    """The picture with a ring around a place, given as shares of its width and height."""
    side = RING * FINENESS
    center = picture.width * spot[0], picture.height * spot[1]
    place = round(center[0] - RING / 2), round(center[1] - RING / 2)
    result = picture.copy()
    for color, width in (("#000000", 5), ("#ffffff", 2)):
        ring = Image.new("L", (side, side))
        inset = (7 - width) / 2 * FINENESS
        ImageDraw.Draw(ring).ellipse((inset, inset, side - inset, side - inset), outline=255, width=width * FINENESS)
        result.paste(color, (*place, place[0] + RING, place[1] + RING), ring.resize((RING, RING), Image.Resampling.BOX))
    return result
