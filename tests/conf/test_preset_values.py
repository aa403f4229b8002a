"""Twelve bad values for every field that recipes, experiments and debugging set: refused in one line that names it."""

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import pytest
from bad_values import BAD, fields, is_infinite, outcome
from configs import chosen
from omegaconf import DictConfig, OmegaConf

from featviz.config import pieces
from featviz.config.build import build
from featviz.config.checks import check_settings, missing_settings
from featviz.config.compose import config_dir, group_options
from featviz.filters import parse_filters, spec_of
from featviz.runs.build import hardware_of
from featviz.runs.build_method import pieces_of
from featviz.runs.new_folder import check_names
from featviz.tasks.photo_folder import configured_photos
from featviz.tasks.tune.space import read_space

PLUS = {"recipe": "", "experiment": "+", "debug": "+"}


@cache
def preset(group: str, option: str) -> DictConfig:
    """The configuration with an option, and a word in the place of each value that only the user knows."""
    cfg = chosen(f"{PLUS[group]}{group}={option}")
    for name in list(missing_settings(cfg)):
        OmegaConf.update(cfg, name, "given")
    return cfg


def distinct_fields(group: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each field of each option once; the same field of pieces of the same class is one."""
    seen = set()
    for option in group_options(group):
        plain: Any = OmegaConf.to_container(OmegaConf.load(config_dir() / group / f"{option}.yaml"))
        own = {name: value for name, value in plain.items() if name not in ("defaults", "hydra")}
        for path in fields(own):
            piece = OmegaConf.select(preset(group, option), f"{path[0]}._target_") if len(path) > 1 else None
            if (path, piece) not in seen:
                seen.add((path, piece))
                yield option, path


def use(cfg: DictConfig, name: str) -> None:
    """What is done with a setting before any picture is made."""
    check_names(cfg)
    check_settings(cfg)
    if name == "search":
        read_space(cfg)
    elif name == "trainer":
        hardware_of(cfg.trainer)
    elif name == "photo":
        configured_photos(cfg.photo)
    elif name == "filters":
        parse_filters(spec_of(cfg.filters, "layer4"), "layer4", 8)
    elif name in ("regularizers", "transforms", "projections", "gradients"):
        pieces_of(cfg, name)
    elif name in ("schedule", "optimizer", "image"):
        build(cfg[name], name)


@pytest.fixture
def _pieces_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a configuration with one bad value the other pieces are those that have been checked before."""
    check, good = pieces.check_piece, set[str]()

    def check_once(node: DictConfig, what: str, *more: Any) -> None:
        if (found := f"{what} {node!r}") not in good:
            check(node, what, *more)
            good.add(found)

    monkeypatch.setattr(pieces, "check_piece", check_once)


@pytest.mark.usefixtures("_pieces_are_checked_once")
@pytest.mark.parametrize("group", PLUS)
def test_no_value_of_a_preset_gives_a_traceback(group: str) -> None:
    for option, path in distinct_fields(group):
        name = ".".join(path)
        cfg = preset(group, option).copy()
        OmegaConf.set_struct(cfg, False)
        for value in BAD:
            OmegaConf.update(cfg, name, value, merge=False)
            told, case = outcome(partial(use, cfg, path[0])), (option, name, value)
            if is_infinite(value):
                assert told, case
                assert told.setting == name, case
            usable = value in ({}, []) and name == "logger"
            assert told or not isinstance(value, list | dict) or usable or path[-1] == "choices", case
            assert told is None or f"{told.setting}.".startswith(f"{name}.") or name.startswith(told.setting), case
