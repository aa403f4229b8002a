from pathlib import Path

import pytest
import torch
from refusals import refusal_of
from torch import nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import Capped
from featviz.photos.exemplars import PERCENTILES, ActivationStatistics, Exemplar, Exemplars
from featviz.photos.tables import Origin, write_tables


def backbone(seed: int = 0) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Conv2d(3, 4, 3))
    return Backbone(Model("tiny", network, (0.5,), (0.25,), 16, "random"), ["0"])


def exemplars(folder: Path, of: Backbone) -> str:
    """Two photos each of filters 1 and 3, as task=exemplars writes them."""
    strongest = [
        Exemplar("0", number, rank, 2.0 * number + rank, 9.0, 0, 0, Path(f"{rank}.png"), (0, 0, 3, 3))
        for number in (1, 3)
        for rank in (1, 2)
    ]
    statistics = [
        ActivationStatistics("0", number, figure, 5, 0.0, 1.0, [float(p) for p in PERCENTILES])
        for number in (1, 3)
        for figure in ("mean", "max")
    ]
    write_tables(folder, Exemplars(strongest, statistics), [], Origin.of(of.model, {"0": "0"}), "mean")
    return str(folder)


def test_beyond_the_level_there_is_no_gradient() -> None:
    maps = torch.tensor([0.5, 3.0]).view(2, 1, 1, 1).expand(2, 4, 6, 6).clone().requires_grad_()
    objective = Capped("0", [1], 2.0)
    assert objective.fulfilled({"0": maps}).tolist() == [False, True]
    scores = objective({"0": maps})
    scores.sum().backward()
    assert scores.tolist() == [0.5, 2.0]
    assert maps.grad.flatten(1).any(1).tolist() == [True, False]
    assert objective.activation({"0": maps}).tolist() == [0.5, 3.0]


def test_the_level_of_a_folder_of_exemplars_is_the_mean_of_the_photos(tmp_path: Path) -> None:
    found = backbone()
    objective = Capped("0", [3, 1], exemplars(tmp_path, found))
    objective.prepare(found)
    assert objective({"0": torch.full((2, 4, 6, 6), 100.0)}).tolist() == [7.5, 3.5]


@pytest.mark.parametrize(("filters", "seed", "expected"), [([0], 0, "a number, or more filters"), ([1], 1, "")])
def test_a_folder_without_the_filter_or_of_another_network_is_refused(
    filters: list[int], seed: int, expected: str, tmp_path: Path
) -> None:
    objective = Capped("0", filters, exemplars(tmp_path, backbone()))
    error = refusal_of(lambda: objective.prepare(backbone(seed)))
    assert (error.setting, error.expected) == ("objective.level", expected)
