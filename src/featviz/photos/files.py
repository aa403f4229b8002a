"""Photos from files: read whatever a camera or the web hands out, and fit it to a network's input."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.reading import MOST_PIXELS, check_photo_exists, check_sides, expanded
from featviz.shapes import Shape, Size

log = logging.getLogger(__name__)

HEIC = (".heic", ".heif")
SUFFIXES = (
    *(".avif", ".bmp", ".gif", *HEIC, ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo"),
    *(".png", ".ppm", ".tif", ".tiff", ".webp"),
)
FORMATS = ("BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP", "AVIF", "HEIF")  # of all that Pillow would try
MOST_TOLD = 20
MAX_SAMPLE_VALUE = 281  # a TIFF tag
BACKGROUND = (128, 128, 128)  # what shows through a transparent picture


def read_photo(path: str | Path) -> Image.Image:
    """Read a photo as RGB, upright by its EXIF; of an animation the first frame, over gray where transparent.

    Raises:
        FeatvizError: there is no such file, it is no picture, it is cut short, or it has more than 50 megapixels.
    """
    file = expanded(path)
    if not file.is_file():
        beside = [other.name for other in file.parent.glob("*") if other.suffix.lower() in SUFFIXES]
        raise FeatvizError(f"there is no photo '{file}'", setting="photo", got=file.name, known=beside or None)
    _check_heic(file)
    try:
        with warnings.catch_warnings(), Image.open(file, formats=readable_formats()) as image:
            warnings.simplefilter("ignore")  # of damaged metadata, and of sizes that are refused below
            if image.width * image.height > MOST_PIXELS:
                megapixels = image.width * image.height / 1e6
                what = f"photo {file} has {megapixels:.1f} megapixels"
                raise FeatvizError(what, setting="photo", got=megapixels, expected="at most 50 megapixels")
            check_sides(image)
            white = getattr(image, "tag_v2", {}).get(MAX_SAMPLE_VALUE)
            return _as_rgb(ImageOps.exif_transpose(image), file, white)
    except FeatvizError:  # a ValueError too
        raise
    except Image.DecompressionBombError as error:
        what = f"photo {file} is far too large"
        raise FeatvizError(what, setting="photo", got=file, expected="at most 50 megapixels") from error
    except UnidentifiedImageError as error:
        raise FeatvizError(f"photo {file} is no picture that can be read", setting="photo", got=file) from error
    except MemoryError:
        raise
    except Exception as error:  # damaged files make Pillow's readers raise nearly anything
        what = f"photo {file} is damaged or cut short: {one_line(error)}"
        raise FeatvizError(what, setting="photo", got=file) from error


@lru_cache(maxsize=1)
def readable_formats() -> tuple[str, ...]:
    """The formats that are meant, as far as this Pillow has them: others may start programs, as EPS does."""
    Image.init()
    if find_spec("pillow_heif"):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _check_heic(file: Path) -> None:
    """Say what is missing where a phone's photo cannot be read."""
    if file.suffix.lower() in HEIC and "HEIF" not in readable_formats():
        what = f"photo {file} is HEIC, which needs pillow-heif: pip install 'featviz[heic]'"
        raise FeatvizError(what, setting="photo", got=file)


def fit_photo(image: Image.Image, size: Size, channels: int = 3) -> Tensor:
    """Bring a photo to (channels, H, W) in [0, 1]: resized (bicubic) so that it covers ``size``, the center cut out.

    One channel is its brightness; channels beyond the third are its brightness too.

    Raises:
        FeatvizError: ``size`` is that of a film.
    """
    return torch.from_numpy(fit_levels(image, size, channels)).float() / 255


def fit_levels(image: Image.Image, size: Size, channels: int = 3) -> np.ndarray:
    """As ``fit_photo``, but the 256 levels themselves, without torch."""
    shape = Shape.of(size)
    if shape.is_film:
        what = f"a network of films ({shape} px) cannot be shown photos"
        raise FeatvizError(what, setting="photo", got=str(shape), expected="a network of pictures")
    height, width = shape
    fitted = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    colors = np.array(fitted).transpose(2, 0, 1)
    if channels == 3:
        return colors
    gray = np.array(fitted.convert("L"))[None]
    return np.concatenate([colors, *[gray] * (channels - 3)]) if channels > 3 else np.repeat(gray, channels, 0)


def shown_part(width: int, height: int, size: Size) -> tuple[float, float, float]:
    """Left and top, in px of a photo, of what ``fit_photo`` shows of it, and its px for each one that is shown."""
    rows, columns = Shape.of(size)
    scale = min(width / columns, height / rows)
    return (width - scale * columns) / 2, (height - scale * rows) / 2, scale


def enlarges(photo: tuple[int, int], size: Size) -> bool:
    """Whether a photo (width, height) has fewer px than ``size`` along an axis."""
    height, width = Shape.of(size)
    return photo[0] < width or photo[1] < height


def load_photo(path: str | Path, size: Size, channels: int = 3) -> Tensor:
    """Read a photo and bring it to (channels, H, W) in [0, 1]."""
    return fit_photo(read_photo(path), size, channels)


def find_photos(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    """All photos of files and folders (with their subfolders), each folder's in order of name.

    Hidden files and folders are left out; a folder that links lead to again and again is entered once.

    Raises:
        FeatvizError: a path does not exist, or a folder holds no photo.
    """
    several = [paths] if isinstance(paths, str | Path) else list(paths)
    return [file for path in several for file in _photos_at(expanded(path))]


def _photos_at(path: Path) -> Iterator[Path]:
    check_photo_exists(path)
    if not path.is_dir():
        yield path
        return
    files = sorted(file for file in _below(path) if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        expected = f"files ending in {', '.join(SUFFIXES)}"
        raise FeatvizError(f"folder {path} holds no photo", setting="photo", got=path, expected=expected)
    yield from files


def readable_photos(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    """The photos of files and folders that can be read; those of folders that cannot are skipped, which is said.

    Raises:
        FeatvizError: as ``find_photos``; a file that is named itself cannot be read; of a folder, none can.
    """
    readable = []
    for path in [paths] if isinstance(paths, str | Path) else paths:
        found = find_photos(path)
        if not expanded(path).is_dir():
            read_photo(found[0])
        whole = [file for file in found if not _why_unreadable(file, file.stat().st_mtime_ns)]
        if not whole:
            why = _why_unreadable(found[0], found[0].stat().st_mtime_ns)
            what = f"none of {len(found)} photos in {path} can be read; the first: {why}"
            raise FeatvizError(what, setting="photo", got=path)
        readable += whole
    return readable


@lru_cache(maxsize=10_000)  # objectives ask for each batch
def _why_unreadable(file: Path, _changed: int) -> str:
    try:
        read_photo(file)
    except FeatvizError as error:
        log.warning("skipped: %s", error)
        return str(error)
    return ""


def _below(folder: Path) -> Iterator[Path]:
    entered = set[tuple[int, int]]()
    for root, folders, names in os.walk(folder, followlinks=True):
        status = os.stat(root)
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in names if not name.startswith("."))


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """The files' names, with so many of the folders above them as are needed to tell them apart.

    Example:
        >>> distinct_names([Path("x/cat/1.jpg"), Path("x/dog/1.jpg"), Path("x/dog/2.jpg")])
        ['cat/1.jpg', 'dog/1.jpg', '2.jpg']
    """
    depths = [1] * len(paths)
    while True:
        names = ["/".join(path.parts[-depth:]) for path, depth in zip(paths, depths, strict=True)]
        same = [at for at, name in enumerate(names) if names.count(name) > 1 and depths[at] < len(paths[at].parts)]
        if not same:
            return names
        for at in same:
            depths[at] += 1


def _as_rgb(image: Image.Image, file: Path, white: object) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _eight_bit(image, file, white)
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*BACKGROUND, 255)), image)
    return image.convert("RGB")


def _eight_bit(image: Image.Image, file: Path, white: object) -> Image.Image:
    """16 bit and floating point to 8 bit; Pillow's own conversion would cut the values off."""
    values = np.array(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise FeatvizError(f"photo {file} holds numbers that are not finite", setting="photo", got=file)
    low, high = _range(values, image.mode == "F", white)
    if low or high != (1.0 if image.mode == "F" else 65535.0):
        _tell_range(low, high, file)
    return Image.fromarray(np.clip((values - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8))


def _range(values: np.ndarray, floating: bool, white: object) -> tuple[float, float]:
    """Black and white: by the file's tags, or the smallest usual range that the numbers fit into."""
    low, most = min(values.min(initial=0.0), 0.0), values.max(initial=0.0)
    if isinstance(white, tuple) and len(white) == 1 and white[0] >= most and not low:
        return 0.0, float(white[0])
    usual = [1.0, 255.0] if floating else [2.0**bits - 1 for bits in (8, 10, 12, 14, 16)]
    return low, next((largest for largest in usual if most <= largest), most)


_TOLD = set[tuple[float, float]]()  # ranges


def _tell_range(low: float, high: float, file: Path) -> None:
    """Say what is taken for black and white, once for each range, and not for each of many photos."""
    if (low, high) in _TOLD or len(_TOLD) >= MOST_TOLD:
        return
    _TOLD.add((low, high))
    log.warning("photo %s: %g is taken for black and %g for white, as its numbers are", file, low, high)
