"""From the setting ``evidence.judges`` to networks, each loaded once in a process."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from featviz.config.build import build
from featviz.config.judges import judge_nodes
from featviz.metrics import Judge

_JUDGES: dict[str, Judge] = {}  # those of the last run, by their settings


def build_judges(specs: Any) -> list[Judge]:
    """The judges of a run; those that the run before had too, such as a search's last trial, are taken from it.

    Args:
        specs: a name of ``conf/model``, or a list of names and of settings, ``{model: timm, name: resnet18.a1_in1k}``.

    Raises:
        FeatvizError: there is no such model, or it cannot be loaded.
    """
    nodes = judge_nodes(specs)
    settings = [OmegaConf.to_yaml(node, resolve=True) for node in nodes]
    judges = [_JUDGES.get(of) or Judge(build(node, "model")) for of, node in zip(settings, nodes, strict=True)]
    _JUDGES.clear()
    _JUDGES.update(zip(settings, judges, strict=True))
    return judges
