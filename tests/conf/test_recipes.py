"""Every recipe holds its source's numbers, makes pictures, and leaves the last word to whoever types."""

from pathlib import Path

import numpy as np
import pytest
from configs import chosen
from omegaconf import DictConfig
from PIL import Image
from program import PLAIN, TINY, made, refused

import featviz
from featviz.config.compose import config_dir, grace_hopper, group_options
from featviz.results.folder import read_rows

RECIPES = sorted(set(group_options("recipe")) - {"plain"})
OF_PHOTOS = {
    "accentuation2024": "image.path",
    "accentuation_axis2026": "image.path",
    "horama_accentuation": "image.path",
    "caricature": "objective.photo",
    "inversion": "objective.photo",
    "vital2025": "objective.photos_from",
}
SLOW = ("xplique", "accentuation2024", "horama_accentuation", "accentuation_axis2026")  # to rise
#: Of recipes that make several pictures of a filter: two, at levels that need no photos.
TWO = {
    "vei2026": ["variants=2"],
    "accentuation_axis2026": ["variants=2", "objective.levels=[8,16]", "image.divisor=400", "transforms.crops.size=64"],
}
#: The others are of a small network of random weights, made sooner; by some of these few steps raise no filter of it.
OF_THE_DEFAULT_MODEL = ("clear", "deepdream", "simonyan2014", "tf_keras_vis")
SMALL_MODEL = ("model=own", "model.target=tiny_networks.Stages", "model.weights=random")
WEIGHTS = {"ghiasi_vit2022": 0, "vital2025": 0}  # the seed of weights whose filters rise; 3 for the others
GROUPS = ("image", "transforms", "regularizers", "gradients", "projections", "schedule", "optimizer", "lr_schedule")


def of_photo(recipe: str) -> list[str]:
    """What a recipe of photos needs."""
    return [f"{OF_PHOTOS[recipe]}={grace_hopper()}"] if recipe in OF_PHOTOS else []


@pytest.mark.parametrize("recipe", [name for name in RECIPES if not name.startswith("yosinski2015_")])
def test_nothing_is_inherited_by_accident(recipe: str) -> None:
    """Whatever was chosen before, a recipe's file decides: it starts from ``plain``, which says all groups."""
    text, plain = ((config_dir() / "recipe" / f"{name}.yaml").read_text() for name in (recipe, "plain"))
    assert "defaults:\n  - plain\n" in text
    assert all(f"  - override /{group}: " in plain for group in GROUPS)
    assert "redirect_steps: " in plain


def test_sources_are_named() -> None:
    for recipe in RECIPES:
        lines = (config_dir() / "recipe" / f"{recipe}.yaml").read_text().splitlines()
        assert lines[0] == "# @package _global_"
        assert lines[1].startswith("# ")
        assert max(map(len, lines)) <= 120
        assert any(sign in lines[1] for sign in ("arXiv", "report", "/")), recipe


def few_steps(cfg: DictConfig) -> list[str]:
    steps = (
        30 if cfg.recipe.name in ("xplique", "accentuation2024", "horama_accentuation", "accentuation_axis2026") else 10
    )  # those that are slow to rise
    octaves = ["schedule.number=2"] if "number" in cfg.schedule else []
    start = ["schedule.size=64"] if "size" in cfg.schedule else []
    crops = ["transforms.crops.count=4", "transforms.crops.size=48"] if "crops" in cfg.transforms else []
    resize = ["transforms.resize.size=48"] if "resize" in cfg.transforms else []
    if "stages" in cfg.schedule:
        return ["schedule.stages=[[64,10],[76,10]]"]
    return [*octaves, *start, *crops, *resize, f"schedule.steps={steps * (1 + len(octaves))}"]


@pytest.mark.end_to_end
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_few_steps_make_pictures(recipe: str) -> None:
    """Of the default model, or of a small one."""
    cfg = chosen(f"recipe={recipe}")
    what = ["filters=[1,281]"] if recipe == "simonyan2014" else ["layer=layer2", "filters=[0,1]"]
    if recipe not in OF_THE_DEFAULT_MODEL:
        what += [*SMALL_MODEL, "model.size=64", f"model.seed={WEIGHTS.get(recipe, 3)}"]
    small = [*PLAIN, "fold=false", "restarts=0", *few_steps(cfg), *TWO.get(recipe, [])]
    folder = made(f"recipe={recipe}", *of_photo(recipe), *what, *small)
    rows = read_rows(folder)
    assert len(rows) == (1 if recipe in ("deepdream", "caricature", "inversion") else 4 if recipe in TWO else 2)
    for row in rows:
        assert (row["recipe"], row["status"]) == (recipe, "ok"), row["reason"]
        assert np.isfinite(row["activation"])
        with Image.open(folder / row["image"]) as image:
            assert np.asarray(image.convert("RGB")).std() > 2
            assert (image.mode == "RGBA") == cfg.opacity


@pytest.mark.end_to_end
def test_clear_makes_smaller_pictures_of_early_layers() -> None:
    small = [*SMALL_MODEL, "model.size=224", *PLAIN, "budget=0.1", "restarts=0"]
    result = featviz.visualize(layer=["layer1", "layer3"], filters=[0], recipe="clear", output="sizes", overrides=small)
    rows = read_rows(Path("sizes"))
    assert [(row["size"], row["steps"]) for row in rows] == [(144, 5), (176, 3)]
    for row in rows:
        with Image.open(Path("sizes", row["image"])) as image:
            assert image.size == (row["size"], row["size"])
    assert result.images.shape == (2, 3, 176, 176)  # the smaller one enlarged


def test_what_is_typed_wins_over_a_recipe() -> None:
    typed = ["objective=neuron", "image=pixel", "optimizer=adamw", "optimizer.lr=0.3", "gradients=none", "layer=layer2"]
    for order in (["recipe=simonyan2014", *typed], [*typed, "recipe=simonyan2014"]):
        cfg = chosen(*order)
        assert (cfg.objective.name, cfg.layer) == ("neuron", "layer2")
        assert (cfg.optimizer._target_, cfg.optimizer.lr) == ("torch.optim.AdamW", 0.3)
        assert cfg.image.bound == "sigmoid"
        assert not cfg.gradients


@pytest.mark.parametrize("recipe", ["deepdream", "simonyan2014", "caricature", "inversion", "accentuation2024"])
def test_a_recipes_objective_can_be_another(recipe: str) -> None:
    cfg = chosen(f"recipe={recipe}", "objective=channel")
    assert cfg.objective._target_ == "featviz.objectives.Channel"
    assert cfg.layer == "layer4"


def test_an_experiment_wins_over_a_recipe() -> None:
    for recipe in ("simonyan2014", "deepdream"):
        cfg = chosen("+experiment=compare_recipes", f"recipe={recipe}")
        assert (cfg.objective.name, cfg.layer) == ("channel", "layer3")


def test_what_a_task_draws_wins_over_a_recipe() -> None:
    for order in (["recipe=clear", "task=atlas"], ["task=atlas", "recipe=clear"]):
        assert chosen(*order, "data=photos").objective.name == "direction"


@pytest.mark.end_to_end
def test_photos_are_asked_for() -> None:
    for recipe, setting in OF_PHOTOS.items():
        line = refused(*TINY, f"recipe={recipe}", "layer=second", "filters=[0]", *TWO.get(recipe, []))
        assert line.startswith(f"{setting} is missing: give it on the command line, {setting}=")


@pytest.mark.end_to_end
def test_blurred_gradients_of_coefficients_are_refused_before_any_work() -> None:
    line = refused(*TINY, "gradients=blur", "layer=second")
    assert line == "gradients.blur changes pixels, but the image is FourierImage: choose image=pixel, or gradients=none"
    assert not list(Path().glob("outputs/*/*/config.yaml"))
