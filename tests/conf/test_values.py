"""Twelve bad values for every field of every option of every group: refused in one line, or used; never a traceback."""

import dataclasses
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_values import BAD, fields, is_infinite, outcome, set_value
from configs import chosen
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from program import SHORT, refused, run
from refusals import assert_refused

from featviz.config.build import build
from featviz.config.checks import check_plain, read_settings
from featviz.config.compose import config_dir, group_options, register_resolvers
from featviz.config.kinds import check_node
from featviz.config.pieces import check_pieces, check_trainer, without_labels
from featviz.config.selection import filter_specs, layer_names
from featviz.config.settings import (
    AtlasSettings,
    ConceptsSettings,
    ExemplarsSettings,
    MergeSettings,
    SpectrumSettings,
    TopFiltersSettings,
    TuneSettings,
    VisualizeSettings,
)
from featviz.filters import parse_filters, spec_of
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.optim import FeatureRegularizer
from featviz.runs.build import new_callbacks
from featviz.runs.build_method import pieces_of
from featviz.transforms import Transforms

OF_A_RECIPE = ("transforms", "regularizers", "gradients", "projections")
SEVERAL = (*OF_A_RECIPE, "callbacks", "logger")
SINGLE = ("image", "schedule", "optimizer", "lr_schedule", "objective", "trainer", "evidence")
LATER = ("image", "objective", "optimizer", "lr_schedule", "evidence", "trainer")  # called with more: later
SIDE = 16  # px
LARGEST = 1024  # px: a canvas that is larger is refused where memory does not hold it, before anything is moved


@cache
def composed(group: str, option: str) -> dict[str, Any]:
    """What an option sets of its group, as plain values."""
    register_resolvers()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose(f"{group}/{option}")
    plain: Any = OmegaConf.to_container(cfg)
    for name in f"{group}/{option}".split("/")[:-1]:  # an option of a folder has its place there, composed alone
        plain = plain.get(name) or {}
    return plain


def use(cfg: DictConfig, group: str) -> None:
    """What is done with a group before any picture is made, and in a step."""
    check_plain(cfg[group], group)
    if group == "trainer":
        check_trainer(cfg.trainer)
    elif group == "callbacks":
        new_callbacks(cfg.callbacks, Path("there"))
    elif group == "logger":
        for name, node in cfg.logger.items():
            check_node(node, f"logger.{name}", {"save_dir": "."})
    elif group in SEVERAL:
        use_in_a_step(pieces_of(cfg, group), group)
    else:
        build(without_labels(cfg[group]) if group == "objective" else cfg[group], group)


@cache
def backbone_with_moments() -> Backbone:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    return Backbone(Model("tiny", network, (0.5,), (0.25,), SIDE, "random"), ["1"], moments=True)


def use_in_a_step(pieces: dict[str, Any], group: str) -> None:
    pictures = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    if group == "transforms":
        transforms = Transforms(pieces).for_network(SIDE)
        if transforms.size(SIDE) <= LARGEST:
            transforms(pictures, torch.full((1, transforms.draws), 0.3))
        return
    for piece in pieces.values():
        if isinstance(piece, FeatureRegularizer):
            backbone = backbone_with_moments()
            piece(backbone(pictures), backbone)
        elif getattr(piece, "needs_gradient", False) or getattr(piece, "needs_values", False):
            piece(pictures, pictures)
        else:
            piece(pictures)


def distinct_fields(group: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each field of each option once; the same field of the same class is one, whatever option it stands in."""
    known = set()
    for option in group_options(group):
        node = composed(group, option)
        for path in fields(node):
            target, below = innermost_target(node, path)
            if target is None or (target, below) not in known:
                known.add((target, below))
                yield option, path


def innermost_target(node: Any, path: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The class or function that a field belongs to, if any, and the field's place below it."""
    found, below = None, path
    for depth in range(len(path)):
        if isinstance(node, dict) and "_target_" in node:
            found, below = node["_target_"], path[depth:]
        node = node[path[depth]]
    return found, below


@pytest.mark.parametrize("group", [*SEVERAL, *SINGLE])
def test_no_value_gives_a_traceback(group: str) -> None:
    for option, path in distinct_fields(group):
        node = composed(group, option)
        whole = {path[0]: node[path[0]]} if group in SEVERAL and path else node
        cfg = OmegaConf.create({"trainer": {}, "optimizer": {}, "exemplars": None, group: whole})
        for value in BAD:
            set_value(cfg, (group, *path), value)
            told, early = outcome(partial(use, cfg, group)), outcome(partial(check_before_torch, cfg, group))
            case = (option, path, value, early, told)
            assert not is_infinite(value) or (told and told.setting == ".".join((group, *path))), case
            of_file = path[-1:] == ("path",)  # which is told where it is read
            assert bool(early) == bool(told) or group in LATER or of_file, case
            assert not (early and told) or early.setting == told.setting, case


def check_before_torch(cfg: DictConfig, group: str) -> None:
    """What is said of a group before torch is imported; the trainer is said to be what it is everywhere."""
    check_plain(cfg[group], group)
    check_pieces(cfg)


TASKS = {
    "visualize": VisualizeSettings,
    "top_filters": TopFiltersSettings,
    "exemplars": ExemplarsSettings,
    "spectrum": SpectrumSettings,
    "merge": MergeSettings,
    "tune": TuneSettings,
    "atlas": AtlasSettings,
    "concepts": ConceptsSettings,
}


@pytest.mark.parametrize("task", TASKS)
def test_no_setting_outside_the_groups_gives_a_traceback(task: str) -> None:
    plain: Any = OmegaConf.to_container(chosen(f"task={task}"))
    settings = [field.name for field in dataclasses.fields(TASKS[task])]
    node = {name: plain[name] for name in (*settings, "layer", "filters", "name", "task")}
    cfg = OmegaConf.create(node)
    for path in fields({name: node[name] for name in settings}):
        one = cfg.copy()
        for value in BAD:
            set_value(one, path, value)
            told = outcome(partial(use_settings, one, TASKS[task]))
            read = path[0] != "task" and path != ("search", "space")
            wrong = isinstance(value, list | dict) or is_infinite(value)
            assert not (wrong and read) or (told and told.setting == ".".join(path)), (path, value)


@pytest.mark.parametrize("name", ["layer", "filters"])
@pytest.mark.parametrize("value", BAD)
def test_layers_and_filters_are_names_and_numbers(name: str, value: Any) -> None:
    told = outcome(partial(use_settings, OmegaConf.create({"layer": "layer4", "filters": "0-3", name: value})))
    assert told or not isinstance(value, dict | list)


def use_settings(cfg: DictConfig, schema: type | None = None) -> None:
    check_plain(cfg)
    if schema:
        read_settings(cfg, schema)
    layer_names(cfg)
    parse_filters(spec_of(filter_specs(cfg), "layer4"), "layer4", 8, 0)


@pytest.mark.parametrize("group", OF_A_RECIPE)
def test_null_switches_a_piece_off_and_other_things_are_refused(group: str) -> None:
    option = next(name for name in group_options(group) if name != "none")
    cfg = chosen(f"{group}={option}")
    OmegaConf.set_struct(cfg, False)
    name = next(iter(cfg[group]))
    cfg[group][name] = None
    assert name not in pieces_of(cfg, group)
    for value in (1, "abc", [1]):
        cfg[group][name] = value
        assert_refused(partial(pieces_of, cfg, group), f"{group}.{name}", value, "a piece with _target_, or null")
    cfg[group][name] = {"_target_": "os.getcwd"}
    assert_refused(lambda: pieces_of(cfg, group), f"{group}.{name}._target_", "str", "")


TYPED = {
    "filters=null": "filters is null; expected 5",
    "filters=1.5": "filters is 1.5; expected 5",
    "filters=nan": "filters is nan; expected",
    "recipe.name=[a]": "recipe.name is ",
    "budget=inf": "budget is inf; expected a number, neither nan nor inf",
    "seed=nan": "seed is nan; expected",
    "schedule.steps=3000000000": "schedule.steps is 3000000000; expected at most 1000000",
    "task._target_=os.getcwd": "task._target_ is os.getcwd; expected a function that takes the configuration",
    "+transforms.x._target_=os.getcwd": "transforms.x._target_ gives a str, which is no piece of transforms",
    "+callbacks.x=1": "callbacks.x is 1; expected a piece with _target_, or null",
    "+image.nope=1": "unknown setting 'image.nope'",
    "task=top_filters photo=null": "null is no photo; expected a file, a folder, or a list of them",
    "task=spectrum data=[]": "data is []; expected a file, a folder, or a list of them",
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
