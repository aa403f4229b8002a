"""Makes one run of every kind at a few steps, and compares two such folders file by file.

    python scripts/same_bytes.py make FOLDER PHOTOS [--source OTHER_CHECKOUT/src]
    python scripts/same_bytes.py compare BEFORE AFTER

A change of the code that is to change no picture is shown so to have changed none. ``PHOTOS`` is a folder of photos;
compared are all PNG files and tables, tables without ``seconds``.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

PORTRAIT = "${grace_hopper:}"
FEW = ("filters=0-1", "layer=layer3", "budget=0.3", "evidence=default")
RECIPES = {
    **dict.fromkeys(
        [
            *("olah2017", "lucent", "captum", "xplique", "torch_dreams", "fg91_2019", "maco2023", "horama"),
            *("ghiasi_vit2022", "tf_keras_vis", "deepdream", "erhan2009"),
            *("yosinski2015", "yosinski2015_a", "yosinski2015_b", "yosinski2015_d"),
        ],
        (),
    ),
    "simonyan2014": ("layer=logits",),
    "caricature": (f"objective.photo={PORTRAIT}",),
    "inversion": (f"objective.photo={PORTRAIT}",),
    "accentuation2024": (f"image.path={PORTRAIT}",),
}
SMALL = ("layer=layer2", "schedule.size=96", "schedule.steps=6")
KINDS = {
    "laplacian": ("image=laplacian",),
    "cppn": ("image=cppn",),
    "maco": ("image=maco",),
    "photo": ("image=photo", f"image.path={PORTRAIT}"),
    "pixel": ("image=pixel", "transforms=none"),
    "neuron": ("objective=neuron",),
    "negative": ("objective=negative",),
    "diversity": ("objective=diversity", "variants=2"),
    "joint": ("objective=joint", "objective.weights={3:1.0,7:0.5}"),
    "interpolation": ("objective=interpolation", "objective.ends=[3,7]", "objective.pictures=3"),
    "sum": ("objective=sum", "objective@objective.terms.second=negative"),
    "opacity": ("opacity=true",),
    "unfolded": ("fold=false", "channels_last=false"),
}


def commands(photos: Path) -> dict[str, tuple[str, ...]]:
    """What is run, by the name of its folder."""
    runs: dict[str, tuple[str, ...]] = {"layer4_sweep": ("+experiment=layer4_sweep",)}
    runs |= {f"recipe_{name}": (f"recipe={name}", *FEW, *more) for name, more in RECIPES.items()}
    runs |= {f"kind_{name}": (*SMALL, "filters=0-3", *more) for name, more in KINDS.items()}
    runs["top_filters"] = ("+experiment=photo", "top=2", "schedule.steps=6")
    runs["exemplars"] = ("task=exemplars", f"data={photos.resolve()}", "layer=layer3", "filters=0-3", "k=4")
    runs["spectrum"] = ("task=spectrum", f"data={photos.resolve()}")
    return runs


def make(folder: Path, photos: Path, source: Path | None, only: list[str]) -> None:
    """Run all commands, each with its own output folder."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} | ({"PYTHONPATH": str(source.resolve())} if source else {})
    for name, arguments in commands(photos).items():
        if only and name not in only:
            continue
        output = folder.resolve() / name
        multirun = (f"hydra.sweep.dir={output}",) if "sweep" in name else (f"hydra.run.dir={output}",)
        done = subprocess.run(
            [sys.executable, "-m", "featviz", *arguments, *multirun], env=environment, capture_output=True, text=True
        )
        print(name, "ok" if done.returncode == 0 else f"failed: {done.stderr[-500:]}", flush=True)


def compare(before: Path, after: Path) -> int:
    """Print what differs; the number of files that do."""
    names = [{path.relative_to(side) for path in _files(side)} for side in (before, after)]
    differing = 0
    for name in sorted(names[0] | names[1]):
        found = "is missing" if name not in names[0] & names[1] else _difference(before / name, after / name)
        if found:
            differing += 1
            print(f"{name}: {found}")
    print(f"{len(names[0] & names[1])} files compared, {differing} differ")
    return differing


def _files(side: Path) -> list[Path]:
    return [path for path in side.rglob("*") if path.suffix in (".png", ".csv", ".npy") and ".hydra" not in path.parts]


def _difference(one: Path, other: Path) -> str:
    if one.suffix == ".csv":
        return "" if _table(one) == _table(other) else "the table differs"
    if one.read_bytes() == other.read_bytes():
        return ""
    if one.suffix == ".npy":
        return "the array differs"
    with Image.open(one) as first, Image.open(other) as second:
        if first.size != second.size:
            return f"{first.size} and {second.size} px"
        pixels = np.abs(np.asarray(first, dtype=int) - np.asarray(second, dtype=int))
        texts = [key for key in {*first.text, *second.text} if first.text.get(key) != second.text.get(key)]
        return f"pixels differ by {pixels.max()} of 255" if pixels.max() else f"only the text differs: {texts}"


def _table(path: Path) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "compare"])
    parser.add_argument("folders", type=Path, nargs=2)
    parser.add_argument("--source", type=Path, help="the src folder of another checkout")
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args()
    if given.what == "make":
        make(*given.folders, given.source, given.only)
    else:
        sys.exit(compare(*given.folders) > 0)
