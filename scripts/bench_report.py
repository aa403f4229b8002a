"""How large pages are and how long they take: 512 units with 9 photos each, and 20,000 units.

python scripts/bench_report.py               # all of it: real pictures first, ten minutes on two cores
python scripts/bench_report.py FOLDER        # keeps the runs in FOLDER, and goes on with those that are there

16 filters of layer4 of the default model are made at the default 512 steps, with their 9 strongest photos of those that
packages bring. Other units' pictures are these, turned, mirrored and shifted: each is another one, and compresses as
pictures of filters do.
"""

from __future__ import annotations

import csv
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from arguments import run_in_folder
from package_photos import write_photos
from PIL import Image, ImageChops

from featviz.pages import write_site

MADE = 16  # filters whose pictures are real
UNITS, LAYERS = 512, 40  # of the one site; so many layers of 500 units make up the other
RUNS = {
    "pictures": ["layer=layer4", f"filters=0-{MADE - 1}", "logger=none"],
    "exemplars": ["task=exemplars", "layer=layer4", f"filters=0-{MADE - 1}", "k=9"],
}
ROUNDS = 3

Row = dict[str, str]


def main(folder: Path) -> None:
    """Make what is missing, write the sites, and print a line for each."""
    photos = folder / "photos"
    if not photos.is_dir():
        write_photos(photos)
    for name, settings in RUNS.items():
        if not (folder / name / "checksums.json").is_file():  # which is written last
            data = [f"data={photos}"] if name == "exemplars" else []
            used = run(*settings, *data, "report=none", f"hydra.run.dir={folder / name}")
            (folder / f"{name}.seconds").write_text(f"{used:.1f}\n")
    seconds = float((folder / "pictures.seconds").read_text()) / MADE
    layer = [more_pictures(folder, "layer", ["layer4"], UNITS), more_exemplars(folder, UNITS)]
    measure(layer, folder / "layer_site", f"{UNITS} units with 9 photos each", UNITS * seconds)
    network = more_pictures(folder, "network", [f"block{number}" for number in range(LAYERS)], 500)
    measure([network], folder / "network_site", f"{LAYERS * 500:,} units", LAYERS * 500 * seconds)


def run(*settings: str) -> float:
    """Call the program; returns its seconds of all cores."""
    print("python -m featviz", *settings, flush=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "featviz", *settings], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(runs: Sequence[Path], into: Path, what: str, seconds: float) -> None:
    """Write a site a few times; ``seconds`` is what its pictures took of all cores."""
    taken = list[tuple[float, float]]()
    for _ in range(ROUNDS):
        for path in sorted(into.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        began = time.perf_counter(), time.process_time()
        write_site(runs, into)
        taken.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    sizes = {path: path.stat().st_size for path in into.rglob("*") if path.is_file()}
    largest = max(size for path, size in sizes.items() if path.suffix == ".webp")
    size = f"{sum(sizes.values()) / 1e6:.1f} MB in {len(sizes)} files, the largest of thumbnails {largest / 1e3:.0f} kB"
    passed, computed = (min(times) for times in zip(*taken, strict=True))
    share = f"{100 * computed / seconds:.2f} % of the {seconds:.0f} s of the pictures"
    print(f"{what}: {size}; {passed:.1f} s, of all cores {computed:.1f} s, {share}", flush=True)


def more_pictures(folder: Path, name: str, layers: Sequence[str], units: int) -> Path:
    """A run of so many units in each of these layers, whose pictures are those of the first layer."""
    to = folder / name
    made = rows_of(folder / "pictures/results.csv")
    rows = []
    for number in range(units):
        row, image = made[number % MADE], f"images/{number:04d}.png"
        write_changed(folder / "pictures" / row["image"], to / image, number // MADE)
        changed = {"filter": str(number), "image": image, "activation": str(float(row["activation"]) + number / 100)}
        rows += [row | changed | {"layer": layer, "module": layer} for layer in layers]
    write_rows(to / "results.csv", rows)
    return to


def more_exemplars(folder: Path, units: int) -> Path:
    """A run of task=exemplars of so many units."""
    to = folder / "layer_exemplars"
    for table in ("exemplars", "weakest", "statistics", "tenths", "histograms", "nearest", "inputs", "speaks_for"):
        if (folder / f"exemplars/{table}.csv").is_file():
            made = rows_of(folder / f"exemplars/{table}.csv")
            write_rows(to / f"{table}.csv", more_rows(made, units, lambda row, number: copied(folder, to, row, number)))
    for photo in (folder / "exemplars/photos").glob("*.jpg"):
        (to / "photos").mkdir(parents=True, exist_ok=True)
        (to / "photos" / photo.name).write_bytes(photo.read_bytes())
    return to


def more_rows(rows: Sequence[Row], units: int, change: Callable[[Row, int], Row]) -> Iterable[Row]:
    """The rows of each unit, those of the made ones in turns."""
    by_unit: dict[int, list[Row]] = {}
    for row in rows:
        by_unit.setdefault(int(row["filter"]), []).append(row)
    return [change(row, number) for number in range(units) for row in by_unit.get(number % MADE, [])]


def copied(folder: Path, to: Path, row: Row, number: int) -> Row:
    """A unit's row, with a patch of its own where it has one."""
    changed: Any = {"layer": "layer4", "module": "layer4", "filter": str(number)}
    if row.get("patch"):
        changed["patch"] = f"patches/layer4/{number:04d}_{int(row['rank']):02d}.png"
        write_changed(folder / "exemplars" / row["patch"], to / changed["patch"], number // MADE)
    return row | changed


def write_changed(path: Path, to: Path, change: int) -> None:
    """Write a picture turned, mirrored and shifted: another one for each number."""
    if to.is_file():
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as image:
        changed = image.convert("RGB")
        if change % 8:
            changed = changed.transpose(Image.Transpose(change % 8 - 1))
        ImageChops.offset(changed, 17 * (change // 8), 29 * (change // 8)).save(to)


def rows_of(path: Path) -> list[Row]:
    """The lines of a table, as texts."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write lines as a table."""
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    run_in_folder(main, __doc__)
