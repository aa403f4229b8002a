"""What watching costs a training: a small ResNet on scikit-learn's digits, with and without ``featviz.Watch``.

    python scripts/bench_watch.py [EPOCHS]

Both trainings must come to the same weights, bit for bit. An epoch of 1,797 pictures of 8 px is far shorter than any of
one's own: the budget has to spread the looks over many of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import lightning
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import featviz

LAYER, PIXELS = "3", 16.0  # the last block; the largest value of a digit's pixel


class Block(nn.Module):
    """Two convolutions and the way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.other_norm = nn.BatchNorm2d(outputs)
        self.around = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Of (N, inputs, h, w)."""
        within = torch.relu(self.norm(self.first(x)))
        return torch.relu(self.other_norm(self.second(within)) + self.around(x))


class Digits(LightningModule):
    """Four blocks, dropout and ten classes."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [Block(1, 16, 1), Block(16, 32, 2), Block(32, 32, 1), Block(32, 64, 2)]
        self.net = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 10))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Cross entropy."""
        pictures, classes = batch
        loss = F.cross_entropy(self.net(pictures), classes)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        """SGD with momentum."""
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


class EpochTimes(Callback):
    """Seconds of each epoch, what other callbacks do at its end included."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time."""
        self.starts.append(time.perf_counter())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time."""
        self.starts.append(time.perf_counter())

    @property
    def seconds(self) -> list[float]:
        """Of each epoch."""
        return [after - before for before, after in zip(self.starts, self.starts[1:], strict=False)]


def train(folder: str, epochs: int, callbacks: Sequence[Callback]) -> tuple[dict[str, Tensor], list[float]]:
    """Train; return the weights, and the seconds of each epoch."""
    lightning.seed_everything(0, verbose=False)
    digits = load_digits()
    pictures = torch.tensor(digits.images, dtype=torch.float32)[:, None] / PIXELS
    data = TensorDataset(pictures, torch.tensor(digits.target))
    times, module = EpochTimes(), Digits()
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=CSVLogger(folder),
        callbacks=[times, *callbacks],  # in this order: what others do after an epoch is within it
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(module, DataLoader(data, batch_size=64, shuffle=True))
    return {name: value.clone() for name, value in module.state_dict().items()}, times.seconds


def main(epochs: int) -> None:
    """Train without and with, and compare."""
    with TemporaryDirectory() as folder:
        plain, without = train(f"{folder}/plain", epochs, [])
        watch = featviz.Watch(layers=[LAYER], output=Path(folder, "watch"), mean=0, std=1, size=8)
        watched, within = train(f"{folder}/watched", epochs, [watch])
        table = Path(folder, "watch/watch.csv")
        count = len(table.read_text().splitlines()) - 1 if table.exists() else 0
    same = all(torch.equal(value, watched[name]) for name, value in plain.items())
    share = watch.seconds / (sum(within) - watch.seconds)
    print(f"{epochs} epochs, medians: {median(without):.2f} s without, {median(within):.2f} s with a watch")
    print(f"pictures: {count}, looks: {watch.seconds:.2f} s in all, {100 * share:.2f} % of the training's own time")
    print(f"weights the same bit for bit: {same}")
    if not same:
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
