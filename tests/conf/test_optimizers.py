"""Optimizers as they are configured."""

from pathlib import Path

import pytest
import torch
from configs import chosen
from fitting import backbone, fit

from featviz.optim.callbacks.checkpoint import ImageCheckpoint
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.build_method import build_method


@pytest.mark.parametrize(
    "settings",
    [
        ("optimizer=rmsprop", "optimizer.lr=1.0", "optimizer.alpha=0.999"),
        ("optimizer=adam", "optimizer.betas=[0.5,0.99]"),
        ("optimizer=adamw", "optimizer.betas=[0.5,0.99]"),
        ("optimizer=nadam", "optimizer.betas=[0.5,0.99]"),
        ("optimizer=sgd", "optimizer.momentum=0.9"),
    ],
)
def test_optimizers_take_their_settings_and_can_be_loaded(settings: tuple[str, ...], tmp_path: Path) -> None:
    typed = (*settings, "lr_schedule=constant", "schedule.size=24", "schedule.steps=2")
    method = build_method(chosen(*typed), 32)
    fit(FilterVisualizer(backbone(), method, "4", [0]), ImageCheckpoint(str(tmp_path)))
    (group,) = torch.load(tmp_path / "image.ckpt", weights_only=True)["optimizer_states"][0]["param_groups"]
    for setting in settings[1:]:
        name, _, value = setting.removeprefix("optimizer.").partition("=")
        found = group[name] if isinstance(group[name], float) else list(group[name])
        assert str(found).replace(" ", "") == value
