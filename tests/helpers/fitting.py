"""Runs of a few steps on a network of two convolutions, for tests of what happens in a step."""

import warnings
from functools import partial

import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn

from featviz.images.init import Normal
from featviz.images.pixel import PixelImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.optim.callbacks import required_callbacks
from featviz.optim.visualizer import FilterVisualizer
from featviz.transforms import Jitter, Pad, Rotate, Scale

PIXELS = partial(PixelImage, init=Normal(0.5, 0.05))
ADAM = partial(torch.optim.Adam, lr=0.05)
OLAH = {
    "pad": Pad(3),
    "jitter": Jitter(2),
    "scale": Scale([0.9, 1.0, 1.1]),
    "rotate": Rotate([-10, 0, 10]),
    "again": Jitter(1),
}
MEAN, STD = (0.45, 0.5, 0.4), (0.25, 0.2, 0.3)


def backbone(moments: bool = False) -> Backbone:
    """Layer "4" has 16 filters."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Identity(), nn.Conv2d(8, 16, 3))
    return Backbone(Model("tiny", network, MEAN, STD, 32, "random"), ["4"], moments=moments)


def fit(module: FilterVisualizer, *callbacks: Callback, logger: Logger | None = None) -> Trainer:
    """Train it over its schedule, as a run does."""
    with warnings.catch_warnings():
        # what is so on purpose, and what Lightning advises for a machine or says of its own use of torch
        warnings.filterwarnings("ignore", message="Found .* in eval mode|.*smaller than the logging interval")
        warnings.filterwarnings("ignore", message=".*does not have many workers|GPU available but not used|The `srun`")
        warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.* is deprecated")
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=logger or False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[*required_callbacks(module.method, module.objective), *callbacks],
        )
        trainer.fit(module, range(module.method.schedule.total_steps))
    return trainer


class Watch(Callback):
    """Keeps the pictures after each step, and the learning rate that each was made with."""

    def __init__(self) -> None:
        self.pictures: list[Tensor] = []
        self.rates: list[float] = []

    def on_before_optimizer_step(self, _trainer: Trainer, _module: FilterVisualizer, optimizer: object) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, _trainer: Trainer, pl_module: FilterVisualizer, *_: object) -> None:
        self.pictures.append(pl_module.image().detach().clone())


class FailsFrom(Callback):
    """Filter 1's gradient is not finite from a step on."""

    def __init__(self, step: int, value: float) -> None:
        self.step, self.value = step, value

    def on_train_batch_start(self, _trainer: Trainer, pl_module: FilterVisualizer, _batch: int, batch_idx: int) -> None:
        if batch_idx == self.step:
            at = pl_module.filters.index(1)
            pl_module.image.values.register_hook(
                lambda gradient: gradient.index_fill(0, torch.tensor([at]), self.value)
            )
