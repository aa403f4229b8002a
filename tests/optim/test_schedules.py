import pytest

from featviz.errors import FeatvizError
from featviz.optim.schedules import Schedule, Stage, constant, octaves


def test_constant_is_one_stage() -> None:
    schedule = constant(64, 10)
    assert (schedule.stages, schedule.total_steps, schedule.final_size) == ((Stage(64, 10),), 10, 64)


def test_fg91_2019_has_the_published_sizes_and_steps() -> None:
    schedule = octaves(12, 1.2, steps=20, start=56, late_steps=26, late_after=6, blur=5, optimizer="anew")
    assert [stage.size for stage in schedule.stages] == [56, 67, 80, 96, 115, 138, 165, 198, 237, 284, 340, 408]
    assert [stage.steps for stage in schedule.stages] == [20] * 7 + [26] * 5
    assert schedule.total_steps == 270
    assert schedule.final_size == 408


@pytest.mark.parametrize(("size", "factor", "number"), [(128, 1.26, 4), (224, 1.4, 5), (100, 2, 3), (64, 1.5, 1)])
def test_octaves_from_the_last_size_end_there_and_grow_by_the_factor(size: int, factor: float, number: int) -> None:
    sizes = [stage.size for stage in octaves(number, factor, steps=3, size=size).stages]
    assert sizes == [round(size / factor ** (number - 1 - k)) for k in range(number)]
    assert sizes[-1] == size
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("late", [{"late_steps": 9}, {"late_after": 1}])
def test_late_steps_need_an_index_and_the_other_way_round(late: dict[str, int]) -> None:
    assert [stage.steps for stage in octaves(4, 1.5, steps=3, start=8, **late).stages] == [3] * 4


def test_size_at_each_step_is_the_size_of_its_stage() -> None:
    schedule = Schedule((Stage(8, 2), Stage(12, 3), Stage(20, 1)))
    assert [schedule.size_at(step) for step in range(8)] == [8, 8, 12, 12, 12, 20, 20, 20]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Schedule(()), "no stages"),
        (lambda: constant(0), "schedule.size is 0"),
        (lambda: constant(64, 0), "schedule.steps is 0"),
        (lambda: constant(-4), "schedule.size is -4"),
        (lambda: Schedule((Stage(8, 1),), blur=4), "schedule.blur is 4; expected an odd"),
        (lambda: Schedule((Stage(8, 1),), blur=-1), "schedule.blur is -1"),
        (lambda: Schedule((Stage(8, 1),), optimizer="new"), "schedule.optimizer is 'new'; expected kept or anew"),
        (lambda: octaves(0, 1.5, 3, size=8), "schedule.number is 0"),
        (lambda: octaves(2, 1.0, 3, size=8), "schedule.factor is 1.0"),
        (lambda: octaves(2, 1.5, 3), "neither: give schedule.start or schedule.size, the other as null"),
        (lambda: octaves(2, 1.5, 0, size=8), "schedule.steps is 0"),
        (lambda: octaves(3, 1.5, 3, start=8, late_steps=0, late_after=1), "schedule.steps is 0"),
        (lambda: octaves(2, 1.5, 3, size=0), "schedule.size is 0"),
        (lambda: octaves(2, 1.5, 3, start=-3), "schedule.start is -3"),
        (lambda: octaves(20, 2, 3, size=8), "schedule.size=8 is too small for 20 sizes of factor 2"),
    ],
)
def test_what_cannot_be_run_is_refused(call: object, words: str) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("number", "expected"), [(1, [7]), (2, [3, 4]), (3, [2, 2, 3]), (7, [1] * 7)])
def test_total_steps_are_shared_out(number: int, expected: list[int]) -> None:
    schedule = octaves(number, 1.5, size=100, total_steps=7)
    assert [stage.steps for stage in schedule.stages] == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "neither: give schedule.steps or schedule.total_steps, the other as null"),
        ({"steps": 1, "total_steps": 3}, "schedule.steps=1 and schedule.total_steps=3: give schedule.steps or"),
        ({"total_steps": 2}, "schedule.total_steps is 2; expected 3 or more, one for each size"),
    ],
)
def test_steps_must_be_given_somehow(given: dict[str, int], message: str) -> None:
    with pytest.raises(FeatvizError, match=message):
        octaves(3, 1.5, size=100, **given)
