"""Units that are alike: duplicates planted among others, and what has no likeness."""

import numpy as np
import pytest
import torch
from torch import nn

from featviz.metrics.relations.similarity import cosines, nearest_units, row_cosines
from featviz.metrics.relations.strongest_inputs import strongest_inputs
from featviz.metrics.relations.weight_vectors import own_weights


def planted() -> tuple[nn.Conv2d, dict[int, int]]:
    """64 filters, of which 8 are others once more, with a little noise and another scale."""
    generator = torch.Generator().manual_seed(0)
    convolution = nn.Conv2d(16, 64, 3)
    order = torch.randperm(64, generator=generator).tolist()
    pairs = dict(zip(order[:8], order[8:16], strict=True))
    with torch.no_grad():
        convolution.weight.copy_(torch.randn(convolution.weight.shape, generator=generator))
        for copy, original in pairs.items():
            noise = torch.randn(convolution.weight[0].shape, generator=generator)
            convolution.weight[copy] = 2.5 * convolution.weight[original] + 0.2 * noise
    return convolution, pairs


def test_planted_duplicates_come_first() -> None:
    convolution, pairs = planted()
    vectors = own_weights(convolution)
    assert vectors is not None
    nearest = nearest_units(cosines(vectors, list(pairs)), list(pairs))
    assert [others[0][0] for others in nearest] == list(pairs.values())
    assert min(others[0][1] for others in nearest) > 0.99
    assert all(len(others) == 8 for others in nearest)


def test_they_are_numpys_cosines() -> None:
    vectors = torch.randn(6, 9, generator=torch.Generator().manual_seed(1))
    lengths = np.linalg.norm(vectors.numpy(), axis=1)
    wanted = vectors.numpy() @ vectors.numpy().T / np.outer(lengths, lengths)
    np.testing.assert_allclose(cosines(vectors, [5, 2]), wanted[[5, 2]], atol=1e-6)


def test_neither_itself_nor_what_is_unlike_is_near() -> None:
    similarities = torch.tensor([[1.0, -0.5, torch.nan, 0.0, 0.25, 0.25]])
    assert nearest_units(similarities, [0]) == [[(4, 0.25), (5, 0.25)]]
    assert nearest_units(cosines(torch.zeros(3, 2), [0, 1, 2]), [0, 1, 2]) == [[], [], []]


@pytest.mark.parametrize(
    ("module", "alike"),
    [
        (nn.Linear(5, 4), True),
        (nn.Conv2d(6, 4, 3), True),
        (nn.ConvTranspose2d(6, 4, 3), True),
        (nn.Conv2d(4, 4, 3, groups=2), True),  # units 0 and 1 are of one group
        (nn.ConvTranspose2d(4, 4, 3, groups=2), True),
        (nn.Conv2d(4, 4, 3, groups=4), False),
    ],
)
def test_units_of_other_groups_have_nothing_in_common(module: nn.Module, alike: bool) -> None:
    nn.init.constant_(module.weight, 1.0)
    vectors = own_weights(module)
    assert vectors is not None
    assert len(vectors) == 4
    groups = getattr(module, "groups", 1)
    found = cosines(vectors, range(4))
    torch.testing.assert_close(found, torch.block_diag(*[torch.ones(4 // groups, 4 // groups)] * groups))
    assert bool(nearest_units(found, range(4))[0]) == alike


@pytest.mark.parametrize("module", [None, nn.ReLU(), nn.BatchNorm2d(3), nn.Sequential(nn.Conv2d(3, 3, 1))])
def test_other_modules_have_no_weights_of_their_own(module: nn.Module | None) -> None:
    assert own_weights(module) is None


def test_cosines_of_the_same_places() -> None:
    one, other = np.random.default_rng(0).normal(size=(2, 5, 7))
    other[3] = 0
    found = row_cosines(torch.from_numpy(one), torch.from_numpy(other))
    expected = (one * other).sum(1)[:3] / np.linalg.norm(one, axis=1)[:3] / np.linalg.norm(other, axis=1)[:3]
    assert found[:3].tolist() == pytest.approx(expected.tolist())
    assert found.isnan().tolist() == [False, False, False, True, False]


def test_the_strongest_inputs_of_both_signs() -> None:
    strengths = torch.tensor([0.5, -2.0, torch.nan, 0.0, 3.0, 0.5, -1.0, torch.inf])
    found = [(one.sign, one.rank, one.unit, one.strength) for one in strongest_inputs(strengths, 3)]
    assert found == [(1, 1, 4, 3.0), (1, 2, 0, 0.5), (1, 3, 5, 0.5), (-1, 1, 1, -2.0), (-1, 2, 6, -1.0)]
