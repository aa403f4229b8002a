"""Magnitude spectra of natural pictures: from a law, from a file, or measured on photos.

A spectrum is a tensor (C, H, W // 2 + 1), the magnitude of each coefficient of the real Fourier transform of H x W px;
one that is measured or read is of a square.
Three channels are those of the decorrelated color space. Only ratios matter, not the unit.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.images.color import correlation_matrix, mix
from featviz.images.imagenet_spectrum import NAME as NAME_OF_IMAGENET
from featviz.images.imagenet_spectrum import check_imagenet, imagenet_spectrum
from featviz.photos.files import find_photos, fit_photo, read_photo
from featviz.reading import check_input, expanded, read_archived_array, read_array
from featviz.shapes import Shape, Size

log = logging.getLogger(__name__)

ENDINGS = (".npy", ".npz", ".safetensors")
SIZE = 256  # px, to which photos are brought
SMALLEST, LARGEST = 8, 4096  # px
MOST_CHANNELS = 64
NAME = "magnitude"  # of the tensor in a file that may hold several
GRAY = 0.5  # what a pre-image of zero becomes


@dataclass
class Measured:
    """The mean magnitude of ``photos`` photos; those that could not be read, with the reason; how many are enlarged."""

    magnitude: Tensor
    photos: int = 0
    enlarged: int = 0
    skipped: dict[Path, str] = field(default_factory=dict)


def measure(files: Iterable[Path], size: int = SIZE, channels: int = 3) -> Measured:
    """The mean magnitude spectrum of photos, each cut to a square and brought to ``size`` px.

    One photo is in memory at a time. Decorrelated colors, as MACO has them (arXiv 2306.06805); measured from mid-gray,
    so that the mean color counts by how far it is from gray. A photo that cannot be read is skipped.

    Raises:
        FeatvizError: none could be read, or the size is too small.
    """
    if size > LARGEST or channels > MOST_CHANNELS:
        what = f"a spectrum of {channels} channels and {size} px"
        raise FeatvizError(what, setting="task.size", got=size, expected=f"at most {MOST_CHANNELS} and {LARGEST} px")
    if size < SMALLEST or channels < 1:
        what = f"a spectrum of {channels} channels and {size} px"
        raise FeatvizError(what, setting="task.size", got=size, expected=f"1 and {SMALLEST} px or more")
    matrix = correlation_matrix() if channels == 3 else None
    inverse = None if matrix is None else matrix.inverse()
    found = Measured(torch.zeros(channels, size, size // 2 + 1, dtype=torch.float64))
    for file in files:
        try:
            photo = read_photo(file)
        except FeatvizError as error:
            found.skipped[file] = str(error)
            continue
        picture = mix(fit_photo(photo, size, channels)[None] - GRAY, inverse)[0]
        found.magnitude += torch.fft.rfft2(picture).abs()
        found.photos += 1
        found.enlarged += min(photo.size) < size
    if not found.photos:
        reason = next(iter(found.skipped.values()), "there is none")
        raise FeatvizError(f"none of {len(found.skipped)} photos can be read; {reason}")
    found.magnitude = (found.magnitude / found.photos).float()
    return found


def power_law(size: Size, channels: int) -> Tensor:
    """1 / frequency, the same in each channel: what natural pictures have on average (Field 1987).

    In decorrelated colors equal magnitudes are the color statistics of natural pictures.
    """
    return (1 / _frequencies(size).norm(dim=0).clamp_min(1)).expand(channels, -1, -1).clone()


def check_source(source: str | None) -> None:
    """Raise FeatvizError for a spectrum's file that is not there, or no file of one; it is read later."""
    if source is not None and source != NAME_OF_IMAGENET and not expanded(source).is_dir():
        check_input("image.spectrum", expanded(source), ENDINGS)


def spectrum_of(source: str | None, channels: int) -> Callable[[Size], Tensor]:
    """A function from a size to the spectrum (channels, H, W // 2 + 1) that ``source`` names.

    It is ``imagenet``, a file, a folder of photos, which are measured, or null for 1 / frequency.
    """
    if source is None:
        return partial(power_law, channels=channels)
    if source == NAME_OF_IMAGENET:
        check_imagenet(channels)
        return partial(imagenet_spectrum, channels=channels)
    path = expanded(source)
    spectrum = _measured(tuple(find_photos(path)), channels) if path.is_dir() else read_spectrum(path)
    if len(spectrum) != channels:
        raise FeatvizError(
            f"spectrum {path} has {len(spectrum)} channels, but the network takes {channels}: "
            f"measure one with python -m featviz task=spectrum data=FOLDER task.channels={channels}",
            setting="image.spectrum",
            got=path,
        )
    return partial(at_size, spectrum)


@lru_cache(maxsize=4)  # an image is built for each chunk, and again for each new start
def _measured(files: tuple[Path, ...], channels: int) -> Tensor:
    log.info("measuring the spectrum of %d photos", len(files))
    found = measure(files, channels=channels)
    for reason in found.skipped.values():
        log.warning("skipped: %s", reason)
    return found.magnitude


def at_size(spectrum: Tensor, size: Size) -> Tensor:
    """The spectrum of the same pictures at another size.

    A frequency (in cycles per picture, or per square with as many px as a picture that is none) keeps its magnitude.
    Beyond the highest one measured it falls off by
    1 / frequency from the last value in that direction.
    """
    measured = spectrum.shape[1]
    if Shape.of(size) == (measured, measured):
        return spectrum.clone()
    frequencies = _frequencies(size)
    reach = frequencies.abs().amax(0)
    inwards = ((measured - 1) // 2 / reach.clamp_min(1)).clamp_max(1)
    rows, columns = (frequencies * inwards).round().long()
    return spectrum[:, rows, columns] * inwards


def _frequencies(size: Size) -> Tensor:
    """Vertical and horizontal frequency of each coefficient, (2, H, W // 2 + 1), in cycles per picture.

    Of a picture that is no square they are those per square with as many px, so that both axes are alike.
    """
    shape = Shape.of(size)
    axes = torch.fft.fftfreq(shape[0]), torch.fft.rfftfreq(shape[1])
    cycles = [(axis * side).round() * (shape.side / side) for axis, side in zip(axes, shape, strict=True)]
    return torch.stack(torch.meshgrid(*cycles, indexing="ij"))


def read_spectrum(path: Path) -> Tensor:
    """Read a spectrum from a .npy, .npz or .safetensors file; nothing in it is run.

    Raises:
        FeatvizError: there is no such file, it is damaged, or it holds no spectrum.
    """
    check_input("image.spectrum", path, ENDINGS)
    try:
        spectrum = READERS[path.suffix.lower()](path)
    except (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, SafetensorError) as error:
        what = f"spectrum {path} is damaged: {one_line(error)}"
        raise FeatvizError(what, setting="image.spectrum", got=path) from error
    return _checked(spectrum, path)


def _read_npy(path: Path) -> Tensor:
    return torch.from_numpy(read_array(path).astype(np.float32))


def _read_npz(path: Path) -> Tensor:
    return torch.from_numpy(read_archived_array(path, NAME).astype(np.float32))


def _read_safetensors(path: Path) -> Tensor:
    tensors = load_file(path)
    return tensors[_only(list(tensors))].float()


READERS: dict[str, Callable[[Path], Tensor]] = dict(
    zip(ENDINGS, (_read_npy, _read_npz, _read_safetensors), strict=True)
)


def _only(names: list[str]) -> str:
    if NAME in names or len(names) != 1:
        return NAME
    return names[0]


def _checked(spectrum: Tensor, path: Path) -> Tensor:
    shape, size = list(spectrum.shape), spectrum.shape[1] if spectrum.ndim == 3 else 0
    if size < SMALLEST or shape[2] != size // 2 + 1:
        expected = f"(channels, S, S // 2 + 1) with S {SMALLEST} or more"
        what = f"spectrum {path} has shape {shape}"
        raise FeatvizError(what, setting="image.spectrum", got=shape, expected=expected)
    if not spectrum.isfinite().all() or spectrum.min() < 0 or spectrum[:, 1:].max() == 0:
        what = f"spectrum {path} holds numbers that are no magnitudes"
        raise FeatvizError(what, setting="image.spectrum", got=path, expected="finite ones, zero or more")
    return spectrum
