"""The task that measures the mean magnitude spectrum of photos, for images that keep it."""

from __future__ import annotations

import io
import logging
import shlex
from pathlib import Path

import numpy as np
from hydra.core.hydra_config import HydraConfig
from matplotlib.figure import Figure
from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.progress import track
from torch import Tensor

from featviz.images.spectrum import Measured, measure
from featviz.photos.files import find_photos
from featviz.results.files import write_file

log = logging.getLogger(__name__)

MOST_NAMED = 20  # of the photos that were skipped


def run(cfg: DictConfig) -> None:
    """Measure the photos of ``cfg.data``; write ``spectrum.npy`` and a plot of it into the run's folder."""
    files = find_photos(list(cfg.data) if isinstance(cfg.data, ListConfig) else str(cfg.data))
    console = Console(stderr=True)  # where nobody watches, a bar would leave an empty line
    progress = track(files, "photos", console=console, transient=True, disable=not console.is_terminal)
    found = measure(progress, cfg.task.size, cfg.task.channels)
    path = Path(HydraConfig.get().runtime.output_dir) / "spectrum.npy"
    write_file(path, _npy(found.magnitude))
    write_file(path.with_suffix(".png"), plot(found))
    _tell(found, cfg.task.size)
    log.info("use it: python -m featviz image=maco image.spectrum=%s", shlex.quote(str(path)))


def _tell(found: Measured, size: int) -> None:
    log.info("mean spectrum of %d photos", found.photos)
    if found.enlarged:
        log.warning(
            "%d of them are smaller than %d px: enlarged, they lack high frequencies (task.size=%d is smaller)",
            *(found.enlarged, size, size // 2),
        )
    if found.skipped:
        log.warning("%d skipped:", len(found.skipped))
    for reason in list(found.skipped.values())[:MOST_NAMED]:
        log.warning("  %s", reason)
    if len(found.skipped) > MOST_NAMED:
        log.warning("  and %d more", len(found.skipped) - MOST_NAMED)


def radial_profile(magnitude: Tensor) -> np.ndarray:
    """The mean magnitude at each whole frequency from 1 up to the highest, in cycles per picture: (C, S // 2)."""
    size = magnitude.shape[1]
    distance = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    ring = distance.round().astype(int).ravel()
    sums = np.stack([np.bincount(ring, channel.ravel()) for channel in magnitude.double().numpy()])
    return (sums / np.bincount(ring))[:, 1 : size // 2 + 1]


def plot(found: Measured) -> bytes:
    """A PNG of the radial profile: a straight line is a power law."""
    profile = radial_profile(found.magnitude)
    frequencies = np.arange(1, profile.shape[1] + 1)
    canvas = Figure(figsize=(6, 4), dpi=110, layout="constrained")
    axes = canvas.add_subplot()
    for number, channel in enumerate(profile):
        axes.loglog(frequencies, np.maximum(channel, 1e-12), label=f"channel {number}")
    axes.loglog(frequencies, profile.max() / frequencies, "--", color="#999999", label="1 / frequency")
    axes.set(xlabel="cycles per picture", ylabel="magnitude", title=f"mean of {found.photos} photos")
    axes.legend()
    content = io.BytesIO()
    canvas.savefig(content, format="png", metadata={"Software": "featviz"})
    return content.getvalue()


def _npy(magnitude: Tensor) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, magnitude.numpy())
    return buffer.getvalue()
