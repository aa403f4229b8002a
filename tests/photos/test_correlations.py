"""Correlations that are gathered batch by batch, against NumPy's of all figures at once."""

import numpy as np
import pytest
import torch

from featviz.photos.correlations import StreamingCorrelations

CHOSEN = [4, 0, 2]


def figures() -> torch.Tensor:
    """Of 90 photos and 6 filters, far from zero as some are; filter 5 answers to all alike, in rounded numbers."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(90, 6, generator=generator).cumsum(1) * 0.1 + 40
    values[:, 5] = 0.1
    return values


@pytest.mark.parametrize("size", [1, 7, 90])
def test_they_are_numpys(size: int) -> None:
    gathered = StreamingCorrelations(CHOSEN, 6)
    for batch in figures().split(size):
        gathered.update(batch)
    wanted = np.corrcoef(figures()[:, :5].double().numpy().T)[CHOSEN]
    np.testing.assert_allclose(gathered.correlations()[:, :5], wanted, atol=1e-9)
    assert gathered.correlations()[:, 5].isnan().all()


def test_a_pass_that_goes_on_comes_to_the_same() -> None:
    first, then, whole = (StreamingCorrelations(CHOSEN, 6) for _ in range(3))
    batches = figures().split(20)
    for batch in batches:
        whole.update(batch)
    for batch in batches[:2]:
        first.update(batch)
    then.load_state(first.state())
    for batch in batches[2:]:
        then.update(batch)
    assert torch.equal(then.correlations()[:, :5], whole.correlations()[:, :5])


def test_no_photos_change_nothing() -> None:
    gathered = StreamingCorrelations([0], 2)
    gathered.update(torch.empty(0, 2))
    assert gathered.count == 0
    assert gathered.correlations().isnan().all()
