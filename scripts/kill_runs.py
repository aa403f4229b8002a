"""Kills runs of every task at random moments, lets them go on, and compares all files with an uninterrupted run's.

    python scripts/kill_runs.py [--kills 100] [--seed 0] [--begin 0] [--into FOLDER]

Each run is killed by SIGKILL at a moment drawn evenly from the time that an uninterrupted one takes between the making
of its folder and its end; one in ten between its start and its end. It goes on by the same command, or with ``resume=``
where its folder is there (the seed draws which). Compared are all files, byte by byte, but for what tells time, paths
or events (see ``contents``); of a search, whose trials are drawn anew, how many it has finished. Ten kills take a
minute or two. A kill is drawn by the seed and its own number alone: ``--begin 32`` leaves out the first 32.
Prints a table in Markdown, also after Ctrl-C; ends with 1 where a file differs.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils._pytree import tree_map

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/helpers"))

from processes import Forked
from program import TINY
from tiny_networks import Tiny

PICTURES = (*TINY, "layer=second", "filters=0-9", "batch_size=4", "schedule.size=48", "schedule.steps=40")
QUICK = (*PICTURES, "callbacks.checkpoint.every=4", "restarts=1")
SEARCH = ("search.space={optimizer.lr:{low:0.05,high:0.5}}", "search.trials=4", "search.unseen=2", "logger=none")
CELLS = ("atlas.layout=pca", "atlas.grid=2", "atlas.levels=2", "atlas.photos=3")
FEW = ("layer=second", "limit=40", "compare.pictures=2")
SHARDS = ("shard=0/3,1/3,2/3", "hydra.sweep.dir=shards")
FROM_THE_START = 0.1  # the share of kills that may meet a run before it has a folder
RUN, SWEEP = "hydra.run.dir=there", "hydra.sweep.dir=there"
TASKS: dict[str, tuple[str, ...]] = {
    "visualize": (*QUICK, RUN),
    "visualize, maco with opacity": (*QUICK, "image=maco", "opacity=true", RUN),
    "a sweep of four": ("-m", *QUICK, "layer=first,second", "filters=0-5", "optimizer.lr=0.02,0.1", SWEEP),
    "top_filters": (
        "task=top_filters",
        "photo=photos/003.png",
        "top=4",
        *TINY,
        *QUICK[-5:],
        "layer=[first,second]",
        RUN,
    ),
    "exemplars": ("task=exemplars", "data=photos", *TINY, "layer=[first,second]", "filters=0-5", "k=4", RUN),
    "spectrum": ("task=spectrum", "data=photos", RUN),
    "atlas": ("task=atlas", "data=photos", *TINY, *QUICK[-5:], "layer=second", *CELLS, RUN),
    "concepts": ("task=concepts", "data=photos", *TINY, "layer=second", "concepts=4", "positions=2000", RUN),
    "compare": ("task=compare", "models=[a.pt,b.pt]", "data=photos", *TINY[:2], TINY[3], *QUICK[-5:], *FEW, RUN),
    "merge": ("task=merge", "runs=shards", "into=there"),
    "report": ("task=report", "runs=shards", "into=there", "copy=true"),
    "tune": ("task=tune", *PICTURES[:4], "layer=second", "filters=0-2", *PICTURES[-2:], *SEARCH, RUN),
}
TOLD_APART = ("featviz.log", "config.yaml", "checksums.json", "multirun.yaml")
FOLDERS_APART = (".hydra", "tensorboard", ".hydra.new")
ENDED = ("complete", "pruned")  # states of a search's trials that count


@dataclass
class Outcome:
    """What has come of a task's kills."""

    kills: int = 0
    begun: Counter[str] = field(default_factory=Counter)  # what was there when it was killed
    different: list[str] = field(default_factory=list)


def main() -> int:
    """Kill and compare; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--begin", type=int, default=0)
    parser.add_argument("--into", type=Path, default=Path(tempfile.gettempdir(), "featviz_kills"))
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    os.chdir(arguments.into)
    make_photos(Path("photos"))
    make_weights("a.pt", "b.pt")
    run("-m", *QUICK, *SHARDS)
    tasks = list(TASKS)
    outcomes, whole = {task: Outcome() for task in tasks}, {task: uninterrupted(TASKS[task]) for task in tasks}
    with suppress(KeyboardInterrupt):  # the table is of what was done until then
        for number in range(arguments.begin, arguments.kills):
            task, draws = tasks[number % len(tasks)], random.Random(f"{arguments.seed} {number}")
            before = len(outcomes[task].different)
            kill_and_compare(TASKS[task], *whole[task], draws, outcomes[task])
            said = outcomes[task].different[before:] or "the same"
            print(f"{number + 1}: {task}: {said}", file=sys.stderr, flush=True)
    print_table(outcomes, arguments.seed)
    return any(outcome.different for outcome in outcomes.values())


def make_photos(folder: Path, count: int = 400) -> None:
    """Photos of noise, the same each time."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for at in range(count):
        pixels = rng.integers(0, 256, (50 + at % 3, 60, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{at:03d}.png", compress_level=1)


def make_weights(*names: str) -> None:
    """Networks of the same kind, each with weights of its own."""
    for seed, name in enumerate(names):
        torch.manual_seed(seed)
        torch.save(Tiny().state_dict(), name)


def run(*arguments: str) -> None:
    """Run to the end, which must be a good one."""
    outcome = Forked(*arguments).wait(timeout=600)
    if outcome.status:
        raise SystemExit(f"{' '.join(arguments)}: {outcome.err}")


def uninterrupted(arguments: tuple[str, ...]) -> tuple[dict[str, object], float, float]:
    """The files of a run that nobody kills, how long it takes until its folder is there, and to its end."""
    shutil.rmtree("there", ignore_errors=True)
    run(*arguments)  # once before, so that what is compiled at first does not count
    shutil.rmtree("there")
    began, process = time.monotonic(), Forked(*arguments)
    first = wait_for_folder(process, began)
    process.wait(timeout=600)
    return contents(Path("there")), first, time.monotonic() - began


def wait_for_folder(process: Forked, began: float) -> float:
    """Seconds until the run's folder was there."""
    while not Path("there").exists() and not process.ended():
        time.sleep(0.005)
    return time.monotonic() - began


def kill_and_compare(
    arguments: tuple[str, ...],
    whole: dict[str, object],
    first: float,
    seconds: float,
    draws: random.Random,
    outcome: Outcome,
) -> None:
    """Kill one run, let it go on to its end, and note which files differ."""
    shutil.rmtree("there", ignore_errors=True)
    began, process = time.monotonic(), Forked(*arguments)
    if draws.random() < FROM_THE_START:
        time.sleep(draws.random() * seconds)
    else:
        wait_for_folder(process, began)
        time.sleep(draws.random() * (seconds - first))
    process.send(signal.SIGKILL)
    outcome.begun[stage(Path("there")) if process.wait().status else "finished"] += 1
    outcome.kills += 1
    by_resume = draws.random() < 0.5 and Path("there/.hydra").is_dir() and "into=there" not in arguments
    again = Forked(*[a for a in arguments if not (by_resume and a == RUN)], *["resume=there"] * by_resume).wait(600)
    found = contents(Path("there"))
    names = [name for name in sorted({*whole, *found}) if whole.get(name) != found.get(name)]
    if again.status or names:
        outcome.different.append(f"{names} {again.err.strip()}")


def stage(folder: Path) -> str:
    """How far a run had come when it was killed."""
    if not folder.exists():
        return "no folder"
    for name, words in (("checksums.json", "all written"), ("results.csv", "some results"), ("config.yaml", "begun")):
        if any(folder.rglob(name)):
            return words
    return "folder alone"


def contents(folder: Path) -> dict[str, object]:
    """The files by name, tables without seconds; of a search how many trials it has finished."""
    if (folder / "study.db").exists():
        return {"trials": sum(row["state"] in ENDED for row in without_seconds(folder / "trials.csv"))}
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_dir() or set(name.parts[:-1]) & set(FOLDERS_APART):
            continue
        if path.name in TOLD_APART:
            found[str(name)] = "there"
        else:
            found[str(name)] = READERS.get(path.suffix, Path.read_bytes)(path)
    return found


def state(path: Path) -> str:
    """What a state of tensors holds, all of it: equal ones may be pickled differently."""
    as_arrays = tree_map(lambda value: value.numpy() if isinstance(value, torch.Tensor) else value, torch.load(path))
    with np.printoptions(threshold=sys.maxsize):
        return str(as_arrays)


def without_seconds(path: Path) -> list[dict[str, str]]:
    """A table's rows."""
    rows = csv.DictReader(io.StringIO(path.read_text()))
    return [{name: text for name, text in row.items() if name != "seconds"} for row in rows]


READERS: dict[str, Callable[[Path], object]] = {".csv": without_seconds, ".pt": state}


def print_table(outcomes: dict[str, Outcome], seed: int) -> None:
    """How many kills of each task, where they met it, and how many runs came out other than whole."""
    stages = ("no folder", "folder alone", "begun", "some results", "all written", "finished")
    print(f"Seed {seed}.\n\n| task | kills | {' | '.join(stages)} | different |\n|{'---|' * (len(stages) + 3)}")
    for task, outcome in outcomes.items():
        met = " | ".join(str(outcome.begun[name]) for name in stages)
        print(f"| {task} | {outcome.kills} | {met} | {len(outcome.different)} |")
    for task, outcome in outcomes.items():
        for words in outcome.different:
            print(f"\n{task}: {words}")


if __name__ == "__main__":
    sys.exit(main())
