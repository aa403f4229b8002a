"""Colors are mixed and bounded in full precision."""

import pytest
import torch
from pictures import lucid_matrix

from featviz.images.color import bounded, correlation_matrix, mix


@pytest.mark.parametrize("precision", [None, torch.bfloat16])
def test_colors_are_mixed_and_bounded_in_full_precision(precision: torch.dtype | None) -> None:
    values = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with torch.autocast("cpu", precision, enabled=precision is not None):
        mixed, pictures = mix(values, correlation_matrix()), bounded(values, correlation_matrix())
    expected = torch.einsum("rc,nchw->nrhw", torch.from_numpy(lucid_matrix()), values.double())
    torch.testing.assert_close(mixed.double(), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(pictures.double(), expected.sigmoid(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", [(5, 7), (30, 34), (3, 9, 11)])
def test_a_picture_is_bounded_alike_alone_and_beside_others(shape: tuple[int, ...]) -> None:
    values = 3 * torch.randn(4, 3, *shape, generator=torch.Generator().manual_seed(0))
    beside = bounded(values, correlation_matrix())
    alone = [bounded(each[None], correlation_matrix()) for each in values]
    assert torch.equal(beside, torch.cat(alone))
