"""Twelve bad values for every field of every option of every group: refused in one line, or used; never a traceback."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from configs import chosen
from omegaconf import DictConfig, OmegaConf
from program import SHORT, refused, run

from featviz.config.build import build
from featviz.config.checks import check_finite
from featviz.config.compose import group_options
from featviz.errors import FeatvizError
from featviz.runs.build import check_trainer
from featviz.runs.build_method import pieces_of

BAD = [math.nan, math.inf, -math.inf, "abc", "", "[/red]", [], [1, [2]], {}, {"a": 1}, -1, 10**30]
SEVERAL = ("transforms", "regularizers", "gradients", "projections")
SINGLE = ("image", "schedule", "optimizer", "lr_schedule", "objective", "trainer")
OPTIONS = [(group, option) for group in (*SEVERAL, *SINGLE) for option in group_options(group)]


def fields(node: Any, prefix: str) -> Iterator[str]:
    """The dotted names of all values."""
    if isinstance(node, DictConfig) and not node._is_none():
        for name in node:
            if name not in ("_target_", "_partial_", "_convert_", "_recursive_", "defaults"):
                missing = OmegaConf.is_missing(node, name)
                yield from fields(None if missing else node[name], f"{prefix}.{name}")
    else:
        yield prefix


def use(cfg: DictConfig, group: str) -> None:
    """What is done with a group before any picture is made."""
    check_finite(cfg[group], group)
    if group in SEVERAL:
        pieces_of(cfg, group)
    elif group == "trainer":
        check_trainer(cfg.trainer)
    else:
        build(cfg[group], group)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_no_value_gives_a_traceback(group: str, option: str) -> None:
    cfg = chosen(f"{group}={option}")
    OmegaConf.set_struct(cfg, False)
    for name in fields(cfg[group], group):
        if name == group:  # null, or no fields
            continue
        for value in BAD:
            other = cfg.copy()
            OmegaConf.update(other, name, value, merge=False)
            infinite = isinstance(value, float) and not math.isfinite(value)
            told = outcome(other, group)
            assert "\n" not in str(told)
            assert not infinite or (told and told.setting == name), (name, value)


def outcome(cfg: DictConfig, group: str) -> FeatvizError | None:
    """Why a group cannot be used; None where it can. Any other error ends the test."""
    try:
        use(cfg, group)
    except FeatvizError as error:
        return error
    return None


@pytest.mark.parametrize("group", SEVERAL)
def test_null_switches_a_piece_off_and_other_things_are_refused(group: str) -> None:
    option = next(name for name in group_options(group) if name != "none")
    cfg = chosen(f"{group}={option}")
    OmegaConf.set_struct(cfg, False)
    name = next(iter(cfg[group]))
    cfg[group][name] = None
    assert name not in pieces_of(cfg, group)
    for value in (1, "abc", [1]):
        cfg[group][name] = value
        with pytest.raises(FeatvizError, match="expected a piece with _target_, or null"):
            pieces_of(cfg, group)
    cfg[group][name] = {"_target_": "os.getcwd"}
    with pytest.raises(FeatvizError, match="no piece of"):
        pieces_of(cfg, group)


TYPED = {
    "filters=null": "filters is null; expected 5",
    "filters=1.5": "filters is 1.5; expected 5",
    "filters=nan": "filters is nan; expected",
    "recipe.name=[a]": "recipe.name is ",
    "budget=inf": "budget is inf; expected a number, neither nan nor inf",
    "seed=nan": "seed is nan; expected",
    "schedule.steps=3000000000": "the schedule has 3000000000 steps; expected at most",
    "task._target_=os.getcwd": "task._target_ is os.getcwd; expected a function that takes the configuration",
    "+transforms.x._target_=os.getcwd": "transforms.x._target_ gives a str, which is no piece of transforms",
    "+callbacks.x=1": "callbacks.x is 1; expected a piece with _target_, or null",
    "+image.nope=1": "unknown setting 'image.nope'",
    "task=top_filters photo=null": "null is no photo; expected a file, a folder, or a list of them",
    "task=spectrum data=[]": "[] is no photo",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize("typed", TYPED)
def test_one_line_names_the_setting(typed: str) -> None:
    before = () if typed.startswith("task=spectrum") else SHORT
    assert refused(*before, *typed.split()).startswith(TYPED[typed])


@pytest.mark.end_to_end
def test_callbacks_and_transforms_are_switched_off_by_null() -> None:
    (name, *_) = chosen().transforms
    outcome = run(*SHORT, "callbacks.log=null", f"transforms.{name}=null", "logger=none")
    assert outcome.status == 0, outcome
