"""Twelve bad values for every field of the models: refused in one line that names it, or a network that can be used."""

from functools import partial
from typing import Any

import pytest
from bad_values import BAD, fields, is_infinite, outcome, with_value
from configs import GROUPS, chosen
from omegaconf import OmegaConf

from featviz.config.build import build
from featviz.config.checks import check_plain
from featviz.config.kinds import check_node
from featviz.config.signatures import read_arguments
from featviz.errors import FeatvizError
from featviz.models.sources.told import class_names, per_channel
from featviz.models.tracing import trace

#: A small network for each way to load one; options that only name another network are these.
SMALL = {
    "featviz.models.sources.own.load": {"target": "tiny_networks.Tiny", "size": 48},
    "featviz.models.sources.ensemble.load": {
        "members": [{"weights": "random"}] * 2,
        "target": "tiny_networks.Tiny",
        "size": 48,
    },
    "featviz.models.sources.timm.load": {"name": "resnet10t", "size": 64},
    "featviz.models.sources.torchvision.load": {"name": "squeezenet1_1", "size": 64},
    "featviz.models.sources.efficientnet_lite.load": {},
}


def small(option: str) -> dict[str, Any]:
    """The settings of a model's option, of a small network with random weights."""
    plain: Any = OmegaConf.to_container(chosen(f"model={option}").model)
    weights = {"weights": "random"} if "weights" in plain else {}
    return {**plain, **SMALL[plain["_target_"]], **weights, "seed": 0}


def use(node: dict[str, Any]) -> None:
    cfg = OmegaConf.create({"model": node})
    check_plain(cfg)
    check_node(cfg.model, "model", (), read_arguments)
    trace(build(cfg.model, "model"))


def test_no_value_of_a_model_gives_a_traceback() -> None:
    tested = set()
    for option in GROUPS["model"]:
        node = {name: {} if name == "stages" else value for name, value in small(option).items()}
        for path in fields(node):
            if (node["_target_"], path) not in tested:
                tested.add((node["_target_"], path))
                check_field(node, path)


def check_field(node: dict[str, Any], path: tuple[str, ...]) -> None:
    for value in BAD:
        told, case = outcome(partial(use, with_value(node, path, value))), (node["_target_"], path, value)
        assert told is None or f"{told.setting}.".startswith(f"model.{path[0]}."), (case, told.setting)
        assert told or not (is_infinite(value) or isinstance(value, list | dict)) or value == {}, case


@pytest.mark.parametrize("values", ["0.5", ["nan", 1.0, 1.0], [None]])
def test_texts_are_no_numbers(values: Any) -> None:
    with pytest.raises(FeatvizError) as refused:
        per_channel("mean", values)
    assert (refused.value.setting, refused.value.got) == ("model.mean", values)


def test_names_of_classes_are_texts_or_numbers() -> None:
    assert class_names(["cat", 7]) == ("cat", "7")
    with pytest.raises(FeatvizError):
        class_names(["cat", ["dog"]])  # type: ignore[list-item]
