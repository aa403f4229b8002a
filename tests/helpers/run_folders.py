"""Run folders as runs leave them, written by hand: no network is needed for them."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from featviz.results.files import csv_cell

NETWORK = "00112233aabbccdd"


def all_files(folder: Path) -> dict[str, bytes]:
    """What the files of a folder hold, by their paths in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_picture(path: Path, shade: int = 120, size: tuple[int, int] = (24, 24), mode: str = "RGB") -> None:
    """A picture with a gradient, so that it can be told from others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    across = np.linspace(0, 255, size[0], dtype=np.uint8)
    levels = np.broadcast_to(across, size[::-1])
    channels = [levels, np.full_like(levels, shade), 255 - levels]
    array = levels if mode == "L" else np.stack([*channels, levels][: len(mode)], axis=-1)
    Image.fromarray(np.ascontiguousarray(array), mode).save(path, format="JPEG" if path.suffix == ".jpg" else "PNG")


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table with the columns of the first row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)


def picture_row(number: int, **changed: Any) -> dict[str, Any]:
    """A line of results.csv."""
    variant = changed.get("variant", 0)
    row = {
        "model": "small",
        "weights": "pretrained",
        "layer": "layer1",
        "module": "blocks.0",
        "filter": number,
        "variant": variant,
        "objective": "channel",
        "recipe": "olah2017",
        "seed": 0,
        "steps": 3,
        "size": 24,
        "activation": 1.5 + number,
        "start_activation": 0.25,
        "status": "ok",
        "reason": "",
        "seconds": 0.5,
        "image": f"images/layer1/{number:04d}" + (f"_{variant}" if variant else "") + ".png",
        "gain": 1.25 + number,
        "robustness": 0.5,
    }
    return row | changed


def write_run(folder: Path, rows: Iterable[Mapping[str, Any]] | None = None, network: str = NETWORK) -> Path:
    """A run of task=visualize with a picture for each row: three units of ``layer1`` if none are given."""
    rows = [picture_row(number) for number in range(3)] if rows is None else list(rows)
    write_table(folder / "results.csv", rows)
    for row in rows:
        if row["image"]:
            write_picture(folder / row["image"], 40 * row["filter"] % 256)
    layers = [{"name": row["layer"], "module": row["module"]} for row in rows]
    write_json(folder / "manifest.json", {"network": network, "sizes": 1, "layers": layers})
    write_config(folder, "visualize")
    return folder


def write_config(folder: Path, task: str, **more: Any) -> None:
    """A configuration, and what was typed."""
    config = {
        "model": {"_target_": "featviz.models.sources.own.load", "name": "small", "weights": "pretrained"},
        "task": {"name": task, "_target_": f"featviz.tasks.{task}.run"},
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.05},
        "layer": "layer1",
        "seed": 0,
        "name": task,
        "output": "outputs",
        "recipe": {"name": "olah2017"},
    }
    (folder / "config.yaml").write_text(json.dumps(config | more))  # JSON is YAML
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra/overrides.yaml").write_text("- model=small\n- layer=layer1\n- output=outputs\n")


def write_json(path: Path, content: Any) -> None:
    """A file of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def exemplar_row(number: int, rank: int, **changed: Any) -> dict[str, Any]:
    """A line of exemplars.csv."""
    row = {
        "model": "small",
        "weights": "pretrained",
        "layer": "layer1",
        "module": "blocks.0",
        "filter": number,
        "rank": rank,
        "by": "mean",
        "mean": 2.0 - rank,
        "max": 3.0,
        "row": 1,
        "column": 2,
        "photo": f"photos/{rank}.jpg",
        "left": 4,
        "top": 8,
        "right": 12,
        "bottom": 24,
        "patch": f"patches/layer1/{number:04d}_{rank:02d}.png",
        "image": f"photos/{rank:06d}.jpg",
        "width": 96,
        "height": 48,
    }
    return row | changed


def write_exemplars(folder: Path, units: Sequence[int] = (0, 1, 2), k: int = 2, network: str = NETWORK) -> Path:
    """A run of task=exemplars with all its tables, for these units of ``layer1``."""
    rows = [exemplar_row(number, rank) for number in units for rank in range(1, k + 1)]
    write_table(folder / "exemplars.csv", rows)
    for row in rows:
        write_picture(folder / row["patch"], size=(8, 16))
        write_picture(folder / row["patch"].replace("patches/", "maps/"), size=(7, 7), mode="L")
        write_picture(folder / row["image"], size=(48, 24))
    write_table(folder / "statistics.csv", [_statistics_row(number, network) for number in units])
    for name, of_unit in UNIT_TABLES.items():
        write_table(folder / name, [_of(number) | row for number in units for row in of_unit])
    write_config(folder, "exemplars", data="photos", k=k)
    return folder


def _of(number: int) -> dict[str, Any]:
    return {"layer": "layer1", "module": "blocks.0", "filter": number}


def _statistics_row(number: int, network: str) -> dict[str, Any]:
    start = {"model": "small", "weights": "pretrained", "network": network}
    percentiles = {f"p{percent}": percent / 100 for percent in range(101)}
    return start | _of(number) | {"figure": "mean", "photos": 40, "mean": 0.5, "std": 0.25} | percentiles


def cell_row(number: int, level: int, grid: int, column: int, row: int, **changed: Any) -> dict[str, Any]:
    """A line of atlas.csv."""
    line = {
        "model": "small",
        "weights": "pretrained",
        "layer": "layer1",
        "module": "blocks.0",
        "level": level,
        "grid": grid,
        "column": column,
        "row": row,
        "filter": number,
        "count": 4 + number,
        "points": 50,
        "method": "UMAP",
        "image": f"images/layer1/{number:04d}.png",
        "unit_1": 5,
        "above_1": 2.125,
        "unit_2": 0,
        "above_2": 1 / 3,
        "unit_3": "",
        "above_3": "",
        "class_1": 1,
        "name_1": "goldfish",
        "probability_1": 0.5,
        "class_2": "",
        "name_2": "",
        "probability_2": "",
    }
    return line | changed


def write_atlas(folder: Path, cells: Sequence[Mapping[str, Any]] | None = None) -> Path:
    """A run of task=atlas: two cells of a coarse level and one of a fine one, if none are given."""
    lines = [cell_row(0, 0, 2, 0, 1), cell_row(1, 0, 2, 1, 1), cell_row(2, 1, 4, 3, 2)] if cells is None else cells
    images = [f"images/layer1/{at:04d}.png" for at in range(len(lines))]
    rows = [picture_row(at, objective="direction", image=image) for at, image in enumerate(images)]
    write_run(folder, rows)
    write_table(folder / "atlas.csv", lines)
    photos = [_of(at) | {"rank": rank} | PHOTO for at in range(len(lines)) for rank in (1, 2)]
    write_table(folder / "atlas_photos.csv", photos)
    write_picture(folder / PHOTO["image"])
    write_config(folder, "atlas", data="photos")
    return folder


PHOTO = {"photo": "photos/1.jpg", "image": "photos/000001.jpg"}
UNIT_TABLES: dict[str, list[dict[str, Any]]] = {
    "weakest.csv": [{"rank": 1, "by": "mean", "mean": -1.0, "max": 0.0, **PHOTO}],
    "tenths.csv": [{"tenth": tenth, "value": tenth / 10, **PHOTO} for tenth in range(1, 11)],
    "histograms.csv": [{"figure": "mean", "low": 0.0, "high": 1.0, **{f"c{at}": 1 for at in range(40)}}],
    "speaks_for.csv": [{"rank": 1, "class": 1, "name": "goldfish", "value": 0.3}],
    "nearest.csv": [{"by": by, "rank": 1, "other": 2, "value": 0.9} for by in ("activations", "weights")],
    "inputs.csv": [
        {"by": by, "sign": sign, "rank": 1, "source": "stem", "source_filter": 4, "value": 0.2 * sign}
        for by in ("gradient", "weights")
        for sign in (1, -1)
    ],
}


def site_data(folder: Path) -> dict[str, Any]:
    """What ``index.html`` holds as data."""
    page = (folder / "index.html").read_text()
    start = page.index('id="site">') + len('id="site">')
    data: dict[str, Any] = json.loads(page[start : page.index("</script>", start)])
    return data


def received(folder: Path, name: str) -> dict[str, Any]:
    """What the script of this name hands to the page."""
    text = (folder / f"report/data/{name}.js").read_text()
    start = f'featvizReceive("{name}",'
    assert text.startswith(start)
    assert text.endswith(");\n")
    data: dict[str, Any] = json.loads(text[len(start) : -3])
    return data


def layer_data(folder: Path, module: str = "blocks.0", model: int = 0) -> dict[str, Any]:
    """The data of a layer."""
    return received(folder, _file_of(folder, module, model))


def details(folder: Path, number: int, module: str = "blocks.0", model: int = 0) -> dict[str, Any]:
    """The details of a unit."""
    name, data = _file_of(folder, module, model), layer_data(folder, module, model)
    part = data["units"].index(number) // data["per_details"]
    of_unit: dict[str, Any] = received(folder, f"{name}_d{part}")[str(number)]
    return of_unit


def _file_of(folder: Path, module: str, model: int) -> str:
    (layer,) = [each for each in site_data(folder)["models"][model]["layers"] if each["module"] == module]
    name: str = layer["file"]
    return name
