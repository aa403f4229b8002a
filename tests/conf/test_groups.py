"""What the options of the groups mean: every one composes and can be built, and what is typed wins over the recipe."""

from functools import cache

import pytest
import torch
from configs import GROUPS, chosen, shorten
from fitting import backbone, fit
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from refusals import refusal_of

from featviz.config.build import build
from featviz.config.compose import config_dir
from featviz.images.base import Image as Parametrization
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.build_method import build_method

METHOD = ("image", "transforms", "regularizers", "gradients", "projections", "schedule", "optimizer", "lr_schedule")


def test_a_recipe_presets_the_groups() -> None:
    cfg = chosen("recipe=fg91_2019")
    assert cfg.recipe.name == "fg91_2019"
    assert (cfg.image.bound, cfg.image.space, cfg.transforms) == ("none", "model", {})
    assert (len(cfg.schedule.default_stages), cfg.schedule.default_stages[0], cfg.schedule.blur) == (12, [56, 20], 5)
    assert (cfg.optimizer.lr, cfg.optimizer.weight_decay) == (0.1, 1e-6)
    assert chosen() == chosen("recipe=clear")


@pytest.mark.parametrize("recipe_first", [True, False])
def test_settings_on_the_command_line_win_over_the_recipes_wherever_they_stand(recipe_first: bool) -> None:
    typed = ["optimizer.lr=0.3", "schedule.blur=3", "redirect_steps=3", "image.space=picture"]
    cfg = chosen(*(["recipe=fg91_2019", *typed] if recipe_first else [*typed, "recipe=fg91_2019"]))
    assert (cfg.optimizer.lr, cfg.schedule.blur, cfg.redirect_steps, cfg.image.space) == (0.3, 3, 3, "picture")
    assert (cfg.schedule.default_stages[0], cfg.image.bound) == ([56, 20], "none")  # the others are still the recipe's


@pytest.mark.parametrize("recipe", GROUPS["recipe"])
def test_groups_on_the_command_line_win_over_the_recipes(recipe: str) -> None:
    """A setting of the recipe's for its own choice would be one too many for an option that lacks it."""
    changed = [group for group in METHOD if group in OmegaConf.load(config_dir() / "recipe" / f"{recipe}.yaml")]
    for at in range(max((len(telling(group)) for group in changed), default=1)):
        mixture = {group: telling(group)[at % len(telling(group))] for group in METHOD}
        cfg = chosen(f"recipe={recipe}", *(f"{group}={option}" for group, option in mixture.items()))
        for group, option in mixture.items():
            assert set(cfg[group]) == plain()[group, option], option


@cache
def telling(group: str) -> list[str]:
    """A few options of a group: whatever setting any option lacks, one of these lacks."""
    options, found = list(GROUPS[group]), list[str]()
    while not found or common(group, found) != common(group, options):
        found.append(min(options, key=lambda option: len(common(group, [*found, option]))))
    return found


def common(group: str, options: list[str]) -> set[str]:
    """The settings that all these options have."""
    return set.intersection(*(plain()[group, option] for option in options))


@cache
def plain() -> dict[tuple[str, str], set[str]]:
    """The settings of each option where no recipe changes it."""
    found = {}
    for at in range(max(len(GROUPS[group]) for group in METHOD)):
        mixture = {group: GROUPS[group][at % len(GROUPS[group])] for group in METHOD}
        cfg = chosen("recipe=plain", *(f"{group}={option}" for group, option in mixture.items()))
        found |= {(group, option): set(cfg[group]) for group, option in mixture.items()}
    return found


def test_the_start_of_a_recipes_pixels_can_be_another() -> None:
    for recipe in ("deepdream", "yosinski2015", "fg91_2019"):
        cfg = chosen(f"recipe={recipe}", "image/init=normal")
        assert cfg.image.init == {"_target_": "featviz.images.init.Normal", "mean": 0.5, "std": 0.01}
        assert cfg.image.bound == "none"
    assert chosen("image=pixel", "image/init=data_mean").image.init._target_ == "featviz.images.init.DataMean"


@pytest.mark.parametrize("at", range(max(len(options) for options in GROUPS.values())))
def test_every_option_composes_and_its_targets_exist(at: int) -> None:
    """In so many mixtures every option of every group comes at least once."""
    mixture = {group: options[at % len(options)] for group, options in GROUPS.items()}
    cfg = chosen(*(f"{group}={option}" for group, option in mixture.items()))
    assert cfg.recipe.name == mixture["recipe"]
    targets = targets_of(OmegaConf.to_container(cfg))
    for group, option in mixture.items():
        file = OmegaConf.load(config_dir() / group / f"{option}.yaml")
        assert set(targets_of(OmegaConf.to_container(file))) <= set(targets), (group, option)
    for target in set(targets):
        assert callable(get_object(target)), target


def targets_of(node: object) -> list[str]:
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own = [node["_target_"]] if isinstance(node, dict) and "_target_" in node else []
    return own + [target for child in below for target in targets_of(child)]


ROWS = max(len(GROUPS[group]) for group in METHOD if group != "transforms")


@pytest.mark.parametrize("at", range(ROWS))
def test_options_go_together(at: int) -> None:
    """In ``ROWS`` mixtures every option comes at least once; what needs pixels is refused where there are none."""
    mixture = {group: GROUPS[group][at % len(GROUPS[group])] for group in METHOD if group != "transforms"}
    Image.new("RGB", (60, 50), (200, 90, 30)).save("photo.png")
    if mixture["regularizers"] == "photo_distance":
        mixture["regularizers.photo_distance.path"] = "photo.png"
    if mixture["image"].startswith("photo") or "accentuation" in mixture["image"]:
        mixture["image.path"] = "photo.png"
    if mixture["regularizers"] == "mean_alpha":
        mixture["image"] = "alpha"
    opacity = f"opacity={mixture['image'] != 'alpha'}"  # which that image learns
    cfg = chosen(opacity, *(f"{name}={value}" for name, value in mixture.items()))
    shorten(cfg, 40)
    if not of_pixels(cfg) and wants_pixels(cfg):
        method = build_method(cfg, 224)
        error = refusal_of(lambda: FilterVisualizer(backbone(moments=True), method, "4", [0, 1]))
        assert error.hint.startswith("choose image=pixel")
        cfg.projections, cfg.gradients = {}, {}
        if "blur" in cfg.schedule:
            cfg.schedule.blur = None
    module = FilterVisualizer(backbone(moments=True), build_method(cfg, 224), "4", [0, 1])
    fit(module)
    size = module.method.schedule.stages[-1].size
    assert module.pictures().shape == (2, 3, size, size)
    assert module.pictures().isfinite().all()
    assert module.opacity().shape == (2, 1, size, size)


def of_pixels(cfg: DictConfig) -> bool:
    image = build(cfg.image, "image")(size=16, generators=[torch.Generator()], mean=[0.5] * 3, std=[0.2] * 3)
    return type(image).project is not Parametrization.project


def wants_pixels(cfg: DictConfig) -> bool:
    gradients = [build(node, "gradients") for node in cfg.gradients.values()]
    return bool(cfg.projections or cfg.schedule.get("blur") or any(getattr(g, "of_pixels", False) for g in gradients))
