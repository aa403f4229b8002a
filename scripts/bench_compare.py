"""Whether changed filters are found: a fine-tuned copy of the default model, 8 filters permuted and 4 learned anew.

    python scripts/bench_compare.py FOLDER [STEPS]

The copy learns, by so many steps of SGD, how squares of the photos that packages bring were turned. FOLDER gets the
photos, the checkpoint and the run of the comparison.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from package_photos import write_photos
from torch import Tensor, nn
from torch.nn import functional as F

import featviz
from featviz.config.build import build_model
from featviz.config.compose import compose_default
from featviz.models.normalization import Normalization
from featviz.photos.stream import PhotoStream

BLOCK, LAYER = "blocks.4.0", "blocks.4.0.bn1"  # whose 480 filters are expanded, convolved one by one, and projected
PERMUTED, RETRAINED = list(range(40, 48)), list(range(100, 104))
PLACES = [*PERMUTED[1:], PERMUTED[0]]
STEPS, BATCH, RATE, PHOTOS = 12, 16, 0.003, 96


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


def start_anew(block: nn.Module, pictures: Tensor, network: nn.Module) -> None:
    """Draw the weights of four filters as those of a new network, and have their norms know what comes of them."""
    generator = torch.Generator().manual_seed(0)
    for conv, norm in ((block.conv_pw, block.bn1), (block.conv_dw, block.bn2)):
        seen: list[Tensor] = []
        with torch.no_grad():
            weight = conv.weight
            weight[RETRAINED] = torch.randn(weight[RETRAINED].shape, generator=generator) * weight.std()
            hook = conv.register_forward_hook(lambda _module, _inputs, output, seen=seen: seen.append(output))
            network(pictures)
            hook.remove()
            values = seen[0][:, RETRAINED].transpose(0, 1).flatten(1)
            norm.running_mean[RETRAINED], norm.running_var[RETRAINED] = values.mean(1), values.var(1)
            norm.weight[RETRAINED], norm.bias[RETRAINED] = 1.0, 0.0


def fine_tune(network: nn.Module, pictures: Tensor, steps: int) -> None:
    """Learn by which quarter photos were turned; norms keep their statistics."""
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.SGD(network.parameters(), RATE, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        chosen = pictures[torch.randint(len(pictures), (BATCH,), generator=generator)]
        turns = torch.randint(4, (BATCH,), generator=generator)
        turned = torch.stack([picture.rot90(int(turn), (1, 2)) for picture, turn in zip(chosen, turns, strict=True)])
        loss: Tensor = F.cross_entropy(network(turned)[:, :4], turns)
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
    photos = torch.cat([batch.pictures[: len(batch.numbers)] for batch in PhotoStream(files, 224)])
    pictures = Normalization(model.mean, model.std)(photos)
    start_anew(block, pictures[::8], model.network)
    fine_tune(model.network, pictures, steps)
    torch.save(model.network.state_dict(), checkpoint)
    found = featviz.compare(
        ["pretrained", checkpoint],
        folder / "photos",
        LAYER,
        limit=PHOTOS,
        output=folder / "compared",
        overrides=["compare.pictures=4", "schedule.size=160", "schedule.steps=64", "evidence=none", "logger=none"],
    )
    rows = {row.filter: row for row in found.matches if row.filter >= 0 and row.status != "split"}
    hits = sum(rows[unit].other_filter == place for unit, place in zip(PERMUTED, PLACES, strict=True))
    others = [row for unit, row in rows.items() if unit not in RETRAINED and row.status != "silent"]
    told = sum(rows[unit].status in ("gone", "merged", "moved", "silent") for unit in RETRAINED)
    print(f"{found.photos} photos; permuted filters matched: {hits} of {len(PERMUTED)}; told as changed: {told} of 4")
    order = sorted(row.correlation for row in rows.values() if row.status != "silent")
    for unit in RETRAINED:
        row = rows[unit]
        place = order.index(row.correlation) + 1 if row.status != "silent" else 0
        print(f"  filter {unit}: {row.status}, correlation {row.correlation:.2f}, {place} of {len(order)} from below")
    same = sum(row.status == "same" for row in others)
    own = sum(row.other_filter == unit for unit, row in rows.items() if unit not in (*PERMUTED, *RETRAINED))
    print(f"of {len(others)} others that answer, {same} are the same; {own} of {len(rows) - 12} with themselves")


if __name__ == "__main__":
    if len(sys.argv) < 2 or {"-h", "--help"} & {*sys.argv}:
        print(__doc__)
        sys.exit()
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else STEPS)
