"""What another network says of units' pictures beside the units' photos."""

from __future__ import annotations

from math import nan

from torch.nn import functional as F

from featviz.metrics.agreement import best_agreement
from featviz.metrics.judges import Judge
from featviz.metrics.prediction import Regression, kernel
from featviz.metrics.responses import MEAN, PhotoResponses, Responses, responses
from featviz.metrics.standardization import Standardization
from featviz.metrics.subjects import Subjects
from featviz.photos.exemplar_folder import ExemplarFolder
from featviz.photos.exemplars import FIGURES


class JudgedUnits:
    """A judge's columns of pictures: ``agreement``, and ``transfer_z`` where they are not of classes."""

    def __init__(self, judge: Judge, folder: ExemplarFolder) -> None:
        self._judge, self._folder = judge, folder
        self._own: dict[tuple[int, str], PhotoResponses] = {}

    def columns(self, subjects: Subjects) -> dict[str, list[float]]:
        """Two or four numbers for each picture; nan for units without photos."""
        judge = self._judge.to(subjects.backbone.mean.device)
        pictures = judge.responses(subjects.pictures)
        columns = self._agreement(subjects, pictures)
        if not subjects.of_classes:
            columns |= self._predicted(subjects, pictures)
        return {f"{name}_{judge.name}": values for name, values in columns.items()}

    def _agreement(self, subjects: Subjects, pictures: Responses) -> dict[str, list[float]]:
        judge, references = self._judge, self._judge.photos(self._folder.references)
        scales = {layer: Standardization.of(seen[:, MEAN]) for layer, seen in references.items()}
        found = []
        for at, extremes in enumerate(zip(subjects.strongest, subjects.weakest, strict=True)):
            top, bottom = (judge.photos(files) for files in extremes)
            if not top or not bottom:
                found.append((nan, nan))
                continue
            directions = [
                tuple(F.normalize(scale(seen[layer][:, MEAN]), dim=1) for seen in (pictures, top, bottom))
                for layer, scale in scales.items()
            ]
            found.append(best_agreement([(picture[at], strong, weak) for picture, strong, weak in directions]))
        return {"agreement": [of for of, _ in found], "agreement_photos": [of for _, of in found]}

    def _predicted(self, subjects: Subjects, pictures: Responses) -> dict[str, list[float]]:
        figure, references = FIGURES.index(subjects.figure), self._folder.references
        photos = self._judge.photos(references)
        scales = {layer: Standardization.of(seen[:, figure]) for layer, seen in photos.items()}
        features = {layer: scale(photos[layer][:, figure]) for layer, scale in scales.items()}
        among = kernel([(seen, seen) for seen in features.values()])
        of_pictures = kernel([(scales[layer](pictures[layer][:, figure]), seen) for layer, seen in features.items()])
        own = self._own_responses(subjects)(references)[subjects.layer][:, figure]
        fits = {number: Regression.of(among, own[:, number]) for number in set(subjects.numbers)}
        standings = [fits[number].standing(of_pictures[at]) for at, number in enumerate(subjects.numbers)]
        return {"transfer_z": standings, "transfer_r": [fits[number].correlation for number in subjects.numbers]}

    def _own_responses(self, subjects: Subjects) -> PhotoResponses:
        backbone = subjects.backbone
        key = (id(backbone.network), subjects.layer)
        if key not in self._own:
            size, channels = backbone.model.size, backbone.model.in_channels
            self._own[key] = PhotoResponses(lambda photos: responses(backbone, photos), size, channels)
        return self._own[key]
