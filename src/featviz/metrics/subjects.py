"""Pictures of single filters, as the metrics that compare them with photos are given them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from featviz.models.backbone import Backbone
from featviz.objectives import Logit, Objective, subject
from featviz.photos.exemplar_folder import ExemplarFolder


@dataclass(frozen=True)
class Subjects:
    """Pictures (N, C, H, W) in [0, 1], and what each is of.

    ``numbers`` are the filters of ``layer``, and ``figure``, ``mean`` or ``max``, is what was maximized of their maps.
    ``strongest`` and ``weakest`` are each filter's most extreme photos. Filters ``of_classes`` are a network's outputs.
    """

    backbone: Backbone
    layer: str
    numbers: Sequence[int]
    figure: str
    pictures: Tensor
    strongest: Sequence[Sequence[Path]]
    weakest: Sequence[Sequence[Path]]
    of_classes: bool = False

    @classmethod
    def of(cls, backbone: Backbone, objective: Objective, pictures: Tensor, folder: ExemplarFolder) -> Subjects | None:
        """The pictures of an objective; None where they are not those of one filter each."""
        unit = subject(objective)
        if unit is None or unit.statistic is None:
            return None
        numbers = torch.tensor(list(unit.filters)).expand(len(pictures)).tolist()
        extremes = [folder.extremes(backbone.layers[unit.layer].name, number) for number in numbers]
        strongest, weakest = [top for top, _ in extremes], [bottom for _, bottom in extremes]
        figure, of_classes = unit.statistic, isinstance(unit, Logit)
        return cls(backbone, unit.layer, numbers, figure, pictures, strongest, weakest, of_classes)
