import numpy as np
import torch

from featviz.results.display import COLORS, Display
from featviz.results.film import cut


def test_channels_stand_beside_each_other_in_their_groups() -> None:
    picture = torch.rand(5, 4, 6)
    shown = np.asarray(Display(((4,), (2, 1, 0))).image(picture), dtype=float) / 255
    assert shown.shape == (4, 12, 3)
    gray, colors = shown[:, :6], shown[:, 6:]
    np.testing.assert_allclose(gray, np.repeat(picture[4].numpy()[..., None], 3, 2), atol=0.5 / 255)
    np.testing.assert_allclose(colors, picture[[2, 1, 0]].permute(1, 2, 0).numpy(), atol=0.5 / 255)


def test_without_groups_the_first_three_channels_or_one_are_shown() -> None:
    for channels, shape in ((1, (4, 6)), (2, (4, 6)), (3, (4, 6, 3)), (7, (4, 6, 3))):
        assert np.asarray(COLORS.image(torch.rand(channels, 4, 6))).shape == shape
    assert [COLORS.is_exact(torch.rand(n, 4, 6)) for n in (1, 2, 3, 4)] == [True, False, True, False]
    assert not Display(((0,),)).is_exact(torch.rand(3, 4, 6))


def test_values_without_bounds_are_gray_at_their_center_and_reach_black_or_white() -> None:
    values = torch.tensor([[[-3.0, 1.0, 5.0]], [[1.0, 2.0, 3.0]]])
    shown = Display(((0,), (1,)), (1.0, 2.0)).image(values)
    assert np.asarray(shown).tolist() == [[0, 128, 255, 96, 128, 159]]


def test_films_are_strips_of_frames() -> None:
    film = torch.rand(3, 6, 5, 7)
    frames = cut(COLORS.image(film), 6, 5, 7)
    for at, frame in enumerate(frames):
        assert frame.tobytes() == COLORS.image(film[:, at]).tobytes() == COLORS.frames(film)[at].tobytes()
