"""The shape of a training's pictures, in batches as people have them."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from featviz.watch.batches import picture_shape

PICTURES, MASKS, CLASSES = torch.rand(2, 3, 8, 6), torch.zeros(2, 8, 6), torch.zeros(2, dtype=torch.long)


class Sample(NamedTuple):
    classes: torch.Tensor
    pictures: torch.Tensor


@pytest.mark.parametrize(
    "batch",
    [
        PICTURES,
        (PICTURES, CLASSES),
        [CLASSES, MASKS, PICTURES],
        {"label": CLASSES, "image": PICTURES},
        ([{"names": ["a", "b"], "pixel_values": PICTURES}], CLASSES),
        Sample(CLASSES, PICTURES),
        (PICTURES, torch.rand(2, 1, 4, 4)),  # the first
    ],
)
def test_pictures_are_found(batch: Any) -> None:
    assert picture_shape(batch) == (3, 8, 6)


@pytest.mark.parametrize("batch", [None, CLASSES, "abc", ["abc"], {}, (MASKS, 3), np.zeros((2, 3, 8, 6))])
def test_there_may_be_none(batch: Any) -> None:
    assert picture_shape(batch) is None
