"""To add a piece of any kind: one class or function, one YAML, and no other line, outside the package and inside it."""

import csv
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pictures import pixels
from processes import forked, imported_from
from program import PLAIN, ROOT, SHORT, TINY, made, run

from featviz.results.folder import read_rows

QUICK = ("--config-dir", "mine", *SHORT, "restarts=0", *PLAIN)
COMMON = ("image=pixel", "transforms=none", "optimizer.lr=0.5")
WATCHED = tuple(typed for typed in QUICK if typed not in ("logger=none", "callbacks=none"))

OBJECTIVE = """
from featviz.objectives import Channel

def half(layer, filters):
    return 0.5 * Channel(layer, filters)
"""
IMAGE = """
import torch
from featviz.images import Image

class Waves(Image):
    def __init__(self, size, generators, mean, std):
        super().__init__(size, len(mean))
        start = [torch.randn(len(mean), size, size, generator=generator) for generator in generators]
        self.values = torch.nn.Parameter(torch.stack(start))

    def forward(self):
        return 0.7 + 0.1 * self.values.sin()

    def resampled(self, values, size):
        return torch.nn.functional.interpolate(values, (size, size))
"""
TRANSFORM = """
from featviz.transforms import Transform

class Invert(Transform):
    def __call__(self, pictures, draws, progress=0.0):
        return 1 - pictures
"""
REGULARIZER = """
class Red:
    def __init__(self, weight):
        self.weight = weight

    def __call__(self, pictures):
        return self.weight * pictures[:, 0].mean((1, 2))
"""
GRADIENT = """
def only_red(gradient):
    gradient = gradient.clone()
    gradient[:, 1:] = 0
    return gradient
"""
PROJECTION = """
from featviz.optim import Projection

class Dark(Projection):
    every = 1

    def __call__(self, pictures, gradient=None):
        return pictures.clamp(max=0.25)
"""
INIT = """
import torch

def gray(shape, generator, mean):
    return torch.full(shape, 0.5)
"""
OPTIMIZER = """
import torch

class Signs(torch.optim.SGD):
    def step(self, closure=None):
        loss = closure()
        for parameter in self.param_groups[0]["params"]:
            parameter.data -= self.param_groups[0]["lr"] * parameter.grad.sign()
        return loss
"""
LR_SCHEDULE = """
from torch.optim.lr_scheduler import LambdaLR

def halved(optimizer, total_steps):
    return LambdaLR(optimizer, lambda step: 0.5)
"""
SCHEDULE = """
from featviz.optim.schedules import Schedule, Stage

def doubled(size, steps):
    return Schedule((Stage(size, steps), Stage(2 * size, steps)))
"""
MODEL = """
import torch
from featviz.models.model import Model

def load(seed):
    torch.manual_seed(seed)
    return Model("mine", torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), (0.0,), (1.0,), 24, "random")
"""
METRIC = """
from featviz.metrics import PictureMetrics

class Redness(PictureMetrics):
    def of(self, backbone, objective, pictures):
        rows = super().of(backbone, objective, pictures)
        return [{**row, "redness": picture[0].mean().item()} for row, picture in zip(rows, pictures)]
"""
LOGGER = """
from lightning.pytorch.loggers import CSVLogger
from featviz.results.loggers import log_picture

class Notes(CSVLogger):
    pass

@log_picture.register
def _(logger: Notes, tag, picture, step=None):
    with open("notes.txt", "a") as file:
        print(tag, picture.size, file=file)
"""
CALLBACK = """
from featviz.optim.callbacks import PictureCallback

class Sizes(PictureCallback):
    def on_step_end(self, trainer, visualizer, step):
        with open("sizes.txt", "a") as file:
            print(step, visualizer.image.size, file=file)
"""
TASK = """
from featviz.config.build import build_model

def run(cfg):
    print("the size is", build_model(cfg).size)
"""


@pytest.fixture(autouse=True)
def _import_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As ``python -m`` does."""
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("pieces", None)


def add(code: str, option: str, text: str) -> None:
    """The two files that a piece takes: ``pieces.py``, and ``mine/<option>.yaml``."""
    Path("pieces.py").write_text(code)
    file = Path("mine", f"{option}.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(text)


def activations(*arguments: str, output: str) -> list[float]:
    return [row["activation"] for row in read_rows(made(*arguments, output=output))]


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The activations of a run without any piece of one's own."""
    return activations(*QUICK[2:], *COMMON, output=str(tmp_path_factory.mktemp("unchanged")))


def test_an_objective() -> None:
    add(OBJECTIVE, "objective/half", "name: half\n_target_: pieces.half\n_partial_: true\n")
    folder = made(*QUICK, "objective=half")
    assert {row["objective"] for row in read_rows(folder)} == {"half"}


def test_an_image() -> None:
    add(IMAGE, "image/waves", "_target_: pieces.Waves\n_partial_: true\n")
    folder = made(*QUICK, "image=waves", "redirect_steps=0")
    for row in read_rows(folder):
        picture = pixels(folder / row["image"])
        assert 0.59 < picture.min() < picture.max() < 0.81


@pytest.mark.parametrize(
    ("code", "option", "text"),
    [
        (TRANSFORM, "transforms/invert", "invert:\n  _target_: pieces.Invert\n"),
        (REGULARIZER, "regularizers/red", "red:\n  _target_: pieces.Red\n  weight: 9.0\n"),
        (GRADIENT, "gradients/only_red", "only_red:\n  _target_: pieces.only_red\n  _partial_: true\n"),
        (PROJECTION, "projections/dark", "dark:\n  _target_: pieces.Dark\n"),
        (INIT, "image/init/gray", "_target_: pieces.gray\n_partial_: true\n"),
        (OPTIMIZER, "optimizer/signs", "_target_: pieces.Signs\n_partial_: true\nlr: 0.5\n"),
        (LR_SCHEDULE, "lr_schedule/halved", "_target_: pieces.halved\n_partial_: true\n"),
    ],
    ids=["transform", "regularizer", "gradient change", "projection", "start", "optimizer", "lr schedule"],
)
def test_what_changes_each_step(code: str, option: str, text: str, unchanged: list[float]) -> None:
    add(code, option, text)
    changed = activations(*QUICK, *COMMON, "=".join(option.rsplit("/", 1)), output="outputs")
    assert len(changed) == len(unchanged)
    assert changed != unchanged


def test_a_schedule() -> None:
    add(SCHEDULE, "schedule/doubled", "_target_: pieces.doubled\nsize: 48\nsteps: 1\n")
    quick = [setting for setting in QUICK if not setting.startswith("schedule")]
    rows = read_rows(made(*quick, "schedule=doubled"))
    assert {(row["size"], row["steps"]) for row in rows} == {(96, 2)}


def test_a_model() -> None:
    add(MODEL, "model/mine", "_target_: pieces.load\nseed: ${seed}\n")
    quick = [setting for setting in QUICK if setting not in TINY]
    rows = read_rows(made(*quick, "model=mine", "layer='0'"))
    assert [(row["model"], row["filter"]) for row in rows] == [("mine", 0), ("mine", 1)]


def test_a_metric() -> None:
    add(METRIC, "evidence/redness", "_target_: pieces.Redness\n")
    folder = made(*QUICK, "evidence=redness")
    for row in read_rows(folder):
        red = pixels(folder / row["image"])[..., 0].mean().item()
        assert row["redness"] == pytest.approx(red, abs=0.01)  # type: ignore[typeddict-item]
        assert row["robustness"]


def test_a_logger() -> None:
    add(LOGGER, "logger/notes", 'notes:\n  _target_: pieces.Notes\n  name: ""\n  version: notes\n')
    folder = made(*WATCHED, "logger=notes", "callbacks.log.numbers_every=1")
    with (folder / "notes/metrics.csv").open(newline="") as file:
        assert list(csv.DictReader(file))
    assert "(40, 40)" in Path("notes.txt").read_text()


def test_a_callback() -> None:
    add(CALLBACK, "callbacks/sizes", "sizes:\n  _target_: pieces.Sizes\n")
    made(*QUICK, "callbacks=sizes")
    assert Path("sizes.txt").read_text() == "1 40\n2 40\n3 40\n"


def test_a_task() -> None:
    add(TASK, "task/size", "name: size\n_target_: pieces.run\n")
    outcome = run("--config-dir", "mine", *TINY, "task=size")
    assert (outcome.status, outcome.out) == (0, "the size is 48\n"), outcome


def test_a_recipe() -> None:
    file = Path("mine/recipe/soft.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(
        "# @package _global_\ndefaults:\n  - plain\n  - override /image: pixel\n  - _self_\n"
        "recipe: {name: soft}\noptimizer: {lr: 0.003}\n"
    )
    assert {row["recipe"] for row in read_rows(made(*QUICK, "recipe=soft"))} == {"soft"}


def test_an_experiment() -> None:
    file = Path("mine/experiment/seeds.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(
        "# @package _global_\nname: seeds\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      seed: 3,4\n"
    )
    folder = made(*QUICK, "experiment=seeds")
    assert folder.parent.name == "seeds"
    assert {row["seed"] for job in folder.glob("*/results.csv") for row in read_rows(job)} == {3, 4}


INSIDE = {
    "objectives": (OBJECTIVE, "objective/half", "name: half\n_target_: {module}.half\n_partial_: true\n"),
    "images": (IMAGE, "image/waves", "_target_: {module}.Waves\n_partial_: true\n"),
    "transforms": (TRANSFORM, "transforms/invert", "invert:\n  _target_: {module}.Invert\n"),
    "optim": (REGULARIZER, "regularizers/red", "red:\n  _target_: {module}.Red\n  weight: 9.0\n"),
    "metrics": (METRIC, "evidence/redness", "_target_: {module}.Redness\n"),
    "results/loggers": (LOGGER, "logger/notes", 'notes:\n  _target_: {module}.Notes\n  name: ""\n  version: notes\n'),
    "optim/callbacks": (CALLBACK, "callbacks/sizes", "sizes:\n  _target_: {module}.Sizes\n"),
}


@pytest.mark.process
def test_inside_the_package() -> None:
    """In a copy of it: a file in the folder of its kind, and a YAML in ``conf``."""
    shutil.copytree(ROOT / "conf", "conf")
    shutil.copytree(ROOT / "src", "src")
    for folder, (code, option, text) in INSIDE.items():
        Path("src/featviz", folder, "added.py").write_text(code)
        Path("conf", f"{option}.yaml").write_text(text.format(module=f"featviz.{folder.replace('/', '.')}.added"))
    chosen = [option.replace("/", "=") for _, option, _ in INSIDE.values()]
    chosen[-1] = "callbacks=[default,sizes]"
    done = forked(*SHORT, "restarts=0", *chosen, first=imported_from(Path("src").resolve()))
    assert done.status == 0, done.err
    (table,) = Path("outputs").glob("*/*/results.csv")
    assert {(row["objective"], "redness" in row) for row in read_rows(table)} == {("half", True)}
    assert Path("sizes.txt").read_text() == "1 40\n2 40\n3 40\n"
    assert "(40, 40)" in Path("notes.txt").read_text()
