"""Pictures as a network takes them."""

import pytest
import torch

from featviz.models.normalization import Normalization


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(2, 1, 4, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.4, 0.5)])
def test_pictures_are_copied_and_normalized(
    mean: float, std: float, shape: tuple[int, ...], memory: torch.memory_format
) -> None:
    normalization = Normalization((mean,) * shape[1], (std,) * shape[1])
    normalization.memory = memory
    pictures, weights = torch.rand(shape).requires_grad_(), torch.rand(shape)
    expected = (pictures.detach() - mean) / std
    normalized = normalization(pictures)
    torch.testing.assert_close(normalized.detach(), expected)
    assert normalized.is_contiguous(memory_format=memory)
    (normalized * weights).sum().backward()
    torch.testing.assert_close(pictures.grad, weights / std)
    before = pictures.detach().clone()
    normalization(pictures).detach().zero_()  # as a network may do
    assert pictures.equal(before)
