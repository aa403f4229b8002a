"""Metrics of pictures beside the photos that a run of task=exemplars keeps: docs/evidence.md."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.metrics.gradient_spectrum import GradientRatio
from featviz.metrics.judged_units import JudgedUnits
from featviz.metrics.judges import Judge
from featviz.metrics.path import PathMetric
from featviz.metrics.spectrum import band_shares, natural_shares
from featviz.metrics.subjects import Subjects
from featviz.models.backbone import Backbone
from featviz.objectives import Objective
from featviz.photos.exemplar_folder import ExemplarFolder
from featviz.photos.files import enlarges, fit_levels, read_photo
from featviz.photos.stream import evenly_spaced
from featviz.shapes import Shape, Size

log = logging.getLogger(__name__)

SPECTRA, FEWEST_SPECTRA = 64, 8  # photos whose spectra are averaged


class _Metric(Protocol):
    def columns(self, subjects: Subjects) -> dict[str, list[float]]: ...


class PhotoMetrics:
    """Compares pictures with the photos of a folder.

    Args:
        folder: of a run of task=exemplars, of the same network and units.
        judges: networks in whose features pictures and photos are compared.
    """

    def __init__(self, folder: ExemplarFolder, judges: Sequence[Judge]) -> None:
        self._folder = folder
        judged = (JudgedUnits(judge, folder) for judge in judges)
        self._metrics: list[_Metric] = [PathMetric(folder), GradientRatio(), *judged]
        self._shares: dict[tuple[int, int], tuple[float, ...]] = {}

    def check(self, backbone: Backbone, layer: str, numbers: Sequence[int]) -> None:
        """Raise FeatvizError where photos of these filters are not in the folder."""
        module = backbone.layers[layer].name
        extremes = [file for number in numbers for files in self._folder.extremes(module, number) for file in files]
        for file in (*extremes, *self._folder.references):
            if not file.is_file():
                what = f"exemplars={self._folder.path} lacks {file.relative_to(self._folder.path)}"
                raise FeatvizError(what, setting="exemplars", got=self._folder.path, expected="a whole folder")

    def columns(self, backbone: Backbone, objective: Objective, pictures: Tensor) -> dict[str, list[float]]:
        """The numbers of pictures (N, C, H, W) in [0, 1], by column; none for those that are not of one filter each.

        A photo that cannot be read any more costs the numbers, not the pictures: it is said.
        """
        try:
            subjects = Subjects.of(backbone, objective, pictures, self._folder)
            if subjects is None:
                return {}
            return {name: values for metric in self._metrics for name, values in metric.columns(subjects).items()}
        except FeatvizError as error:
            log.warning("nothing is said of pictures beside photos: %s", error)
            return {}

    def shares(self, size: tuple[int, int], channels: int) -> tuple[float, ...]:
        """The mean share of photos' spectral energy in each octave of ``BANDS``, at this height and width."""
        if size not in self._shares:
            try:
                self._shares[size] = mean_shares(evenly_spaced(self._folder.references, SPECTRA), size, channels)
            except FeatvizError as error:
                log.warning("spectra are compared with those of other photos: %s", error)
                self._shares[size] = natural_shares(*size)
        return self._shares[size]


def mean_shares(files: Sequence[Path], size: Size, channels: int) -> tuple[float, ...]:
    """The mean share of photos' spectral energy in each octave of ``BANDS``, at ``size`` px.

    Photos that would have to be enlarged do not count; where few are left, it is ``natural_shares``.
    """
    photos = [photo for photo in map(read_photo, files) if not enlarges(photo.size, size)]
    if len(photos) < FEWEST_SPECTRA:
        return natural_shares(*Shape.of(size))
    shares = [band_shares(fit_levels(photo, size, channels).transpose(1, 2, 0) / 255) for photo in photos]
    return tuple(np.mean(shares, 0).tolist())
