"""A made-up site: what the pages of a few runs of a small network would hold, with colored textures for pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from featviz.pages.encoding import data_script
from featviz.pages.template import render_index

CELL, COLUMNS = 96, 16
POOL = 12  # different pictures; units share them
PER_DETAILS = 64
TITLE = 'A sweep of <i>two</i> recipes & "quotes"'
RECIPES = ("olah2017", "clear", "maco2023")
CLASSES = ["goldfish", "tabby cat", "red fox", "lighthouse", "teapot", '<b>bold</b> "quoted" & 🐟 שלום']
METRICS = [
    ("activation", "Activation", "high", "How strongly the unit answers to the finished picture."),
    ("gain", "Gain", "high", "How much more it answers to the picture than to the start."),
    ("robustness", "Robustness", "high", "The share of the activation that small changes of the picture leave."),
    ("selectivity", "Selectivity", "high", "How far the unit answers above the other units of its layer."),
    ("high_frequency", "High frequencies", None, "The share of fine detail: 0.8 is white noise."),
]


def is_dead(unit: int) -> bool:
    return unit % 20 == 13


def is_weak(unit: int) -> bool:
    return unit % 11 == 4


class MadeUpSite:
    """Layers of a network with pictures by several runs, and everything else that pages can show.

    Args:
        folder: where index.html is written.
        units: of each layer that has pictures.
        layers: how many layers have pictures.
        runs: how many runs have made pictures of all of them.
        checksums: of the networks, which all have the same name.
    """

    def __init__(
        self, folder: Path, units: int = 40, layers: int = 3, runs: int = 2, checksums: tuple[str, ...] = ("30e91a81",)
    ) -> None:
        self.folder, self.units, self.runs, self.checksums = folder, units, runs, checksums
        self.names = [f"layer{at + 1}" for at in range(layers)]
        self.rng = np.random.default_rng(0)
        sheet = {"file": "report/sprites/all.webp", "cell": CELL, "columns": COLUMNS, "rows": -(-units // COLUMNS)}
        self.sprites = [sheet]

    def write(self) -> Path:
        """Write the site; returns its index.html."""
        for part in ("report/data", "report/sprites", "images", "photos", "maps"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self._write_pictures()
        for number in range(len(self.checksums)):
            for at in range(len(self.names)):
                self._write_layer(f"m{number}_l{at}", at)
        self._script("atlas", self._atlas())
        index = self.folder / "index.html"
        index.write_bytes(render_index(self._site()))
        return index

    def _write_pictures(self) -> None:
        pictures = [texture(self.rng, 192, 2 + at % 5) for at in range(POOL)]
        for at, picture in enumerate(pictures):
            picture.save(self.folder / f"images/{at:04d}.png", compress_level=1)
            texture(self.rng, 120, 1).resize((240, 180)).save(self.folder / f"photos/{at:04d}.jpg")
            spot(self.rng).save(self.folder / f"maps/{at:04d}.png")
        sheet = Image.new("RGB", (COLUMNS * CELL, self.sprites[0]["rows"] * CELL))
        small = [picture.resize((CELL, CELL)) for picture in pictures]
        for unit in range(self.units):
            sheet.paste(small[unit % POOL], (unit % COLUMNS * CELL, unit // COLUMNS * CELL))
        sheet.save(self.folder / "report/sprites/all.webp", quality=80, method=0)

    def _site(self) -> dict[str, Any]:
        columns = ("key", "label", "better", "meaning")
        metrics = [{**dict(zip(columns, metric, strict=True)), "digits": 3} for metric in METRICS]
        return {
            "format": 1,
            "title": TITLE,
            "version": "0.2.0",
            "models": [self._model(f"m{number}", checksum) for number, checksum in enumerate(self.checksums)],
            "runs": [self._run(at) for at in range(self.runs)],
            "metrics": metrics,
            "atlases": [{"model": "m0", "layer": f"l{len(self.names) - 1}", "file": "atlas"}],
            "notes": [],
        }

    def _model(self, id_: str, checksum: str) -> dict[str, Any]:
        layers = self._layers(id_)
        names = {"id": id_, "name": "made_up", "weights": "pretrained", "checksum": checksum}
        return {**names, "words": "model=made_up", "layers": layers}

    def _run(self, at: int) -> dict[str, Any]:
        recipe = RECIPES[at % 3]
        return {
            "id": f"r{at}",
            "model": "m0",
            "label": f"{at}_recipe={recipe}",
            "task": "visualize",
            "recipe": recipe,
            "seed": 0,
            "folder": ".",
            "command": f"python -m featviz layer=layer1,layer2 recipe={recipe} 'filters=[0,1]'",
            "settings": [["recipe", recipe], ["schedule.steps", "512"]],
            "problems": ["images/layer3/0007.png is missing"] if at == 0 else [],
        }

    def _layers(self, model: str) -> list[dict[str, Any]]:
        layers = []
        for at, name in enumerate(self.names):
            layers.append(self._layer(f"e{at}", f"blocks.{at}.0", [], 0, None, 2 ** (at + 1)))
            layers.append(self._layer(f"l{at}", f"blocks.{at}.1", [name], self.units, f"{model}_l{at}", 2 ** (at + 2)))
        return layers

    def _layer(
        self, id_: str, module: str, names: list[str], pictures: int, file: str | None, stride: int
    ) -> dict[str, Any]:
        return {
            "id": id_,
            "module": module,
            "name": names[0] if names else module,
            "names": names,
            "type": "Sequential",
            "shape": [self.units, 224 // stride, 224 // stride],
            "stride": stride,
            "units": self.units,
            "with_pictures": pictures,
            "with_exemplars": pictures,
            "dead": sum(map(is_dead, range(pictures))),
            "file": file,
        }

    def _write_layer(self, file: str, at: int) -> None:
        units = list(range(self.units))
        last = at == len(self.names) - 1
        data = {
            "units": units,
            "classes": [CLASSES[unit % len(CLASSES)] for unit in units] if last else None,
            "speaks_for": [CLASSES[unit % 5] for unit in units],
            "sprites": self.sprites,
            "pictures": self._pictures(units),
            "per_details": PER_DETAILS,
        }
        self._script(file, data)
        for part in range(-(-self.units // PER_DETAILS)):
            some = units[part * PER_DETAILS : (part + 1) * PER_DETAILS]
            self._script(f"{file}_d{part}", {str(unit): self._details(at, unit) for unit in some})

    def _pictures(self, units: list[int]) -> dict[str, Any]:
        """All units by each run, and negative ones of the first three."""
        rows = [(unit, run) for unit in units for run in range(self.runs)] + [(unit, 0) for unit in units[:3]]
        return {
            "unit": [unit for unit, _ in rows],
            "run": [run for _, run in rows],
            "variant": [0] * len(rows),
            "negative": [0] * (len(rows) - 3) + [1] * 3,
            "status": ["dead" if is_dead(unit) else "nan" if unit % 40 == 17 else "ok" for unit, _ in rows],
            "weak": [int(is_weak(unit)) for unit, _ in rows],
            "reason": ["the picture of 7 excites it 1.2 times as much" if is_weak(unit) else "" for unit, _ in rows],
            "sprite": [0] * len(rows),
            "cell": [(unit + 5 * run) % self.units for unit, run in rows],
            "image": [f"images/{(unit + 5 * run) % POOL:04d}.png" for unit, run in rows],
            "metrics": self._metrics([unit for unit, _ in rows]),
        }

    def _metrics(self, units: list[int]) -> dict[str, list[float | None]]:
        columns = {key: self.rng.gamma(2, 1.5, len(units)).round(4).tolist() for key, *_ in METRICS[:2]}
        columns |= {key: self.rng.beta(6, 3, len(units)).round(4).tolist() for key, *_ in METRICS[2:]}
        return {
            key: [None if is_dead(unit) else value for unit, value in zip(units, column, strict=True)]
            for key, column in columns.items()
        }

    def _details(self, at: int, unit: int) -> dict[str, Any]:
        if is_dead(unit):
            return {}
        others = [[int(number), round(0.95 - 0.05 * rank, 3)] for rank, number in enumerate(self._some(8))]
        pairs = {"exciting": others[:5], "inhibiting": [[other, -value] for other, value in others[3:8]]}
        counts = np.histogram(self.rng.normal(0, 2.5, 1000), 40, (-8, 8))[0].tolist()
        shape = {"low": -8, "high": 8, "mean": 0.04, "std": 2.8}
        return {
            "frames": {str(unit * self.runs): self._frames()},
            "exemplars": [self._exemplar(unit, rank) for rank in range(1, 10)],
            "weakest": [
                {"rank": rank, **photo(unit * 7 + rank), "mean": -rank / 3, "max": 0.1} for rank in range(1, 7)
            ],
            "tenths": [{"tenth": 1 + at // 3, "value": at - 10, **photo(unit + at)} for at in range(30)],
            "histogram": {"figure": "mean", "counts": counts, "photos": 1000, **shape},
            "speaks_for": [{"class": at, "name": name, "value": 0.3 / (1 + at)} for at, name in enumerate(CLASSES[:5])],
            "nearest": {"activations": others, "weights": [*others[::-1], [self.units + 3, 0.125]]},
            "inputs": {
                "source": f"l{at - 1}" if at else None,
                "module": f"blocks.{at}.0",
                "gradient": pairs,
                "weights": pairs,
            },
        }

    def _frames(self) -> dict[str, Any]:
        return {
            "steps": [0, 128, 256, 384],
            "files": [f"images/{at:04d}.png" for at in range(4)],
            "word": "step",
            "total": 512,
        }

    def _exemplar(self, unit: int, rank: int) -> dict[str, Any]:
        number = (unit + rank) % POOL
        files = {"patch": f"images/{number:04d}.png", "map": f"maps/{number:04d}.png", "sprite": -1, "cell": 0}
        place = {"box": [60, 20, 160, 120], "size": [240, 180], "spot": [120, 45], "patch_spot": [0.6, 0.25]}
        return {"rank": rank, "run": 0, **photo(number), **files, **place, "mean": 4 / rank, "max": 9 / rank}

    def _atlas(self) -> dict[str, Any]:
        return {
            "points": 20000,
            "method": "PCA",
            "run": -1,
            "cell": CELL,
            "sprites": self.sprites,
            "photos": [[photo(number)["image"], photo(number)["photo"]] for number in range(POOL)],
            "levels": [self._atlas_level(grid) for grid in (6, 12, 24)],
        }

    def _atlas_level(self, grid: int) -> dict[str, Any]:
        middle = (grid - 1) / 2
        places = [(x, y) for y in range(grid) for x in range(grid) if np.hypot(x - middle, y - middle) < 0.52 * grid]
        cells = {
            "x": [x for x, _ in places],
            "y": [y for _, y in places],
            "count": self.rng.integers(5, 90, len(places)).tolist(),
            "sprite": [0] * len(places),
            "cell": self._some(len(places)),
            "units": [[[unit, 3.2] for unit in self._some(5)] for _ in places],
            "classes": [[[at, CLASSES[at], 7.5 - at] for at in range(3)] for _ in places],
            "photos": [self.rng.integers(0, POOL, 6).tolist() for _ in places],
        }
        return {"grid": grid, "cells": cells}

    def _some(self, many: int) -> list[int]:
        return [int(unit) for unit in self.rng.integers(0, self.units, many)]

    def _script(self, name: str, data: Any) -> None:
        (self.folder / f"report/data/{name}.js").write_bytes(data_script(name, json.dumps(data)))


def photo(number: int) -> dict[str, str]:
    return {"photo": f"animals/photo {number}.jpg", "image": f"photos/{number % POOL:04d}.jpg"}


def texture(rng: np.random.Generator, side: int, period: float) -> Image.Image:
    """Smooth colored noise of about so many periods a side."""
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)) * side
    band = np.exp(-((np.log(np.maximum(radius, 0.5)) - np.log(period * 2)) ** 2) * 3)
    gray, warm, green = (_filtered(rng, band) for _ in range(3))
    colors = [gray + 0.6 * warm, gray - 0.2 * warm + 0.3 * green, gray - 0.5 * warm - 0.4 * green]
    return Image.fromarray(np.uint8(255 / (1 + np.exp(-np.stack(colors, -1)))))


def _filtered(rng: np.random.Generator, band: NDArray[np.float64]) -> NDArray[np.float64]:
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=band.shape)) * band).real
    return np.asarray(noise / noise.std())


def spot(rng: np.random.Generator) -> Image.Image:
    """A feature map of 14 px that is large in one place."""
    row, column = rng.uniform(3, 11, 2)
    rows, columns = np.mgrid[:14, :14]
    return Image.fromarray(np.uint8(255 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)))
