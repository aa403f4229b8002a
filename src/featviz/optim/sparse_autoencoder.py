"""A TopK sparse autoencoder of activations (Gao et al. 2024, Scaling and evaluating sparse autoencoders, 2406.04093).

Each activation is a sum of at most ``k`` directions. Directions keep length 1; codes that have not been in use for a
while, *dead* ones, are revived by an auxiliary loss: together they are to describe what the others leave.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import IterableDataset
from typing_extensions import override

AUXILIARY = 1 / 32  # weight of the auxiliary loss
REVIVED = 2  # times k dead codes are to describe what is left
DEAD_AFTER = 0.5  # passes over all activations without being in use, after which a code counts as dead
WARM_UP = 0.05  # share of the steps over which the learning rate rises; over the last FADE it falls to zero
FADE = 0.3


class SparseAutoencoder(LightningModule):
    """Learns ``W_enc`` (filters, concepts), ``b_enc``, ``W_dec`` (concepts, filters) and ``b_dec``.

    Args:
        filters: of the layer.
        concepts: how many are learned.
        k: codes above zero at a position, at most.
        lr: learning rate of Adam, for activations whose variance is one.
        seed: of the first directions.
    """

    def __init__(self, filters: int, concepts: int, k: int, lr: float = 2e-3, seed: int = 0) -> None:
        super().__init__()
        self.k, self.lr = k, lr
        first = torch.randn(concepts, filters, generator=torch.Generator().manual_seed(seed))
        self.W_dec = nn.Parameter(F.normalize(first, dim=1))
        self.W_enc = nn.Parameter(self.W_dec.detach().T.clone())
        self.b_enc, self.b_dec = nn.Parameter(torch.zeros(concepts)), nn.Parameter(torch.zeros(filters))
        self.unused: Tensor
        self.register_buffer("unused", torch.zeros(concepts))  # for how many activations each code has not been in use
        self.dead_after = float("inf")

    def begin(self, activations: Tensor) -> None:
        """Begin at the mean of activations (positions, filters)."""
        self.b_dec.data = activations.mean(0)
        self.dead_after = DEAD_AFTER * len(activations)

    def linear(self, activations: Tensor) -> Tensor:
        """Codes (P, concepts) before any is left out."""
        return (activations - self.b_dec) @ self.W_enc + self.b_enc

    def decode(self, codes: Tensor) -> Tensor:
        """Activations (P, filters) of codes (P, concepts)."""
        return codes @ self.W_dec + self.b_dec

    @override
    def forward(self, activations: Tensor) -> Tensor:
        return strongest_codes(self.linear(activations), self.k)

    @override
    def training_step(self, activations: Tensor) -> Tensor:
        linear = self.linear(activations)
        values, places = linear.topk(self.k, dim=1)
        values = F.relu(values)
        # as decode, of the few codes that are not zero alone
        described = F.embedding_bag(places, self.W_dec, per_sample_weights=values, mode="sum") + self.b_dec
        left = activations - described
        used = torch.zeros_like(self.unused, dtype=torch.bool)
        used[places[values > 0]] = True
        self.unused = torch.where(used, 0, self.unused + len(activations))
        return left.square().sum(1).mean() + AUXILIARY * self._auxiliary(linear, left.detach())

    def _auxiliary(self, linear: Tensor, left: Tensor) -> Tensor:
        """How far dead codes are from describing what others leave; zero where there are none."""
        dead = self.unused > self.dead_after
        count = min(REVIVED * self.k, int(dead.sum()))
        if not count:
            return linear.new_zeros(())
        codes = strongest_codes(linear[:, dead], count)
        return (left - codes @ self.W_dec[dead]).square().sum(1).mean()

    @override
    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take away what would only make directions longer or shorter."""
        assert self.W_dec.grad is not None
        self.W_dec.grad -= (self.W_dec.grad * self.W_dec.data).sum(1, keepdim=True) * self.W_dec.data

    @override
    def on_train_batch_end(self, *_: object) -> None:
        self.W_dec.data = F.normalize(self.W_dec.data, dim=1)

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.Adam(self.parameters(), self.lr)
        steps = max(int(self.trainer.estimated_stepping_batches), 1)
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step / steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


def strongest_codes(linear: Tensor, k: int) -> Tensor:
    """The ``k`` largest codes of each position (P, concepts), as far as they are above zero; the others are zero."""
    values, places = linear.topk(k, dim=1)
    return torch.zeros_like(linear).scatter(1, places, F.relu(values))


def rate_at(share: float) -> float:
    """The learning rate, of its largest, after a share of all steps."""
    return min(1.0, share / WARM_UP + 0.05, max(1 - share, 0.0) / FADE)


class ShuffledBatches(IterableDataset[Tensor]):
    """Batches of activations (positions, filters) in a new order at each pass.

    Args:
        activations: all of them.
        size: of a batch; what is left at the end of a pass is left out.
        seed: of the orders.
    """

    def __init__(self, activations: Tensor, size: int, seed: int) -> None:
        self.activations, self.size = activations, min(size, len(activations))
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self.activations) // self.size

    @override
    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(len(self.activations), generator=self._generator)
        for batch in order[: len(self) * self.size].view(len(self), self.size):
            yield self.activations[batch]
