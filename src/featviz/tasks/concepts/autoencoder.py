"""From activations to the dictionary of a sparse autoencoder, by a Lightning trainer."""

from __future__ import annotations

import warnings

import torch
from lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from featviz.models.dictionaries import Dictionary
from featviz.optim.sparse_autoencoder import ShuffledBatches, SparseAutoencoder
from featviz.photos.concepts.positions import Rows
from featviz.runs.process import lightning_quiet

SMALLEST, LARGEST = 64, 1024  # batches, of positions
STEPS = 32  # in a pass over all positions at least, where batches can be small enough


def train_autoencoder(
    rows: Rows, concepts: int, k: int, epochs: int, seed: int, device: torch.device | None = None
) -> Dictionary:
    """Learn a dictionary.

    Args:
        rows: activations, (positions, filters).
        concepts: how many directions are learned.
        k: concepts at a position, at most.
        epochs: passes over all positions.
        seed: of the first directions, and of the order of positions.
        device: on which it is trained; the CPU if none is given.
    """
    device = device or torch.device("cpu")
    activations = torch.from_numpy(rows)
    scale = activations.var(0).sum().sqrt().clamp_min(1e-12)
    activations = (activations / scale).to(device)
    autoencoder = SparseAutoencoder(rows.shape[1], concepts, k, seed=seed)
    autoencoder.begin(activations)
    size = min(max(len(rows) // STEPS, SMALLEST), LARGEST)
    batches = DataLoader(ShuffledBatches(activations, size, seed), batch_size=None)
    with lightning_quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of workers, which tensors in memory do not need
        _trainer(epochs, device).fit(autoencoder, batches)
    return _dictionary(autoencoder, scale)


def _dictionary(autoencoder: SparseAutoencoder, scale: Tensor) -> Dictionary:
    """The dictionary for activations that are not divided by ``scale``: codes are in their units, too."""
    W_enc, b_enc, W_dec, b_dec = (
        getattr(autoencoder, name).detach().cpu().clone() for name in ("W_enc", "b_enc", "W_dec", "b_dec")
    )
    return Dictionary("sae", W_enc, b_enc * scale, W_dec, b_dec * scale, "topk", autoencoder.k)


def _trainer(epochs: int, device: torch.device) -> Trainer:
    return Trainer(
        max_epochs=epochs,
        accelerator="cpu" if device.type == "cpu" else "gpu",
        devices=1 if device.index is None or device.type == "cpu" else [device.index],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
