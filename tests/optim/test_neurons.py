"""The most exciting inputs of simulated neurons are those that are known."""

from functools import cache

import pytest
import torch
from neurons import Cells, FilmCells
from torch.nn.functional import cosine_similarity

import featviz
from featviz.models.model import Model
from featviz.results.result import Result

NORM, SHAPE, FILM = 5.0, (18, 32), (40, 12, 12)
SETTINGS = ["projections=norm", f"projections.norm.rho={NORM}", "optimizer=sgd", "optimizer.lr=1", "evidence=none"]
SETTINGS += ["image=pixel", "image.bound=none", "image.space=model", "image/init=model_normal", "relations=false"]
SETTINGS += ["callbacks=none", "schedule.steps=120"]


@cache
def cells() -> tuple[Cells, Result]:
    network = Cells("ssccnn", SHAPE)
    model = Model("cells", network, (0.0,), (1.0,), SHAPE, range="none", in_channels=1)
    size = f"schedule.size=[{SHAPE[0]},{SHAPE[1]}]"
    return network, featviz.visualize(model, "output", "all", "plain", overrides=[*SETTINGS, size])


@pytest.mark.parametrize("unit", [0, 1])
def test_the_picture_of_a_linear_cell_is_its_filter(unit: int) -> None:
    network, made = cells()
    assert cosine_similarity(made.images[unit].flatten(), network.even.weight[unit], 0) >= 0.99
    assert made.rows[unit]["activation"] / network.highest(unit, NORM) >= 0.99


@pytest.mark.parametrize("unit", [2, 3])
def test_a_complex_cell_answers_as_strongly_as_it_can(unit: int) -> None:
    network, made = cells()
    assert made.rows[unit]["activation"] / network.highest(unit, NORM) >= 0.99


@pytest.mark.parametrize("unit", [4, 5])
def test_a_cell_with_divisive_normalization_is_driven_in_its_own_plane(unit: int) -> None:
    """Its picture excites it more than its own filter of the same norm does, since that excites its neighbors too."""
    network, made = cells()
    filters = NORM * torch.stack([network.even.weight[unit], network.odd.weight[unit]])
    assert made.rows[unit]["activation"] > network(filters)[:, unit].max()


@cache
def films() -> tuple[FilmCells, Result]:
    network = FilmCells(FILM)
    model = Model("films", network, (0.0,), (1.0,), FILM, range="none", in_channels=1)
    size = f"schedule.size=[{','.join(map(str, FILM))}]"
    return network, featviz.visualize(model, "output", "all", "plain", overrides=[*SETTINGS, size])


def directions(film: torch.Tensor) -> tuple[float, float]:
    """The energy of a film (T, H, W) that moves with and against the cells' axis."""
    spectrum = torch.fft.fftn(film).abs().square()
    frequencies = [torch.fft.fftfreq(side) for side in film.shape]
    time, y, x = torch.meshgrid(*frequencies, indexing="ij")
    side = torch.sign(time * (y * torch.sin(torch.tensor(0.3)) + x * torch.cos(torch.tensor(0.3))))
    return spectrum[side > 0].sum().item(), spectrum[side < 0].sum().item()


@pytest.mark.parametrize("unit", [0, 1, 2])
def test_the_film_of_a_linear_cell_is_its_filter(unit: int) -> None:
    network, made = films()
    assert made.images.shape[1:] == (1, *FILM)
    assert cosine_similarity(made.images[unit].flatten(), network.filters[unit], 0) >= 0.98
    assert made.rows[unit]["activation"] / NORM >= 0.99


@pytest.mark.parametrize("unit", [1, 2, 3])
def test_films_of_moving_cells_move_to_their_side(unit: int) -> None:
    network, made = films()
    own = directions(network.filters[1 if unit == 3 else unit].view(FILM))
    preferred = own.index(max(own))
    assert preferred == (1 if unit == 2 else 0)
    energies = directions(made.images[unit, 0])
    assert energies[preferred] >= 10 * energies[1 - preferred]
