"""Comparing recipes: the same work for each, and the experiment's table."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from configs import chosen
from omegaconf import OmegaConf
from PIL import Image
from program import PLAIN, TINY, made, refused, run
from torch import Tensor

from featviz.config.compose import config_dir
from featviz.metrics.spectrum import share_of_high_frequencies
from featviz.optim.schedules import Schedule, Stage
from featviz.results.folder import read_rows
from featviz.runs.build_method import build_method
from featviz.transforms import Copies, Pad, Transforms

RECIPES = ("fg91_2019", "maco2023", "yosinski2015_b")


def seen(method_transforms: Transforms, size: int) -> int:
    """What a network is shown of one picture, counted."""
    shown: Tensor = method_transforms(torch.zeros(1, 3, size, size), torch.zeros(1, method_transforms.draws))
    return shown.shape[0] * shown.shape[2] * shown.shape[3]


def test_pixels_are_those_that_the_network_is_shown() -> None:
    padded = Transforms({"pad": Pad(pixels=4), "copies": Copies(count=3)})
    assert padded.pixels(20) == 3 * 28 * 28 == seen(padded, 20)
    for recipe in ("olah2017", "xplique", "horama", "ghiasi_vit2022", "tf_keras_vis", "captum"):
        transforms = build_method(chosen(f"recipe={recipe}"), 224).transforms
        assert transforms.pixels(64) == seen(transforms, 64), recipe


def test_steps_are_scaled_and_sizes_stay() -> None:
    schedule = Schedule((Stage(10, 30), Stage(20, 10)), blur=5, optimizer="reset")  # 7000 px
    assert schedule.within(7000, lambda size: size * size) == schedule
    assert schedule.within(14000, lambda size: size * size).stages == ((10, 60), (20, 20))
    assert schedule.within(1400, lambda size: size * size).stages == ((10, 6), (20, 2))
    assert schedule.within(1, lambda size: size * size).stages == ((10, 1), (20, 1))
    assert schedule.within(1400, lambda size: size * size).blur == 5


@pytest.mark.parametrize("recipe", ["olah2017", "fg91_2019", "deepdream", "horama", "ghiasi_vit2022", "yosinski2015_d"])
def test_every_recipe_comes_to_the_same_work(recipe: str) -> None:
    method = build_method(chosen(f"recipe={recipe}", "budget=40"), 224)
    work = sum(stage.steps * seen(method.transforms, stage.size) for stage in method.schedule.stages)
    largest = max(seen(method.transforms, stage.size) for stage in method.schedule.stages)
    assert work == pytest.approx(40e6, abs=largest * len(method.schedule.stages) / 2)
    own = build_method(chosen(f"recipe={recipe}"), 224).schedule
    assert [stage.size for stage in method.schedule.stages] == [stage.size for stage in own.stages]


def test_a_run_takes_the_steps_of_its_budget() -> None:
    small = ["layer=second", "filters=[0]", "schedule.size=40", *PLAIN, "transforms=none"]
    (row,) = read_rows(made(*TINY, *small, "budget=0.016"))
    assert row["steps"] == 10


@pytest.mark.parametrize(
    ("budget", "words"), [("0", "budget is 0; expected a number of million pixels"), ("much", "budget is 'much'")]
)
def test_a_budget_that_is_none_is_refused(budget: str, words: str) -> None:
    assert words in refused(*TINY, f"budget={budget}", "layer=second", "logger=none")


def test_the_experiment_makes_the_same_filters_by_every_recipe() -> None:
    small = [*TINY, "layer=second", "filters=[0,3]", "budget=0.2", "logger=none", "callbacks=none", "restarts=0"]
    outcome = run("+experiment=compare_recipes", *small, f"recipe={','.join(RECIPES)}", "transforms=none")
    assert outcome.status == 0, outcome
    (folder,) = Path("outputs/compare_recipes").iterdir()
    with (folder / "summary.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["recipe"], row["filter"]) for row in table] == [(r, f) for r in RECIPES for f in ("0", "3")]
    assert {row["objective"] for row in table} == {"channel"}
    for row in table:
        assert float(row["seconds"]) > 0
        assert np.isfinite(float(row["activation"]))
        with Image.open(folder / row["image"]) as image:
            expected = share_of_high_frequencies(np.asarray(image.convert("RGB")) / 255)
        assert float(row["high_frequency"]) == pytest.approx(expected, abs=1e-4)
    assert (folder / "summary.png").is_file()


def test_the_experiment_compares_all_recipes_of_filters() -> None:
    experiment = OmegaConf.load(config_dir() / "experiment/compare_recipes.yaml")
    swept = {name.strip() for name in experiment.hydra.sweeper.params.recipe.split(",")}
    of_photos = {
        "accentuation2024",
        "accentuation_axis2026",
        "horama_accentuation",
        "caricature",
        "inversion",
        "vital2025",
    }
    of_neurons = {"mei_static", "mei_moving", "vei2026"}
    left_out = {"plain", "yosinski2015_d", *of_photos, *of_neurons}
    assert swept == {file.stem for file in (config_dir() / "recipe").glob("*.yaml")} - left_out
