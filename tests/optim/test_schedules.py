from collections.abc import Callable

import pytest
from refusals import assert_refused, refusal_of

from featviz.optim.schedules import Schedule, Stage, by_stride, constant, octaves, stages


def test_constant_is_one_stage() -> None:
    schedule = constant(64, 10)
    assert (schedule.stages, schedule.total_steps, schedule.final_size) == ((Stage(64, 10),), 10, 64)


def test_octaves_from_the_first_size_are_those_of_fg91_2019() -> None:
    schedule = octaves(12, 1.2, steps=270, start=56)
    assert [stage.size for stage in schedule.stages] == [56, 67, 80, 96, 115, 138, 165, 198, 237, 284, 340, 408]
    assert schedule.total_steps == 270
    assert schedule.final_size == 408


@pytest.mark.parametrize(("size", "factor", "number"), [(128, 1.26, 4), (224, 1.4, 5), (100, 2, 3), (64, 1.5, 1)])
def test_octaves_from_the_last_size_end_there_and_grow_by_the_factor(size: int, factor: float, number: int) -> None:
    sizes = [stage.size for stage in octaves(number, factor, steps=9, size=size).stages]
    assert sizes == [round(size / factor ** (number - 1 - k)) for k in range(number)]
    assert sizes[-1] == size
    assert sizes == sorted(set(sizes))


def test_stages_have_steps_of_their_own() -> None:
    schedule = stages([[64, 10], [96, 20]], blur=3, optimizer="reset")
    assert schedule == Schedule((Stage(64, 10), Stage(96, 20)), blur=3, optimizer="reset")


def test_default_stages_can_be_fewer_steps_and_smaller() -> None:
    recipes = [[56, 20], [112, 20], [448, 40]]
    assert stages(default_stages=recipes, steps=8).stages == (Stage(56, 2), Stage(112, 2), Stage(448, 4))
    assert stages(default_stages=recipes, steps=1, default_size=64).stages == tuple(Stage(s, 1) for s in (56, 64, 64))
    assert stages([[96, 5]], recipes, steps=1, default_size=64).stages == (Stage(96, 5),)


@pytest.mark.parametrize(("own", "size"), [(28, 28), (64, 64), (128, 128), (224, 128), (299, 128)])
def test_without_a_size_a_small_networks_own_is_taken(own: int, size: int) -> None:
    assert constant().for_network(own).stages == (Stage(size, 512),)
    assert octaves(3, 1.5, 9).for_network(own).final_size == size


@pytest.mark.parametrize(("own", "size"), [(28, 64), (112, 256), (224, 512), (299, 512)])
def test_default_sizes_above_common_ones_shrink_with_the_network(own: int, size: int) -> None:
    assert constant(default_size=512).for_network(own).final_size == size


def test_all_default_sizes_and_the_blur_shrink_alike() -> None:
    schedule = stages(default_stages=[[56, 20], [112, 20], [448, 26]], blur=5)
    assert schedule.for_network(224) == schedule
    halves = schedule.for_network(112)
    assert (halves.stages, halves.blur) == ((Stage(56, 20), Stage(56, 20), Stage(224, 26)), 3)
    assert schedule.for_network(28).blur == 1


@pytest.mark.parametrize("chosen", [constant(100), octaves(2, 1.5, 9, size=100), octaves(2, 1.5, 9, start=100)])
def test_sizes_that_were_chosen_stay(chosen: Schedule) -> None:
    assert chosen.for_network(28) == chosen
    assert stages([[100, 3]], [[50, 3]]).for_network(28).stages == (Stage(100, 3),)


def test_size_at_each_step_is_the_size_of_its_stage() -> None:
    schedule = Schedule((Stage(8, 2), Stage(12, 3), Stage(20, 1)))
    assert [schedule.size_at(step) for step in range(8)] == [8, 8, 12, 12, 12, 20, 20, 20]


SIDES = [[16, 176], [4, 128], [8, 144]]


@pytest.mark.parametrize(
    ("stride", "stage"),
    [(2, (128, 511)), (4, (128, 511)), (8, (144, 404)), (12, (176, 271)), (32, (224, 167)), (None, (224, 167))],
)
def test_early_layers_have_smaller_pictures_and_more_steps(stride: int | None, stage: tuple[int, int]) -> None:
    schedule = by_stride(SIDES).for_stride(stride)
    assert schedule.stages == (Stage(*stage),)
    assert schedule.total_steps * schedule.final_size**2 == pytest.approx(167 * 224**2, rel=2e-3)  # the same pixels


def test_steps_and_sizes_that_are_typed_are_those_of_every_layer() -> None:
    assert by_stride(SIDES, steps=20).for_stride(4).stages == (Stage(128, 20),)
    assert by_stride(SIDES, size=200).for_stride(4).stages == (Stage(200, 167),)


def test_small_networks_have_one_size_for_all_layers() -> None:
    assert by_stride(SIDES).for_network(32).for_stride(1).stages == (Stage(32, 511),)  # as many as with 128 px
    assert by_stride(SIDES).for_network(160).for_stride(4).stages == (Stage(160, 327),)
    assert by_stride(SIDES, steps=20).for_network(32).for_stride(1).stages == (Stage(32, 20),)
    assert by_stride(SIDES, default_size=64).for_network(224).for_stride(4).stages == (Stage(64, 167),)


def test_a_budget_holds_for_every_layer() -> None:
    schedule = by_stride(SIDES).within(2 * 224**2, lambda size: size**2)
    assert schedule.for_stride(None).stages == (Stage(224, 2),)
    assert schedule.for_stride(4).stages == (Stage(128, 6),)


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: Schedule(()), "schedule.stages", (), "at least one size"),
        (lambda: constant(0), "schedule.size", 0, "a number above zero"),
        (lambda: constant(64, 0), "schedule.steps", 0, "a number above zero"),
        (lambda: constant(-4), "schedule.size", -4, "a number above zero"),
        (lambda: Schedule((Stage(8, 1),), blur=4), "schedule.blur", 4, "an odd number of px, or null"),
        (lambda: Schedule((Stage(8, 1),), blur=-1), "schedule.blur", -1, "an odd number of px, or null"),
        (lambda: Schedule((Stage(8, 1),), optimizer="new"), "schedule.optimizer", "new", "keep or reset"),
        (lambda: octaves(0, 1.5, 3, size=8), "schedule.number", 0, "a number above zero"),
        (lambda: octaves(2, 1.0, 3, size=8), "schedule.factor", 1.0, "a number above 1"),
        (lambda: octaves(2, 1.5, 0, size=8), "schedule.steps", 0, "a number above zero"),
        (lambda: octaves(2, 1.5, 3, size=8, start=8), "schedule", None, "one of them, the other as null"),
        (lambda: octaves(3, 1.5, 2, size=100), "schedule.steps", 2, "3 or more, one for each size"),
        (stages, "schedule.stages", None, "[[64,100],[128,200]], sizes in px and steps"),
        (lambda: stages([[8, 1], [9]]), "schedule.stages[1]", [9], "[size, steps], whole numbers above zero"),
        (lambda: stages([8, 1]), "schedule.stages[0]", 8, "[size, steps], whole numbers above zero"),
        (lambda: stages([[8, 1.5]]), "schedule.stages[0]", [8, 1.5], "[size, steps], whole numbers above zero"),
        (lambda: stages([[8, 0]]), "schedule.stages[0]", [8, 0], "[size, steps], whole numbers above zero"),
        (lambda: stages([]), "schedule.stages", [], "at least one size"),
        (lambda: octaves(2, 1.5, 3, size=0), "schedule.size", 0, "a number above zero"),
        (lambda: octaves(2, 1.5, 3, start=-3), "schedule.start", -3, "a number above zero"),
        (lambda: octaves(20, 2, 30, size=8), "schedule.size", 8, ""),
        (lambda: by_stride([[4, 0]]), "schedule.sides[0]", [4, 0], "[stride, size], whole numbers above zero"),
        (lambda: by_stride([[4, 64], [8]]), "schedule.sides[1]", [8], "[stride, size], whole numbers above zero"),
        (lambda: by_stride([], steps=0), "schedule.steps", 0, "a number above zero"),
    ],
)
def test_what_cannot_be_run_is_refused(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)


@pytest.mark.parametrize(("number", "expected"), [(1, [7]), (2, [3, 4]), (3, [2, 2, 3]), (7, [1] * 7)])
def test_steps_are_shared_out(number: int, expected: list[int]) -> None:
    schedule = octaves(number, 1.5, size=100, steps=7)
    assert [stage.steps for stage in schedule.stages] == expected


def test_sizes_that_are_typed_may_be_oblong_or_films() -> None:
    assert constant([36, 64], 9).stages == (Stage((36, 64), 9),)
    assert constant((16, 36, 64), 9).final_size == (16, 36, 64)
    grown = octaves(3, 1.5, 6, size=[18, 36, 72]).stages
    assert [stage.size for stage in grown] == [(8, 16, 32), (12, 24, 48), (18, 36, 72)]
    assert [stage.size for stage in octaves(3, 1.5, 6, start=[20, 31]).stages] == [(20, 31), (30, 46), (45, 69)]
    assert stages([[[36, 64], 5], [[72, 128], 6]]).stages == (Stage((36, 64), 5), Stage((72, 128), 6))


def test_default_sizes_have_the_networks_proportions() -> None:
    assert constant().for_network((36, 64)).stages == (Stage((36, 64), 512),)
    height, width = octaves(2, 1.5, 9).for_network((240, 480)).final_size
    assert (height * width, height / width) == (pytest.approx(128**2, rel=0.02), pytest.approx(0.5, rel=0.02))
    assert constant().for_network((16, 112, 112)).stages == (Stage((16, 112, 112), 512),)
    assert [stage.size[0] for stage in octaves(2, 2.0, 9).for_network((16, 64, 64)).stages] == [8, 16]
    height, width = by_stride(SIDES).for_network((240, 320)).for_stride(4).final_size
    assert height * width == pytest.approx(128**2, rel=0.02)


def test_pictures_and_films_are_not_mixed() -> None:
    error = refusal_of(lambda: stages([[64, 5], [[8, 64, 64], 6]]))
    assert (error.setting, error.got) == ("schedule.stages", [64, (8, 64, 64)])
    assert refusal_of(lambda: constant([1, 2, 3, 4])).setting == "schedule.size"
