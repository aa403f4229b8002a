"""The settings that a search varies, as they are given."""

import pytest
from configs import chosen
from optuna.distributions import FloatDistribution

from featviz.errors import FeatvizError
from featviz.tasks.tune.space import FORMS, read_space


def test_the_experiments_settings_exist_and_its_start_is_in_its_space() -> None:
    cfg = chosen("+experiment=tune")
    space = read_space(cfg)
    assert set(space.of(cfg)) == set(space.distributions)
    assert len(space.distributions) >= 6


@pytest.mark.parametrize(
    "word", ["+search.space.image.sd={low: 0.003, high: 0.1}", "+search.space={image.sd:{low:0.003,high:0.1}}"]
)
def test_a_setting_is_added_to_the_space_by_a_word(word: str) -> None:
    before, after = (read_space(chosen("+experiment=tune", *more)).distributions for more in ([], [word]))
    assert set(after) - set(before) == {"image.sd"}
    assert after["image.sd"] == FloatDistribution(0.003, 0.1)


#: What is typed: the setting that is named, and its value.
MALFORMED = {
    "search.space={optimizer.lr:0.1}": ("search.space.optimizer.lr", 0.1),
    "search.space={optimizer.lr:{low:1,high:0.1}}": ("search.space.optimizer.lr", {"low": 1, "high": 0.1}),
    "+search.space.optimizer.lr={lower:0.1,high:1}": ("search.space.optimizer.lr", {"lower": 0.1, "high": 1}),
}


@pytest.mark.parametrize("typed", MALFORMED)
def test_what_a_setting_cannot_be_drawn_from(typed: str) -> None:
    with pytest.raises(FeatvizError) as error:
        read_space(chosen("task=tune", typed))
    assert (error.value.setting, error.value.got, error.value.expected) == (*MALFORMED[typed], FORMS)


@pytest.mark.parametrize(
    "typed", ["search.space={optimizer.lrr:{low:0.1,high:1}}", "+search.space.optimizer.lrr={low:0.1,high:1}"]
)
def test_a_setting_that_there_is_not(typed: str) -> None:
    with pytest.raises(FeatvizError) as error:
        read_space(chosen("task=tune", typed))
    assert (error.value.setting, error.value.got) == ("search.space", "optimizer.lrr")
    assert error.value.nearest[0] == "optimizer.lr"


@pytest.mark.parametrize("typed", ["{}", "5", "a"])
def test_an_empty_space(typed: str) -> None:
    with pytest.raises(FeatvizError) as error:
        read_space(chosen("task=tune", f"search.space={typed}"))
    assert error.value.setting == "search.space"
    assert error.value.expected.startswith("settings such as optimizer.lr")


def test_a_group_is_not_drawn() -> None:
    with pytest.raises(FeatvizError) as error:
        read_space(chosen("task=tune", "search.space={recipe:{choices:[olah2017,dreams]}}"))
    assert (error.value.setting, error.value.got) == ("search.space", "recipe")
