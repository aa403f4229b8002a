"""Checkpoints of the image alone."""

from pathlib import Path

import pytest
import torch
from fitting import ADAM, PIXELS
from growing import GROWING, backbone, fitted
from lightning import Callback, Trainer

from featviz.images.fourier import FourierImage
from featviz.optim.callbacks.checkpoint import ImageCheckpoint
from featviz.optim.method import Method
from featviz.optim.schedules import Schedule, constant
from featviz.optim.visualizer import FilterVisualizer


def test_a_checkpoint_holds_the_image_alone_and_loads_back(tmp_path: Path) -> None:
    filters = list(range(8))
    method = Method(FourierImage, constant(224, 2), ADAM)
    module = fitted(method, filters, ImageCheckpoint(str(tmp_path), every=1))
    file = tmp_path / "image.ckpt"
    checkpoint = torch.load(file, weights_only=True)
    assert file.stat().st_size < 30e6
    assert list(checkpoint["state_dict"]) == ["image.values"]
    fresh = FilterVisualizer(backbone(), method, "4", filters, seed=5)
    assert not torch.equal(fresh.pictures(), module.pictures())
    fresh.load_state_dict(checkpoint["state_dict"], strict=False)
    assert torch.equal(fresh.pictures(), module.pictures())


def test_lightning_loads_a_checkpoint_of_an_upscaled_picture(tmp_path: Path) -> None:
    method = Method(PIXELS, Schedule(GROWING), ADAM)
    module = fitted(method, [2, 0], ImageCheckpoint(str(tmp_path)))
    module.failed[1] = True
    module.trainer.save_checkpoint(tmp_path / "image.ckpt")
    with pytest.warns(UserWarning, match="keys that are in the model state dict but not in the checkpoint"):
        fresh = FilterVisualizer.load_from_checkpoint(
            tmp_path / "image.ckpt", backbone=backbone(), method=method, layer="4", filters=[2, 0], weights_only=True
        )
    assert (fresh.image.size, fresh.steps_done, fresh.failed.tolist()) == (21, 11, [False, True])
    assert torch.equal(fresh.pictures(), module.pictures())


def test_checkpoints_come_every_k_steps_and_at_the_end(tmp_path: Path) -> None:
    saved = []

    class Saves(Callback):
        def on_save_checkpoint(self, trainer: Trainer, *_: object) -> None:
            saved.append(trainer.global_step)

    fitted(Method(FourierImage, constant(16, 7), ADAM), [0], ImageCheckpoint(str(tmp_path), every=3), Saves())
    assert saved == [3, 6, 7]
