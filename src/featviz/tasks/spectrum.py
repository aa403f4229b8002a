"""The task that measures the mean magnitude spectrum of photos, for images that keep it."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from torch import Tensor

from featviz.images.spectrum import Measured, measure
from featviz.results.completion import write_checksums
from featviz.results.files import write_file
from featviz.results.plots import figure_png, new_figure
from featviz.results.tensors import npy
from featviz.tasks.photo_folder import configured_photos, log_skipped, tracked
from featviz.tasks.same_run import is_finished

log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> None:
    """Measure the photos of ``cfg.data``; write ``spectrum.npy`` and a plot of it into the run's folder."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if is_finished(cfg, folder):
        log.info("%s: all there", folder)
        return
    measured = measure(tracked(configured_photos(cfg.data), "photos"), cfg.task.size, cfg.task.channels)
    path = folder / "spectrum.npy"
    write_file(path, npy(measured.magnitude))
    write_file(path.with_suffix(".png"), plot(measured))
    write_checksums(folder)
    _report(measured, cfg.task.size)
    log.info("use it: python -m featviz image=maco image.spectrum=%s", shlex.quote(str(path)))


def _report(measured: Measured, size: int) -> None:
    log.info("mean spectrum of %d photos", measured.photos)
    if measured.enlarged:
        log.warning(
            "%d of them are smaller than %d px: enlarged, they lack high frequencies (task.size=%d is smaller)",
            *(measured.enlarged, size, size // 2),
        )
    log_skipped(measured.skipped)


def radial_profile(magnitude: Tensor) -> np.ndarray:
    """The mean magnitude at each whole frequency from 1 up to the highest, in cycles per picture: (C, S // 2)."""
    size = magnitude.shape[1]
    distance = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    ring = distance.round().astype(int).ravel()
    sums = np.stack([np.bincount(ring, channel.ravel()) for channel in magnitude.double().numpy()])
    return (sums / np.bincount(ring))[:, 1 : size // 2 + 1]


def plot(measured: Measured) -> bytes:
    """A PNG of the radial profile: a straight line is a power law."""
    profile = radial_profile(measured.magnitude)
    frequencies = np.arange(1, profile.shape[1] + 1)
    figure, axes = new_figure(6, 4)
    for number, channel in enumerate(profile):
        axes.loglog(frequencies, np.maximum(channel, 1e-12), label=f"channel {number}")
    axes.loglog(frequencies, profile.max() / frequencies, "--", color="#999999", label="1 / frequency")
    axes.set(xlabel="cycles per picture", ylabel="magnitude", title=f"mean of {measured.photos} photos")
    axes.legend()
    return figure_png(figure)
