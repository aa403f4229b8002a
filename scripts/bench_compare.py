"""Whether changed filters are found: a fine-tuned copy of the default model, 8 filters permuted and 4 learned anew.

    python scripts/bench_compare.py FOLDER [STEPS]

The copy learns, by so many steps of SGD, how squares of the photos that packages bring were turned. FOLDER gets the
photos, the checkpoint and the run of the comparison.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from arguments import answer_help
from package_photos import write_photos
from torch import Tensor, nn
from torch.nn import functional as F

import featviz
from featviz.config.build import build_model
from featviz.config.compose import compose_default
from featviz.models.model import Model
from featviz.models.normalization import Normalization
from featviz.photos.stream import PhotoStream

BLOCK, LAYER = "blocks.4.0", "blocks.4.0.bn1"  # whose 480 filters are expanded, convolved one by one, and projected
PERMUTED, RETRAINED = list(range(40, 48)), list(range(100, 104))
PLACES = [*PERMUTED[1:], PERMUTED[0]]
UNITS = 480
STEPS, BATCH, RATE, PHOTOS = 12, 16, 0.005, 96


def permute(block: nn.Module) -> None:
    """Give eight filters each other's places, and all that belongs to them: the block does the same as before."""
    with torch.no_grad():
        of_filter = (block.conv_pw.weight, block.conv_dw.weight)
        norms = (getattr(norm, name) for norm in (block.bn1, block.bn2) for name in vars_of(norm))
        for values in (*of_filter, *norms):
            values[PLACES] = values[PERMUTED].clone()
        block.conv_pwl.weight[:, PLACES] = block.conv_pwl.weight[:, PERMUTED].clone()


def vars_of(norm: nn.Module) -> tuple[str, ...]:
    """What a norm has for each filter."""
    return tuple(name for name in ("weight", "bias", "running_mean", "running_var") if hasattr(norm, name))


def start_anew(block: nn.Module) -> None:
    """Draw the weights of four filters as those of a new network."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        weight = block.conv_pw.weight
        weight[RETRAINED] = torch.randn(weight[RETRAINED].shape, generator=generator) * weight.std()
        weight = block.conv_dw.weight
        weight[RETRAINED] = torch.randn(weight[RETRAINED].shape, generator=generator) * weight.std()


def fine_tune(model: Model, files: list[Path], steps: int) -> None:
    """Learn by which quarter photos were turned."""
    network, prepare = model.network.train(), Normalization(model.mean, model.std)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.SGD(network.parameters(), RATE, momentum=0.9)
    pictures = torch.cat([batch.pictures[: len(batch.numbers)] for batch in PhotoStream(files, 224)])
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        chosen = pictures[torch.randint(len(pictures), (BATCH,), generator=generator)]
        turns = torch.randint(4, (BATCH,), generator=generator)
        turned = torch.stack([picture.rot90(int(turn), (1, 2)) for picture, turn in zip(chosen, turns, strict=True)])
        loss: Tensor = F.cross_entropy(network(prepare(turned))[:, :4], turns)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 4 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)


def main(folder: Path, steps: int) -> None:
    """Change, fine-tune and compare."""
    if not (folder / "photos").is_dir():
        write_photos(folder / "photos")
    files, checkpoint = sorted((folder / "photos").iterdir()), folder / "tuned.ckpt"
    torch.manual_seed(0)
    model = build_model(compose_default(["model=efficientnet_lite0"]))
    block = model.network.get_submodule(BLOCK)
    permute(block)
    start_anew(block)
    fine_tune(model, files, steps)
    torch.save(model.network.state_dict(), checkpoint)
    found = featviz.compare(
        ["pretrained", checkpoint],
        folder / "photos",
        LAYER,
        limit=PHOTOS,
        output=folder / "compared",
        overrides=["compare.pictures=4", "schedule.size=160", "schedule.steps=64", "evidence=none", "logger=none"],
    )
    rows = {row.filter: row for row in found.matches[:UNITS]}  # those of the other network come behind
    hits = sum(rows[unit].other_filter == place for unit, place in zip(PERMUTED, PLACES, strict=True))
    others = [row for unit, row in rows.items() if unit not in RETRAINED and row.status != "silent"]
    told = sum(rows[unit].status in ("gone", "merged", "moved", "silent") for unit in RETRAINED)
    print(f"{found.photos} photos; permuted filters matched: {hits} of {len(PERMUTED)}; told as changed: {told} of 4")
    for unit in RETRAINED:
        print(f"  filter {unit}: {rows[unit].status}, correlation {rows[unit].correlation:.2f}")
    same = sum(row.status == "same" for row in others)
    own = sum(row.other_filter == unit for unit, row in rows.items() if unit not in (*PERMUTED, *RETRAINED))
    print(f"of {len(others)} others that answer, {same} are the same; {own} of {len(rows) - 12} with themselves")


if __name__ == "__main__":
    answer_help(__doc__, least=1)
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else STEPS)
