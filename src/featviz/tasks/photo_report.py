"""What single photos excite in a network: every filter's activation, the strongest filters, and tables of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig
from torch import Tensor

from featviz.photos.activations import FeatureMapActivator, PhotoActivations, ReferenceStatistics, figures, strongest
from featviz.photos.files import distinct_names, fit_photo, read_photo
from featviz.results.files import write_records
from featviz.tasks.photo_folder import configured_photos


@dataclass
class PhotoReport:
    """A photo as the network is shown it, with what it excites, layer by layer.

    Attributes:
        path: the photo's file.
        name: the file's name, with the folders above it where others have the same.
        picture: what the network is shown, (C, H, W) in [0, 1].
        activations: the feature maps.
        classes: the model's most likely classes with their probabilities.
        values: {layer: what filters are ranked by, (filters,)}.
        zscores: {layer: (filters,)}, empty without photos to compare with.
        ranked: {layer: the numbers of the strongest filters, strongest first}.
    """

    path: Path
    name: str
    picture: Tensor
    activations: PhotoActivations
    classes: list[tuple[str, float]]
    values: dict[str, Tensor]
    zscores: dict[str, Tensor]
    ranked: dict[str, list[int]]


@dataclass(frozen=True)
class FilterRow:
    """A line of top_filters.csv: a filter's figures for a photo, and its rank; ``zscore`` is empty where unknown."""

    photo: str
    layer: str
    module: str
    filter: int
    mean: float
    max: float
    zscore: float | str
    rank: int


@dataclass(frozen=True)
class SharedRow:
    """A line of shared_filters.csv: a filter among the strongest of several photos, and their names."""

    layer: str
    filter: int
    photos: int
    names: str


def photo_reports(paths: Sequence[Path], activator: FeatureMapActivator, cfg: DictConfig) -> list[PhotoReport]:
    """Show the photos to the network; ``cfg`` has ``top``, ``by`` and ``reference``."""
    model, references = activator.model, _references(activator, cfg)
    reports = []
    for path, name in zip(paths, distinct_names(paths), strict=True):
        picture = fit_photo(read_photo(path), model.size, model.in_channels)
        maps = activator(picture)
        values = {layer: figures(maps, layer, cfg.by, references.get(layer)) for layer in maps.maps}
        zscores = {layer: figures(maps, layer, "zscore", reference) for layer, reference in references.items()}
        ranked = {layer: strongest(of_layer, cfg.top) for layer, of_layer in values.items()}
        reports.append(PhotoReport(path, name, picture, maps, activator.classes(picture), values, zscores, ranked))
    return reports


def _references(activator: FeatureMapActivator, cfg: DictConfig) -> dict[str, ReferenceStatistics]:
    """The statistics of the photos in ``reference``; nothing where there is none."""
    if cfg.reference is None:
        return {}
    size, channels = activator.model.size, activator.model.in_channels
    photos = (fit_photo(read_photo(path), size, channels) for path in configured_photos(cfg.reference, whole=True))
    return activator.reference_statistics(photos)


def write_tables(folder: Path, reports: Sequence[PhotoReport], activator: FeatureMapActivator) -> None:
    """Write ``top_filters.csv`` and, of several photos, ``shared_filters.csv``."""
    rows = [row for report in reports for row in _filter_rows(report, activator)]
    write_records(folder / "top_filters.csv", FilterRow, rows)
    if len(reports) > 1:
        write_records(folder / "shared_filters.csv", SharedRow, _shared_rows(reports))


def _filter_rows(report: PhotoReport, activator: FeatureMapActivator) -> Iterator[FilterRow]:
    for layer, values in report.values.items():
        means, maxima = report.activations.means(layer).tolist(), report.activations.maxima(layer).tolist()
        zscores = report.zscores[layer].tolist() if report.zscores else [""] * len(means)
        ranks = {number: rank for rank, number in enumerate(strongest(values, len(values)), 1)}
        module = activator.backbone.layers[layer].name
        for number, (mean, largest, zscore) in enumerate(zip(means, maxima, zscores, strict=True)):
            yield FilterRow(report.name, layer, module, number, mean, largest, zscore, ranks[number])


def _shared_rows(reports: Sequence[PhotoReport]) -> list[SharedRow]:
    """The filters that are among the strongest of more than one photo, those of the most photos first."""
    names: dict[tuple[str, int], list[str]] = {}
    for report in reports:
        for layer, numbers in report.ranked.items():
            for number in numbers:
                names.setdefault((layer, number), []).append(report.name)
    several = sorted((key for key, of_key in names.items() if len(of_key) > 1), key=lambda key: (-len(names[key]), key))
    return [SharedRow(*key, len(names[key]), " ".join(names[key])) for key in several]
