"""Options of groups: one or several, and whose a setting is."""

from collections.abc import Callable

import pytest
from refusals import assert_refused, refusal_of

import featviz
from featviz.config.arguments import hydra_arguments
from featviz.config.compose import compose_default, group_options
from featviz.config.messages import readable_errors
from featviz.config.options import SEVERAL, check_options, options_with

ONE = ("optimizer", "image", "image/init", "recipe", "model", "task", "evidence", "trainer", "schedule", "objective")


@pytest.mark.parametrize("group", ONE)
@pytest.mark.parametrize("call", [hydra_arguments, check_options], ids=["typed", "in Python"])
def test_a_list_where_one_option_is_expected(group: str, call: Callable[[list[str]], object]) -> None:
    for value in ("[a,b]", "[a]", "[]", "{}"):
        right = f"one option of {group}, such as {group}={group_options(group)[0]}"
        assert_refused(lambda value=value: call([f"{group}={value}"]), group, value, right)


@pytest.mark.parametrize("group", SEVERAL)
def test_a_list_without_anything_where_several_may_be(group: str) -> None:
    for value in ("[]", "{}", "[ ]"):
        right = "none, an option, or a list of them"
        assert_refused(lambda value=value: check_options([f"{group}={value}"]), group, value, right)
    check_options([f"{group}=[a,b]", f"{group}=a", f"{group}.name=[a]", "+experiment=[a,b]", "layer=[]"])


def test_a_list_of_recipes_is_refused_from_python() -> None:
    assert refusal_of(lambda: featviz.layers(overrides=["recipe=[olah2017,captum]"])).setting == "recipe"


def test_options_that_have_a_setting() -> None:
    assert options_with("callbacks.log.numbers_every") == ["callbacks=default"]
    assert options_with("evidence.judges") == ["evidence=default"]
    assert {"image=fourier", "image=alpha"} <= set(options_with("image.sd"))  # its own, and one that it starts from
    assert options_with("objective.vectors") == [
        f"objective={name}" for name in ("direction", "direction_neuron", "localgroup_weight")
    ]
    assert not options_with("callbacks.nope")
    assert not options_with("nope.nope")


OF_PHOTOS = " or ".join(
    f"image={name}"
    for name in ["photo", "photo_fourier", "photo_phase", "paper/accentuation_axis2026", "paper/horama_accentuation"]
)


@pytest.mark.parametrize(
    ("typed", "setting", "beside"),
    [
        (["callbacks=none"], "callbacks.log.numbers_every", "callbacks=default, not callbacks=none"),
        (["~callbacks"], "callbacks.checkpoint.every", "callbacks=default, not ~callbacks"),
        (["logger=none"], "logger.tensorboard", "logger=tensorboard, not logger=none"),
        (["evidence=none"], "evidence.judges", "evidence=default, not evidence=none"),
        (["image=maco"], "image.path", f"{OF_PHOTOS}, not image=maco"),
        ([], "schedule.start", "schedule=demo_octaves or schedule=octaves or schedule=paper/deepdream"),
    ],
)
def test_a_setting_of_an_option_that_is_not_chosen(typed: list[str], setting: str, beside: str) -> None:
    def compose() -> None:
        with readable_errors(overrides := [*typed, f"{setting}=1"]):
            compose_default(overrides)

    assert_refused(compose, setting, setting, f"it beside {beside}")
