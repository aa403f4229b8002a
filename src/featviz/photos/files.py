"""Photos from files: read whatever a camera or the web hands out, and fit it to a network's input."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.reading import MOST_PIXELS, check_sides

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP", "AVIF")  # of all that Pillow would try
BACKGROUND = (128, 128, 128)  # what shows through a transparent picture


def read_photo(path: str | Path) -> Image.Image:
    """Read a photo as RGB, upright by its EXIF; of an animation the first frame, over gray where transparent.

    Raises:
        FeatvizError: there is no such file, it is no picture, it is cut short, or it has more than 50 megapixels.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        beside = [other.name for other in file.parent.glob("*") if other.suffix.lower() in SUFFIXES]
        raise FeatvizError(f"there is no photo '{file}'", setting="photo", got=file.name, known=beside or None)
    try:
        with warnings.catch_warnings(), Image.open(file, formats=readable_formats()) as image:
            warnings.simplefilter("ignore")  # of damaged metadata, and of sizes that are refused below
            if image.width * image.height > MOST_PIXELS:
                megapixels = image.width * image.height / 1e6
                what = f"photo {file} has {megapixels:.1f} megapixels"
                raise FeatvizError(what, setting="photo", got=megapixels, expected="at most 50 megapixels")
            check_sides(image)
            return _as_rgb(ImageOps.exif_transpose(image))
    except FeatvizError:  # a ValueError too
        raise
    except Image.DecompressionBombError as error:
        raise FeatvizError(f"photo {file} has far more than 50 megapixels", setting="photo", got=file) from error
    except UnidentifiedImageError as error:
        raise FeatvizError(f"photo {file} is no picture that can be read", setting="photo", got=file) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow's, for damaged files
        what = f"photo {file} is damaged or cut short: {one_line(error)}"
        raise FeatvizError(what, setting="photo", got=file) from error


@lru_cache(maxsize=1)
def readable_formats() -> tuple[str, ...]:
    """The formats that are meant, as far as this Pillow has them: others may start programs, as EPS does."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def fit_photo(image: Image.Image, size: int, channels: int = 3) -> Tensor:
    """Bring a photo to (channels, size, size) in [0, 1]: the shorter side resized (bicubic), the center cut out.

    One channel is its brightness; channels beyond the third are its brightness too.
    """
    return torch.from_numpy(fit_levels(image, size, channels)).float() / 255


def fit_levels(image: Image.Image, size: int, channels: int = 3) -> np.ndarray:
    """As ``fit_photo``, but the 256 levels themselves, without torch."""
    square = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    colors = np.array(square).transpose(2, 0, 1)
    if channels == 3:
        return colors
    gray = np.array(square.convert("L"))[None]
    return np.concatenate([colors, *[gray] * (channels - 3)]) if channels > 3 else np.repeat(gray, channels, 0)


def shown_square(width: int, height: int) -> tuple[float, float, float]:
    """Left, top and side, in px of a photo, of what ``fit_photo`` shows of it."""
    side = min(width, height)
    return (width - side) / 2, (height - side) / 2, side


def load_photo(path: str | Path, size: int, channels: int = 3) -> Tensor:
    """Read a photo and bring it to (channels, size, size) in [0, 1]."""
    return fit_photo(read_photo(path), size, channels)


def find_photos(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    """All photos of files and folders (with their subfolders), each folder's in order of name.

    Raises:
        FeatvizError: a path does not exist, or a folder holds no photo.
    """
    several = [paths] if isinstance(paths, str | Path) else list(paths)
    return [file for path in several for file in _photos_at(Path(path).expanduser())]


def _photos_at(path: Path) -> Iterator[Path]:
    if not path.exists():
        beside = [file.name for file in path.parent.glob("*") if file.is_dir() or file.suffix.lower() in SUFFIXES]
        what = f"there is no photo or folder '{path}'"
        raise FeatvizError(what, setting="photo", got=path.name, known=sorted(beside) or None)
    if not path.is_dir():
        yield path
        return
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        expected = f"files ending in {', '.join(SUFFIXES)}"
        raise FeatvizError(f"folder {path} holds no photo", setting="photo", got=path, expected=expected)
    yield from files


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _eight_bit(image)
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*BACKGROUND, 255)), image)
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16 bit and floating point to 8 bit; Pillow's own conversion would cut the values off."""
    values = np.array(image).astype(np.float64)
    most = 255.0 if values.max(initial=0) <= 255 else 65535.0 if values.max() <= 65535 else float(values.max())
    most = 1.0 if image.mode == "F" and values.max(initial=0) <= 1 else most
    return Image.fromarray(np.clip(values * (255 / most), 0, 255).round().astype(np.uint8))
