"""What single photos excite in a network: every filter's activation, the strongest filters, and tables of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig
from torch import Tensor

from featviz.photos.activations import FeatureMapActivator, PhotoActivations, ReferenceStatistics, figures, strongest
from featviz.photos.files import distinct_names, fit_photo, read_photo
from featviz.results.files import write_table
from featviz.results.rows import CLASS, ClassColumn
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


class FilterRow(ClassColumn):
    """A line of top_filters.csv: a filter's figures for a photo, and its rank; ``zscore`` is empty where unknown."""

    photo: str
    layer: str
    module: str
    filter: int
    mean: float
    max: float
    zscore: float | str
    rank: int


class SharedRow(ClassColumn):
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
    """Write ``top_filters.csv`` and, of several photos, ``shared_filters.csv``.

    Both have a column ``class`` where a layer's filters are classes that the model names.
    """
    rows = [row for report in reports for row in _filter_rows(report, activator)]
    _write(folder / "top_filters.csv", FilterRow, rows)
    if len(reports) > 1:
        _write(folder / "shared_filters.csv", SharedRow, _shared_rows(reports, activator))


def _write(file: Path, kind: type, rows: Sequence[FilterRow] | Sequence[SharedRow]) -> None:
    columns = [name for name in kind.__annotations__ if name != CLASS]
    if any(CLASS in row for row in rows):
        columns.insert(columns.index("filter") + 1, CLASS)
    write_table(file, columns, rows)


def _filter_rows(report: PhotoReport, activator: FeatureMapActivator) -> Iterator[FilterRow]:
    for layer, values in report.values.items():
        means, maxima = report.activations.means(layer).tolist(), report.activations.maxima(layer).tolist()
        zscores = report.zscores[layer].tolist() if report.zscores else [""] * len(means)
        ranks = {number: rank for rank, number in enumerate(strongest(values, len(values)), 1)}
        module, names = activator.backbone.layers[layer].name, activator.backbone.class_names(layer)
        for number, (mean, largest, zscore) in enumerate(zip(means, maxima, zscores, strict=True)):
            row = FilterRow(
                photo=report.name,
                layer=layer,
                module=module,
                filter=number,
                mean=mean,
                max=largest,
                zscore=zscore,
                rank=ranks[number],
            )
            if names:
                row["class"] = names[number]
            yield row


def _shared_rows(reports: Sequence[PhotoReport], activator: FeatureMapActivator) -> list[SharedRow]:
    """The filters that are among the strongest of more than one photo, those of the most photos first."""
    photos: dict[tuple[str, int], list[str]] = {}
    for report in reports:
        for layer, numbers in report.ranked.items():
            for number in numbers:
                photos.setdefault((layer, number), []).append(report.name)
    shared = sorted((key for key, names in photos.items() if len(names) > 1), key=lambda key: (-len(photos[key]), key))
    rows = list[SharedRow]()
    for layer, number in shared:
        names = photos[layer, number]
        rows.append(SharedRow(layer=layer, filter=number, photos=len(names), names=" ".join(names)))
        if classes := activator.backbone.class_names(layer):
            rows[-1]["class"] = classes[number]
    return rows
