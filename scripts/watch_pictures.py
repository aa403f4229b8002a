"""The picture of docs/watch.md: what filters of a small ResNet look for while it learns scikit-learn's digits.

    python scripts/watch_pictures.py FOLDER

Leaves the run folder in FOLDER/watch, and FOLDER/watch.png, a row for each filter and a column for each look.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lightning
import torch
from arguments import answer_help
from bench_watch import PIXELS, Digits
from lightning import Trainer
from PIL import Image
from sklearn.datasets import load_digits
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import featviz
from featviz.results.folder import read_rows
from featviz.results.frames import find_frames
from featviz.results.sheets import fit, table_sheet

LAYER, FILTERS, EPOCHS, SIDE = "2", "0-4", 8, 32  # side in px of the digits, which are enlarged
TILE = 128  # px


def main(folder: Path) -> None:
    """Train, watch and draw."""
    lightning.seed_everything(0, verbose=False)
    digits = load_digits()
    pictures = F.interpolate(torch.tensor(digits.images, dtype=torch.float32)[:, None] / PIXELS, SIDE, mode="bilinear")
    loader = DataLoader(TensorDataset(pictures, torch.tensor(digits.target)), batch_size=64, shuffle=True)
    watch = featviz.Watch(
        layers=[LAYER],
        filters=FILTERS,
        overrides=["schedule.steps=256"],
        output=folder / "watch",
        budget=None,
        mean=0,
        std=1,
        size=SIDE,
    )
    Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        callbacks=[watch],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    ).fit(Digits(), loader)
    draw(folder / "watch").save(folder / "watch.png")


def draw(run: Path) -> Image.Image:
    """A row for each filter of a run folder, a column for each look."""
    rows = read_rows(run)
    cells = []
    for row in rows:
        files = [*find_frames(run, row["image"]).values(), row["image"]]
        cells.append([fit(Image.open(run / name), TILE) for name in files])
    epochs = [f"epoch {epoch}" for epoch in range(len(cells[0]))]
    return table_sheet(cells, [f"filter {row['filter']}" for row in rows], epochs)


if __name__ == "__main__":
    answer_help(__doc__, least=1)
    main(Path(sys.argv[1]))
