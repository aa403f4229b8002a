"""How good recipes are by what they were not made for: second networks, perturbations, the spectrum of photos.

    python scripts/judge_recipes.py                                     # every recipe that needs no photo
    python scripts/judge_recipes.py 'recipes=[olah2017,clear]' classes=100
    python scripts/judge_recipes.py candidates=FILE.yaml split=train    # {name: [settings, ...]}: a search's
    python scripts/judge_recipes.py photos=FOLDER                       # beside photos, and vital2025, too

Each recipe makes the same classes and the same filters of each layer, with so many steps that the network sees
``budget`` million pixels of a picture. ``split`` halves classes and filters by chance: a search sees ``train`` only.
With ``photos`` the exemplars of the classes and filters among them are found first: pictures are compared with these
in the judges' features, and vital2025 is made of them. Runs are kept in ``output`` and not made twice. ``table.csv``
has a line for each recipe, ``sheet_<layer>.png`` their pictures.

    top1, probability   of pictures of classes, by each judge
    robust              activation under perturbations over the first recipe's: the median of the filters' ratios
    excess              energy at periods of 2 to 4 px over that of photos
    first               filters that come first among all of their layer in their own picture
    agreement           with each judge, where there are photos
"""

from __future__ import annotations

import csv
import json
import random
import sys
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from statistics import fmean, median
from typing import Any

from arguments import answer_help
from omegaconf import OmegaConf

import featviz
from featviz.config.build import build_model
from featviz.config.compose import compose_default, group_options
from featviz.metrics.robustness import robust_activation
from featviz.models.model import STAGES
from featviz.models.tracing import trace
from featviz.results.folder import load_tile, read_rows
from featviz.results.rows import Row
from featviz.results.sheets import Cell, table_sheet
from featviz.tasks.exemplars import exemplars as find_exemplars

CLASSES = "logits"
OF_PHOTOS = ("accentuation2024", "caricature", "inversion", "deepdream")  # of one photo, or of whole layers
OF_EXEMPLARS = "vital2025"
EXEMPLARS = 20  # photos of each class and filter
ON_SHEET = 8  # pictures of each recipe and layer

Made = dict[str, list[Row]]


@dataclass
class Settings:
    """What is judged, of which network, by whom."""

    recipes: list[str] = field(default_factory=list)
    candidates: str | None = None
    model: str = "efficientnet_lite0"
    judges: list[str] = field(default_factory=lambda: ["efficientnet_lite1", "efficientnet_lite2"])
    layers: list[str] = field(default_factory=lambda: ["layer1", "layer2", "layer3", "layer4"])
    classes: int = 24
    filters: int = 16
    budget: float = 8.388608  # million pixels a picture: 512 steps of 128 px
    split: str = "test"
    seed: int = 0
    batch: int = 16
    photos: str | None = None
    output: str = "outputs/judged"


def main() -> None:
    """Make what is not there yet, and write the table and the sheets."""
    merged = OmegaConf.merge(OmegaConf.structured(Settings), OmegaConf.from_cli(sys.argv[1:]))
    settings: Settings = OmegaConf.to_object(merged)  # type: ignore[assignment]
    units, folder = _units(settings), Path(settings.output, settings.split)
    made: dict[str, Made] = {}
    lines = []
    exemplars = _exemplars(settings, folder / "exemplars", units) if settings.photos else None
    for name, typed in _candidates(settings).items():
        made[name] = {
            group: _made(settings, folder / name / group, group, numbers, typed, exemplars)
            for group, numbers in units.items()
        }
        lines.append({"recipe": name} | _line(settings, made[name], next(iter(made.values()))))
        print(json.dumps(lines[-1]), flush=True)
        _write(folder, lines)
    for group in units:
        _sheet(folder, group, {name: rows[group] for name, rows in made.items()})


def _candidates(settings: Settings) -> dict[str, list[str]]:
    left_out = ("plain", *OF_PHOTOS, *([] if settings.photos else [OF_EXEMPLARS]))
    known = [name for name in group_options("recipe") if name not in left_out]
    all_of_them = sorted(known, key=lambda name: name != "olah2017")
    recipes = settings.recipes if settings.candidates else settings.recipes or all_of_them
    found = {name: [f"recipe={name}"] for name in recipes}
    if settings.candidates:
        found |= OmegaConf.to_container(OmegaConf.load(settings.candidates))  # type: ignore[operator]
    return found


def _units(settings: Settings) -> dict[str, list[int]]:
    """The numbers of the classes and of each layer's filters; nobody's are in both splits."""
    model = build_model(compose_default([f"model={settings.model}"]))
    traced, draw = trace(model), random.Random(settings.seed)
    counts = {CLASSES: settings.classes} | dict.fromkeys(settings.layers, settings.filters)
    units = {}
    for group, count in counts.items():
        if count:
            numbers = list(range(traced.resolve(group).channels or 0))
            draw.shuffle(numbers)
            middle = len(numbers) // 2
            half = numbers[:middle] if settings.split == "train" else numbers[middle:]
            units[group] = sorted(half[:count])
    return units


def _exemplars(settings: Settings, folder: Path, units: dict[str, list[int]]) -> Path:
    """The folder of the exemplars of all units, which are found if it is not there."""
    if not (folder / "exemplars.csv").exists():
        by_layer = ",".join(f"{layer}:{numbers}" for layer, numbers in units.items())
        every = [f"model={settings.model}", f"k={EXEMPLARS}", "relations=false", "report=none"]
        of_units = [f"data={json.dumps(settings.photos)}", f"layer={json.dumps([*units])}", f"filters={{{by_layer}}}"]
        find_exemplars(compose_default(["task=exemplars", *every, *of_units]), folder)
    return folder


def _made(
    settings: Settings, folder: Path, group: str, numbers: list[int], typed: list[str], exemplars: Path | None
) -> list[Row]:
    if (folder / "results.csv").exists() and len(rows := read_rows(folder)) == len(numbers):
        return rows
    recipe = next((word.partition("=")[2] for word in typed if word.startswith("recipe=")), "olah2017")
    own = [word for word in typed if not word.startswith("recipe=")]
    judges = f"evidence.judges={json.dumps(settings.judges)}"
    more = [judges] if group == CLASSES else [f"exemplars={exemplars}", judges] if exemplars else []
    if recipe == OF_EXEMPLARS:
        more += [f"objective.photos_from={exemplars}"]
        if group != CLASSES:  # by the stages that lead to the filters
            stages = ",".join(f"{stage}:1" for stage in STAGES if stage <= group)
            more += ["objective.relevance=true", f"objective.weights={{{stages}}}"]
    elif group == CLASSES:
        more += ["objective=logit"]
    every = [f"budget={settings.budget}", "logger=none", "callbacks=none", f"batch_size={settings.batch}"]
    made = featviz.visualize(settings.model, group, numbers, recipe, overrides=[*every, *own, *more], output=folder)
    return made.rows


def _line(settings: Settings, made: Made, first: Made) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for group, rows in made.items():
        pairs = [(robust_activation(a), robust_activation(b)) for a, b in zip(rows, first[group], strict=True)]
        line[f"{group} robust"] = round(median(a / b for a, b in pairs if b > 0), 3)
        line[f"{group} excess"] = _mean(rows, "excess_2_4")
        if group != CLASSES:
            line[f"{group} first"] = sum(row["selectivity_rank"] == 1 for row in rows)
        for judge in settings.judges:
            if group == CLASSES:
                line[f"{judge} top1"] = _mean(rows, f"transfer_{judge}_top1")
                line[f"{judge} probability"] = _mean(rows, f"transfer_{judge}")
            elif settings.photos:
                line[f"{group} agreement {judge}"] = _mean(rows, f"agreement_{judge}")
        line[f"{group} seconds"] = _mean(rows, "seconds")
    return line


def _mean(rows: list[Row], column: str) -> float:
    values = [float(row.get(column, nan)) for row in rows]  # type: ignore[arg-type]
    finite = [value for value in values if isfinite(value)]
    return round(fmean(finite), 3) if finite else nan


def _write(folder: Path, lines: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(column for line in lines for column in line))
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


def _sheet(folder: Path, group: str, made: Made) -> None:
    shown = list(zip(*made.values(), strict=True))[:ON_SHEET]
    cells = [
        [Cell(load_tile(folder / name / group, row)) for name, row in zip(made, rows, strict=True)] for rows in shown
    ]
    labels = [rows[0].get("class") or str(rows[0]["filter"]) for rows in shown]
    table_sheet(cells, labels, list(made), group).save(folder / f"sheet_{group}.png")


if __name__ == "__main__":
    answer_help(__doc__)
    main()
