"""The two-choice experiment with a network in the place of people, against NumPy."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from featviz.metrics.agreement import agreement, best_agreement, photo_agreement, share_of_right_choices


def directions(count: int, seed: int, towards: int | None = None) -> torch.Tensor:
    """Unit vectors of 12 features; ``towards`` one of them where it is given."""
    values = np.random.default_rng(seed).normal(size=(count, 12))
    if towards is not None:
        values[:, towards] += 4
    return torch.from_numpy(values / np.linalg.norm(values, axis=1, keepdims=True))


def by_hand(picture: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> float:
    """Every pair of photos, one choice each."""
    return float(np.mean([picture @ strong > picture @ weak for strong, weak in product(top, bottom)]))


def test_the_score_is_the_share_of_pairs_in_which_the_strong_photo_is_more_like_the_picture() -> None:
    (picture,), top, bottom = directions(1, 0), directions(5, 1), directions(4, 2)
    assert agreement(picture, top, bottom) == by_hand(picture.numpy(), top.numpy(), bottom.numpy())
    assert agreement(picture, bottom, top) == pytest.approx(1 - agreement(picture, top, bottom))
    left_out = [by_hand(top[at].numpy(), np.delete(top.numpy(), at, 0), bottom.numpy()) for at in range(5)]
    assert photo_agreement(top, bottom) == pytest.approx(np.mean(left_out))


def test_equal_likeness_is_half_right_and_without_photos_there_is_no_score() -> None:
    assert share_of_right_choices(torch.tensor([1.0, 1.0, 1.0]), 2) == 0.5
    assert math.isnan(share_of_right_choices(torch.tensor([1.0]), 1))
    assert math.isnan(photo_agreement(directions(1, 0), directions(3, 1)))


def test_the_layer_is_the_one_that_tells_photos_apart_whatever_the_picture() -> None:
    """The second layer sees what the unit looks for; the picture fits better in the first, where nothing is told."""
    blind, seeing = (directions(9, 1), directions(9, 2)), (directions(9, 3, towards=4), directions(9, 4))
    like, unlike = directions(1, 5, towards=4)[0], -directions(1, 5, towards=4)[0]
    for picture in (like, unlike):
        score, by_photos = best_agreement([(blind[0][0], *blind), (picture, *seeing)])
        assert (score, by_photos) == (agreement(picture, *seeing), photo_agreement(*seeing))
    assert agreement(like, *seeing) > 0.9 > 0.1 > agreement(unlike, *seeing)
    assert by_photos > 0.9


def test_of_layers_that_tell_photos_apart_equally_well_it_is_the_last() -> None:
    photos, picture = (directions(5, 3, towards=4), directions(5, 4)), directions(1, 6, towards=4)[0]
    assert best_agreement([(picture, *photos), (-picture, *photos)])[0] == agreement(-picture, *photos)
    assert agreement(-picture, *photos) < agreement(picture, *photos)
