"""What configurations compute."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from featviz.config.compose import models_at_hand, register_resolvers


def test_models_at_hand_are_those_that_need_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    lite = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]  # in packages
    assert models_at_hand() == lite
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    (tmp_path / "hub/checkpoints/resnet18-f37072fd.pth").touch()
    assert models_at_hand() == [*lite, "resnet18"]
    register_resolvers()
    assert OmegaConf.create({"model": "${models_at_hand:}"}).model == ",".join([*lite, "resnet18"])
