import pytest
import torch
from refusals import assert_refused

from featviz.transforms import DrawnTransforms, TimeShift, Transforms


@pytest.mark.parametrize(("draw", "shift"), [(0.0, -2), (0.25, -1), (0.5, 0), (0.7, 1), (0.99, 2)])
def test_films_move_by_whole_frames_and_ends_are_repeated(draw: float, shift: int) -> None:
    films = torch.rand(1, 2, 6, 3, 4)
    moved = TimeShift(2)(films, torch.tensor([[draw]]))
    for at in range(6):
        assert torch.equal(moved[:, :, at], films[:, :, min(max(at - shift, 0), 5)])


def test_each_film_has_its_own_shift_in_each_step() -> None:
    films = torch.rand(1, 1, 8, 2, 2).repeat(3, 1, 1, 1, 1)
    draws = torch.tensor([[[0.0], [0.5]], [[0.5], [0.99]], [[0.99], [0.0]]])
    drawn = DrawnTransforms(Transforms({"time": TimeShift(3)}), draws)
    first, second = drawn(films, 0), drawn(films, 1)
    assert torch.equal(first[1], films[1])
    assert torch.equal(first[0], second[2])
    assert not torch.equal(first[0], first[2])


def test_pictures_and_negative_shifts_are_refused() -> None:
    assert_refused(lambda: TimeShift(-1), "time_shift.frames", -1, "zero or more")
    pictures = torch.rand(1, 3, 4, 4)
    assert_refused(lambda: TimeShift(1)(pictures, torch.rand(1, 1)), "time_shift", 1, "transforms without it")
