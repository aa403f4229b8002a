"""What is said of settings that do not exist."""

import pytest
from refusals import assert_refused

from featviz.config.compose import compose_default
from featviz.config.messages import _whose_end_is, readable_errors

SETTINGS = ("seed", "optimizer.lr", "lr_schedule", "schedule.steps", "redirect_steps", "schedule.size", "model.size")
MORE = ("transforms.crops.size", "callbacks.checkpoint.every", "regularizers.l1.weight", "model.weights")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("lr", ["optimizer.lr"]),
        ("steps", ["schedule.steps"]),
        ("size", ["schedule.size", "model.size", "transforms.crops.size"]),  # the shorter ones first
        ("crops.size", ["transforms.crops.size"]),
        ("weight", ["regularizers.l1.weight"]),
        ("seed", []),
        ("rate", []),
    ],
)
def test_the_last_part_of_a_name_leads_to_the_whole(typed: str, told: list[str]) -> None:
    assert _whose_end_is(typed, [*SETTINGS, *MORE]) == told


@pytest.mark.parametrize(
    ("typed", "near"), [("lr=1", "optimizer.lr"), ("optimizr.lr=1", "optimizer.lr"), ("steps=1", "schedule.steps")]
)
def test_settings_that_do_not_exist_lead_to_those_that_do(typed: str, near: str) -> None:
    assert_refused(lambda: composed(typed), typed[:-2], typed[:-2], near)


def composed(typed: str) -> None:
    with readable_errors([typed]):
        compose_default([typed])


@pytest.mark.parametrize(
    ("typed", "tasks"),
    [
        ("data=photos", "task=atlas or task=compare or task=concepts or task=exemplars or task=spectrum"),
        ("search.trials=3", "task=tune"),
        ("top=3", "task=top_filters"),
    ],
)
def test_a_setting_of_another_task_leads_to_that_task(typed: str, tasks: str) -> None:
    name = typed.partition("=")[0]
    assert_refused(lambda: composed(typed), name, name, f"it beside {tasks}")


@pytest.mark.parametrize(
    ("typed", "setting", "got", "right"),
    [
        ("schedule={a:1}", "schedule.a", "schedule.a", ""),
        ("optimizer.betas={a:1}", "optimizer.betas", "{a:1}", "a list"),
        ("callbacks.log=[1]", "callbacks.log", "[1]", "values by name"),
        ("schedule.nope=1", "schedule.nope", "schedule.nope", "schedule.steps"),
    ],
)
def test_values_in_the_place_of_others(typed: str, setting: str, got: str, right: str) -> None:
    assert_refused(lambda: composed(typed), setting, got, right)
