"""Which learning rate suits which layer, for several recipes: the sweeps and the tables of docs/settings.md.

    python scripts/sweep_settings.py                             # all recipes below, about half an hour on 2 cores
    python scripts/sweep_settings.py olah2017 -- budget=10       # one of them, with other settings

Each recipe runs at a quarter to four times its own learning rate, on the same filters, with steps for the same number
of pixels. (Not maco2023: with its 32 crops for each step that would be two steps.) What counts is a filter's activation
under changes that no recipe knows (activation x robustness; docs/evidence.md), as a share of the highest that any
recipe and rate reaches for this filter. The tables have medians over filters, and in brackets the pictures' share of
high frequencies. A sweep that is in the folder is gone on with.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from arguments import answer_help

from featviz.config.compose import compose_default

RECIPES = ("olah2017", "torch_dreams", "fg91_2019", "yosinski2015")
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
LAYERS = ("layer1", "layer2", "layer3", "layer4")
FOLDER = Path("outputs/settings")
COMMON = ("filters=random:8", "budget=4", "restarts=0", "callbacks=none")

Key = tuple[str, str, float]  # recipe, layer, learning rate


def main(words: Sequence[str]) -> None:
    """Run the sweeps, then print a table for each recipe."""
    at = words.index("--") if "--" in words else len(words)
    recipes, settings = tuple(words[:at]) or RECIPES, words[at + 1 :]
    robust: dict[Key, dict[str, float]] = {}
    high: dict[Key, float] = {}
    for recipe in recipes:
        folder = FOLDER / re.sub(r"[^\w.-]+", "_", "_".join((recipe, *settings)))
        _sweep(recipe, settings, folder)
        _read(recipe, folder, robust, high)
    _print(robust, high)


def rates(recipe: str) -> list[float]:
    """The learning rates of a recipe."""
    own = compose_default([f"recipe={recipe}"]).optimizer.lr
    return [float(f"{own * factor:.3g}") for factor in FACTORS]


def _sweep(recipe: str, settings: Sequence[str], folder: Path) -> None:
    goes_on = [f"resume={folder}"] if (folder / "multirun.yaml").exists() else [f"hydra.sweep.dir={folder}"]
    swept = [f"recipe={recipe}", f"layer={','.join(LAYERS)}", f"optimizer.lr={','.join(map(str, rates(recipe)))}"]
    command = [sys.executable, "-m", "featviz", "-m", *swept, *COMMON, *settings, *goes_on]
    print(" ".join(command[1:]), flush=True)
    subprocess.run(command, check=True)


def _read(recipe: str, folder: Path, robust: dict[Key, dict[str, float]], high: dict[Key, float]) -> None:
    with (folder / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for key in dict.fromkeys((recipe, row["layer"], float(row["optimizer.lr"])) for row in rows):
        of_key = [row for row in rows if (row["layer"], float(row["optimizer.lr"])) == key[1:]]
        robust[key] = {row["filter"]: _robust_activation(row) for row in of_key}
        high[key] = median(float(row["high_frequency"] or 1) for row in of_key)


def _robust_activation(row: dict[str, str]) -> float:
    usable = row["status"] == "ok" and row["robustness"]
    return float(row["activation"]) * float(row["robustness"]) if usable else 0.0


def _print(robust: dict[Key, dict[str, float]], high: dict[Key, float]) -> None:
    for recipe in dict.fromkeys(key[0] for key in robust):
        used = sorted({key[2] for key in robust if key[0] == recipe})
        print(f"\n| `{recipe}`, lr | {' | '.join(f'{rate:g}' for rate in used)} |")
        print("|---" * (len(used) + 1) + "|")
        for layer in LAYERS:
            cells = []
            for rate in used:
                shares = _shares(robust, (recipe, layer, rate))
                cells.append(f"{median(shares):.2f} ({high[recipe, layer, rate]:.2f})")
            print(f"| {layer} | {' | '.join(cells)} |")


def _shares(robust: dict[Key, dict[str, float]], key: Key) -> list[float]:
    best: dict[str, float] = {}
    for (_, layer, _), values in robust.items():
        if layer == key[1]:
            best |= {number: max(value, best.get(number, 0.0)) for number, value in values.items()}
    return [robust[key][number] / top for number, top in best.items() if top > 0]


if __name__ == "__main__":
    answer_help(__doc__)
    main(sys.argv[1:])
