"""What watching costs a training: a small ResNet on scikit-learn's digits, with and without ``featviz.Watch``.

    python scripts/bench_watch.py [EPOCHS]

Both trainings must come to the same weights, bit for bit. An epoch of 1,797 pictures of 8 px is far shorter than any of
one's own: the budget has to spread the looks over many of them. Told are the shares of the training's time that looks
take, of the clock's and of the processor's.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import lightning
import torch
from arguments import answer_help
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
    """Seconds of each epoch, of the clock and of the processor, what other callbacks do at its end included."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time."""
        self.times.append((time.perf_counter(), time.process_time()))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time."""
        self.times.append((time.perf_counter(), time.process_time()))

    def of_epochs(self, kind: int) -> list[float]:
        """Seconds of the clock, 0, or of the processor, 1."""
        return [after[kind] - before[kind] for before, after in zip(self.times, self.times[1:], strict=False)]


class Looks(featviz.Watch):
    """A watch that notes how long its looks take: seconds of the clock and of the processor."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.during, self.at_end = [0.0, 0.0], [0.0, 0.0]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look, perhaps."""
        began = time.perf_counter(), time.process_time()
        super().on_train_epoch_end(trainer, pl_module)
        self.during = since(began, self.during)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make what is missing, and the pages."""
        began = time.perf_counter(), time.process_time()
        super().on_train_end(trainer, pl_module)
        self.at_end = since(began, self.at_end)


def since(began: tuple[float, float], sums: Sequence[float]) -> list[float]:
    """The sums with the seconds since then."""
    return [sums[0] + time.perf_counter() - began[0], sums[1] + time.process_time() - began[1]]


def train(folder: str, epochs: int, callbacks: Sequence[Callback]) -> tuple[dict[str, Tensor], EpochTimes]:
    """Train; return the weights, and how long epochs took."""
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
    return {name: value.clone() for name, value in module.state_dict().items()}, times


def main(epochs: int) -> None:
    """Train without and with, and compare."""
    with TemporaryDirectory() as folder:
        plain, without = train(f"{folder}/plain", epochs, [])
        watch = Looks(layers=[LAYER], output=Path(folder, "watch"), mean=0, std=1)
        watched, within = train(f"{folder}/watched", epochs, [watch])
        with Path(folder, "watch/watch.csv").open(newline="") as file:
            looks = sorted({int(row["epoch"]) for row in csv.DictReader(file)})
    same = all(torch.equal(value, watched[name]) for name, value in plain.items())
    print(f"looks after epochs: {', '.join(map(str, looks))}; weights the same bit for bit: {same}")
    for kind, name in enumerate(("clock", "processor")):
        alone, during, after = sum(without.of_epochs(kind)), watch.during[kind], watch.at_end[kind]
        medians = [median(times.of_epochs(kind)) for times in (without, within)]
        print(f"{name}: {alone:.1f} s without a watch; medians of epochs {medians[0]:.3f} and {medians[1]:.3f} s")
        print(f"  looks {during:.2f} s, {100 * during / alone:.2f} %; the last one, and pages: {after:.2f} s")
    if not same:
        sys.exit(1)


if __name__ == "__main__":
    answer_help(__doc__)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
