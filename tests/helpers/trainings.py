"""A training of one's own, which draws random numbers of all kinds, with and without somebody who watches."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import featviz

EPOCHS, BATCHES = 2, 2
#: A look that takes little time.
QUICK = {"recipe": "plain", "overrides": ["schedule.steps=2", "evidence=none"], "budget": None, "size": 16}


class Net(nn.Module):
    """A network whose passes depend on its mode, and draw random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3, 2), nn.Dropout(0.3)
        )
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.f(x).mean((2, 3)))


class Training(LightningModule):
    """Its loss depends on Python's, NumPy's and torch's random numbers; ``fails_at`` is a step that fails."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.net = Net()
        self.fails_at = fails_at
        self.losses: list[float] = []
        self.modes: list[bool] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        pictures, classes = batch
        if self.global_step == self.fails_at:
            raise ArithmeticError("the training's own")
        self.modes.append(all(module.training for module in self.net.modules()))
        noise = random.random() + np.random.random() + torch.rand(1, device=pictures.device)
        loss = F.cross_entropy(self.net(pictures * (1 + 0.1 * noise)), classes)
        self.losses.append(loss.item())
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def data() -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(1)
    pictures, classes = torch.rand(8, 3, 16, 16, generator=generator), torch.randint(4, (8,), generator=generator)
    return DataLoader(TensorDataset(pictures, classes), batch_size=8 // BATCHES, shuffle=True)


def trainer(callbacks: Sequence[Callback] = (), loggers: Sequence[Logger] = (), **settings: Any) -> Trainer:
    return Trainer(
        **{"max_epochs": EPOCHS, "accelerator": "cpu"} | settings,
        logger=list(loggers) or False,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        log_every_n_steps=1,
    )


def fit(
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    module: LightningModule | None = None,
    ckpt_path: str | None = None,
    **settings: Any,
) -> Trainer:
    """Train for a few steps, from the same seed each time; return the trainer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, of few workers and batches
        lightning.seed_everything(0, verbose=False)
        training = module or Training()
        made = trainer(callbacks, loggers, **settings)
        made.fit(training, data(), ckpt_path=ckpt_path, weights_only=False if ckpt_path else None)
    return made


def state_of(trained: Trainer) -> dict[str, Any]:
    """All that a training comes to: what it holds, what it drew, and what would be drawn next."""
    module = trained.lightning_module
    optimizer = trained.optimizers[0].state_dict()["state"]
    return {
        "weights": dict(module.state_dict()),
        "gradients": {name: value.grad for name, value in module.named_parameters()},
        "optimizer": {f"{at}.{name}": value for at, state in optimizer.items() for name, value in state.items()},
        "losses": module.losses,
        "modes": module.modes,
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in module.modules()],
        "python": random.getstate(),
        "numpy": [np.random.get_state()[1].tolist(), np.random.get_state()[2]],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "threads": torch.get_num_threads(),
    }


def fit_by_two(settings: dict[str, Any], into: str) -> None:
    """Train by two processes, watched where there are settings of it, and write down to which weights.

    Processes find it by this module's name, which tests have not where pytest starts them.
    """
    trained = fit([featviz.Watch(**settings)] if settings else [], strategy="ddp_fork", devices=2)
    torch.save(trained.lightning_module.state_dict(), into)


def same(one: Any, other: Any) -> bool:
    """Whether two states are the same bit for bit."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
