"""Every recipe holds its source's numbers, makes pictures, and leaves the last word to whoever types."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from configs import chosen
from fitting import MEAN, STD, Watch, backbone, fit
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from program import PLAIN, TINY, made, refused
from torch import Tensor, nn

from featviz.config.build import build
from featviz.config.compose import config_dir, grace_hopper, group_options
from featviz.images.fourier import FourierImage
from featviz.images.init import Normal
from featviz.images.pixel import PixelImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import Objective
from featviz.objectives.base import photo_key
from featviz.optim.callbacks.image_logger import ImageLogger
from featviz.optim.lr_schedules import cosine
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.folder import read_rows
from featviz.runs.build_method import build_method
from featviz.transforms import Copies, Noise, Roll, Transforms

RECIPES = sorted(set(group_options("recipe")) - {"plain"})
OF_PHOTOS = {"accentuation2024": "image.path", "caricature": "objective.photo", "inversion": "objective.photo"}
GROUPS = ("image", "transforms", "regularizers", "gradients", "projections", "schedule", "optimizer", "lr_schedule")

LUCID = {
    "image._target_": "featviz.images.FourierImage",
    "image.sd": 0.01,
    "image.decay": 1.0,
    "image.divisor": 4.0,
    "image.decorrelate": True,
    "transforms.pad.pixels": 12,
    "transforms.pad.fill": 0.5,
    "transforms.jitter.pixels": 8,
    "transforms.scale.factors": [0.9, 0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08, 1.1],
    "transforms.rotate.degrees": [*range(-10, 11), 0, 0, 0, 0, 0],
    "transforms.jitter_again.pixels": 4,
    "optimizer._target_": "torch.optim.Adam",
    "optimizer.lr": 0.05,
    "schedule.default_size": 128,
    "schedule.steps": 512,
    "redirect_steps": 16,
}
YOSINSKI = {
    "image.init._target_": "featviz.images.init.DataMean",
    "image.init.std": 10 / 255,
    "optimizer._target_": "torch.optim.SGD",
    "schedule.default_size": 227,
    "projections.clip._target_": "featviz.optim.Clip",
}
#: What the sources say; see also docs/recipes.md.
NUMBERS: dict[str, dict[str, Any]] = {
    "erhan2009": {
        "image.init.low": 0.0,
        "image.init.high": 1.0,
        "image.bound": "none",
        "projections.norm_ball.every": 1,
        "optimizer._target_": "torch.optim.SGD",
        "optimizer.momentum": 0.0,
    },
    "simonyan2014": {
        "objective._target_": "featviz.objectives.Logit",
        "layer": "logits",
        "image.init._target_": "featviz.images.init.DataMean",
        "image.init.std": 0.0,
        "image.space": "model",
        "schedule.default_size": 224,
        "optimizer._target_": "torch.optim.SGD",
    },
    "yosinski2015": {
        **YOSINSKI,
        "schedule.steps": 1000,
        "projections.decay.rate": 1e-4,
        "projections.gaussian_blur.sigma": 1.0,
        "projections.gaussian_blur.every": 4,
    },
    "yosinski2015_a": {
        **YOSINSKI,
        "schedule.steps": 500,
        "projections.gaussian_blur.sigma": 0.5,
        "projections.gaussian_blur.every": 4,
        "projections.small_norm.percentile": 50,
    },
    "yosinski2015_b": {
        **YOSINSKI,
        "schedule.steps": 750,
        "projections.decay.rate": 0.3,
        "projections.small_norm.percentile": 20,
    },
    "yosinski2015_d": {
        **YOSINSKI,
        "objective._target_": "featviz.objectives.Neuron",
        "schedule.steps": 1000,
        "projections.gaussian_blur.sigma": 0.5,
        "projections.gaussian_blur.every": 4,
        "projections.small_contribution.percentile": 90,
    },
    "deepdream": {
        "objective._target_": "featviz.objectives.WholeLayer",
        "transforms.roll.pixels": 32,
        "gradients.normalized._target_": "featviz.optim.NormalizeGradient",
        "projections.clip._target_": "featviz.optim.Clip",
        "optimizer._target_": "torch.optim.SGD",
        "optimizer.lr": 1.5 / 255,
        "schedule.number": 4,
        "schedule.factor": 1.4,
        "schedule.steps": 4 * 10,
    },
    "fg91_2019": {
        "image.init.low": 128 / 255,
        "image.init.high": 148 / 255,
        "image.space": "model",
        "optimizer._target_": "torch.optim.Adam",
        "optimizer.lr": 0.1,
        "optimizer.weight_decay": 1e-6,
        "schedule.default_stages": [
            [int(size), 20 if index <= 6 else int(20 * 1.3)]
            for index, size in enumerate(accumulate([56, *[1.2] * 11], lambda size, factor: int(size * factor)))
        ],
        "schedule.blur": 5,
        "schedule.optimizer": "reset",
    },
    "olah2017": LUCID,
    "lucent": {**LUCID, "transforms.resize.size": None},
    "captum": {
        "image._target_": "featviz.images.FourierImage",
        "image.sd": 1 / 50,
        "image.decay": 1.0,
        "transforms.pad.pixels": 2,
        "transforms.pad.fill": 0.5,
        "transforms.shift.pixels": 4,
        "transforms.shift.times": 10,
        "transforms.scale.factors": [0.995**n for n in range(-5, 80)] + 2 * [0.998**n for n in range(20, 40)],
        "transforms.rotate.degrees": [*range(-20, 20), *range(-10, 10), *range(-5, 5), 0, 0, 0, 0, 0],
        "transforms.shift_again.pixels": 2,
        "optimizer._target_": "torch.optim.Adam",
        "optimizer.lr": 0.025,
        "schedule.default_size": 224,
        "schedule.steps": 512,
    },
    "xplique": {
        "image.sd": 0.01,
        "image.decay": 0.85,
        "image.rescale": True,
        "transforms.pad.pixels": 4 * 512 // 16,
        "transforms.pad.fill": 0.0,
        **{f"transforms.jitter_{at}.pixels": units * 512 // 16 for at, units in enumerate((2, 2, 4, 4, 4, 1, 1), 1)},
        "transforms.scale.low": 0.92,
        "transforms.scale.high": 0.96,
        "transforms.blur.low": 1.0,
        "transforms.blur.high": 1.1,
        "transforms.blur.kernel": 10,
        "transforms.flip._target_": "featviz.transforms.Flip",
        "optimizer._target_": "torch.optim.Adam",
        "optimizer.lr": 0.05,
        "schedule.default_size": 512,
        "schedule.steps": 256,
    },
    "torch_dreams": {
        "image.sd": 0.01,
        "image.decay": 1.5,
        "transforms.scale.low": 0.5,
        "transforms.scale.high": 1.2,
        "transforms.rotate.low": -15.0,
        "transforms.rotate.high": 15.0,
        "gradients.clipped.norm": 1.0,
        "optimizer._target_": "torch.optim.AdamW",
        "optimizer.lr": 9e-3,
        "schedule.default_size": 256,
        "schedule.steps": 120,
    },
    "maco2023": {
        "image._target_": "featviz.images.MacoImage",
        "image.value_range": None,
        "transforms.crops.count": 32,
        "transforms.crops.center_std": 0.15,
        "transforms.crops.start": 0.5,
        "transforms.crops.end": 0.05,
        "transforms.crops.std": 0.05,
        "transforms.crops.smallest": 0.05,
        "transforms.crops.largest": 1.0,
        "transforms.noise.std": 0.08,
        "transforms.noise.uniform": 0.04,
        "optimizer._target_": "torch.optim.NAdam",
        "optimizer.lr": 1.0,
        "schedule.default_size": 512,
        "schedule.steps": 256,
        "opacity": True,
    },
    "horama": {
        "image._target_": "featviz.images.MacoImage",
        "image.value_range": [-2.5, 2.5],
        "transforms.crops.count": 6,
        "transforms.crops.low": 0.25,
        "transforms.crops.high": 0.30,
        "transforms.crops.size": 448,
        "transforms.resize.size": None,
        "transforms.resize.mode": "bicubic",
        "transforms.noise.std": 0.05,
        "transforms.noise.uniform": 0.025,
        "transforms.noise.span": 5.0,
        "optimizer._target_": "torch.optim.NAdam",
        "optimizer.lr": 1.0,
        "schedule.default_size": 1280,
        "schedule.steps": 1000,
        "opacity": True,
    },
    "accentuation2024": {
        "objective._target_": "featviz.objectives.Accentuation",
        "objective.keep_weight": None,
        "image._target_": "featviz.images.PhotoPhase",
        "transforms.crops.count": 16,
        "transforms.crops.low": 0.05,
        "transforms.crops.high": 0.99,
        "transforms.noise.std": 0.02,
        "optimizer._target_": "torch.optim.Adam",
        "optimizer.lr": 0.05,
        "schedule.default_size": 512,
        "schedule.steps": 99,
    },
    "ghiasi_vit2022": {
        "image.init.low": 0.0,
        "image.init.high": 1.0,
        "transforms.copies.count": 8,
        "transforms.color_shift.mean": 1.0,
        "transforms.color_shift.std": 1.0,
        "transforms.noise.std": 0.5,
        "transforms.noise.end": 0.0,
        "transforms.roll.pixels": 32,
        "regularizers.variation_norm.weight": 0.0005,
        "optimizer._target_": "torch.optim.Adam",
        "optimizer.lr": 0.1,
        "optimizer.betas": [0.5, 0.99],
        "lr_schedule._target_": "featviz.optim.lr_schedules.cosine",
        "schedule.steps": 401,
    },
    "tf_keras_vis": {
        "image.init.low": 0.0,
        "image.init.high": 255 / 255,
        "transforms.roll.pixels": 4,
        "transforms.rotate.low": -1.0,
        "transforms.rotate.high": 1.0,
        "regularizers.total_variation.weight": 1.0 * 255,
        "regularizers.l1.weight": 0.3 * 255,
        "regularizers.l1.p": 1,
        "regularizers.l1.center": 0.0,
        "optimizer._target_": "torch.optim.RMSprop",
        "optimizer.lr": 1.0 / 255,
        "optimizer.alpha": 0.999,
        "schedule.steps": 200,
    },
    "caricature": {**LUCID, "objective._target_": "featviz.objectives.Caricature", "objective.cosine_power": 0.0},
    "inversion": {
        "objective._target_": "featviz.objectives.Inversion",
        "image._target_": "featviz.images.PixelImage",
        "regularizers.lp.p": 6,
        "regularizers.total_variation_beta.beta": 2.0,
        "optimizer._target_": "torch.optim.SGD",
        "optimizer.momentum": 0.9,
    },
}
#: Groups in which a source does something; in the others a recipe has nothing.
USED = {
    "erhan2009": {"gradients", "projections"},
    "simonyan2014": {"gradients"},
    **{name: {"gradients", "projections"} for name in RECIPES if name.startswith("yosinski2015")},
    "deepdream": {"transforms", "gradients", "projections"},
    "fg91_2019": set(),
    **{name: {"transforms"} for name in ("olah2017", "lucent", "captum", "xplique", "caricature")},
    **{name: {"transforms"} for name in ("maco2023", "horama", "accentuation2024")},
    "torch_dreams": {"transforms", "gradients"},
    "ghiasi_vit2022": {"transforms", "regularizers", "lr_schedule"},
    "tf_keras_vis": {"transforms", "regularizers"},
    "inversion": {"regularizers", "lr_schedule"},
}


def of_photo(recipe: str) -> list[str]:
    """What a recipe of photos needs."""
    return [f"{OF_PHOTOS[recipe]}={grace_hopper()}"] if recipe in OF_PHOTOS else []


def test_all_are_told_of() -> None:
    assert set(NUMBERS) == set(USED) == set(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_configuration_holds_the_sources_numbers(recipe: str) -> None:
    cfg = chosen(f"recipe={recipe}")
    assert cfg.recipe.name == recipe
    for name, expected in NUMBERS[recipe].items():
        found = OmegaConf.select(cfg, name, throw_on_missing=True)
        if isinstance(expected, float) or (isinstance(expected, list) and isinstance(expected[0], float)):
            found, expected = pytest.approx(found, rel=1e-5), expected
        assert expected == found, name


@pytest.mark.parametrize("recipe", RECIPES)
def test_nothing_but_what_the_source_does(recipe: str) -> None:
    cfg = chosen(f"recipe={recipe}")
    optional = {"transforms", "regularizers", "gradients", "projections", "lr_schedule"}
    assert {group for group in optional if cfg[group]} == USED[recipe]
    assert (cfg.redirect_steps == 16) == (recipe in ("olah2017", "lucent", "captum", "caricature"))
    assert cfg.opacity == (recipe in ("maco2023", "horama"))
    assert cfg.filters == "0-7"
    assert cfg.layer == ("logits" if recipe == "simonyan2014" else "layer4")


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
    steps = 30 if cfg.recipe.name in ("xplique", "accentuation2024") else 10  # those that are slow to rise
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
    """Of the default model."""
    cfg = chosen(f"recipe={recipe}")
    what = ["filters=[1,281]"] if recipe == "simonyan2014" else ["layer=layer2", "filters=[0,1]"]
    small = [*PLAIN, "fold=false", "restarts=0", *few_steps(cfg)]
    folder = made(f"recipe={recipe}", *of_photo(recipe), *what, *small)
    rows = read_rows(folder)
    assert len(rows) == (1 if recipe in ("deepdream", "caricature", "inversion") else 2)
    for row in rows:
        assert (row["recipe"], row["status"]) == (recipe, "ok"), row["reason"]
        assert np.isfinite(row["activation"])
        with Image.open(folder / row["image"]) as image:
            assert np.asarray(image.convert("RGB")).std() > 2
            assert (image.mode == "RGBA") == cfg.opacity


# what is typed wins


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


@pytest.mark.end_to_end
def test_photos_are_asked_for() -> None:
    for recipe, setting in OF_PHOTOS.items():
        line = refused(*TINY, f"recipe={recipe}", "layer=second", "filters=[0]")
        assert line.startswith(f"{setting} is missing: give it on the command line, {setting}=")


# what recipes are made of


def slopes(network: Backbone, number: int, pictures: Tensor) -> np.ndarray:
    """The gradient (C, H, W) of a filter's mean by a picture in [0, 1]."""
    with torch.enable_grad():
        pixels = pictures.clone().requires_grad_()
        (slope,) = torch.autograd.grad(network(pixels)["4"][0, number].mean(), pixels)
    return slope[0].double().numpy()


def method_of(recipe: str, *overrides: str) -> Method:
    return build_method(chosen(f"recipe={recipe}", *overrides), 224)


def test_simonyans_steps_are_ascent_minus_decay_towards_the_datas_mean() -> None:
    network = backbone()
    method = method_of("simonyan2014", "objective=channel", "schedule.size=32", "schedule.steps=5")
    module = FilterVisualizer(network, method, "4", [3])
    fit(module, watch := Watch())
    mean, std = (np.array(each)[:, None, None] for each in (MEAN, STD))
    values = np.zeros((3, 32, 32))
    for picture in watch.pictures:
        slope = slopes(network, 3, torch.from_numpy(values * std + mean).float()[None]) * std
        values = values + 0.05 * (slope / np.abs(slope).mean() - 0.5 * values)
        np.testing.assert_allclose(picture[0], values * std + mean, atol=2e-4)


def test_erhans_steps_end_on_the_ball() -> None:
    network = backbone()
    method = method_of("erhan2009", "schedule.size=32", "schedule.steps=4")
    module = FilterVisualizer(network, method, "4", [3])
    start = module.image().detach().double().numpy()[0]
    assert start.min() >= 0
    assert start.max() <= 1
    fit(module, watch := Watch())
    mean, std = (np.array(each)[:, None, None] for each in (MEAN, STD))
    values = start
    for picture in watch.pictures:
        slope = slopes(network, 3, torch.from_numpy(values).float()[None])
        values = (values + 0.02 * slope / np.abs(slope).mean() - mean) / std
        values = values / np.linalg.norm(values) * values.size**0.5 * std + mean
        np.testing.assert_allclose(picture[0], values, atol=2e-4)


def test_deepdreams_steps() -> None:
    network = backbone()
    method = method_of("deepdream", "transforms=none", "schedule.number=1", "schedule.size=32", "schedule.steps=3")
    module = FilterVisualizer(network, method, "4", [0])
    values = module.image().detach()
    assert values.min() >= 100 / 255
    assert values.max() <= 101 / 255
    fit(module, watch := Watch())
    for picture in watch.pictures:
        pixels = values.clone().requires_grad_()
        (slope,) = torch.autograd.grad(network(pixels)["4"].square().sum() / 2, pixels)  # half the squared L2 norm
        values = (values + 1.5 / 255 * slope / slope.abs().mean()).clamp(0, 1)
        torch.testing.assert_close(picture, values, atol=1e-5, rtol=0)


def test_tf_keras_vis_weighs_its_regularizers_as_for_pictures_up_to_255() -> None:
    cfg = chosen("recipe=tf_keras_vis")
    picture = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    found = sum(build(node, "regularizers")(picture) for node in cfg.regularizers.values())
    large = picture.double().numpy() * 255
    varied = [np.abs(np.diff(large, axis=axis)).sum((1, 2, 3)) / large[0].size for axis in (2, 3)]
    np.testing.assert_allclose(found, 1.0 * sum(varied) + 0.3 * np.abs(large).mean((1, 2, 3)), rtol=1e-5)


# the objective's photos are changed as the pictures are


class Difference(Objective):
    """Minus the squared difference to the photo's feature maps; keeps what it is handed."""

    def __init__(self, layer: str, filters: Sequence[int]) -> None:
        self.photo = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
        self.handed: list[dict[str, Tensor]] = []

    @property
    def layers(self) -> tuple[str, ...]:
        return ("0",)

    def photos(self, size: int) -> dict[str, Tensor]:
        assert size == 24
        return {"photo": self.photo}

    def __call__(self, maps: Any) -> Tensor:
        self.handed.append(dict(maps))
        other = maps.get(photo_key("0", "photo"), torch.zeros(()))
        return -(maps["0"] - other).square().mean((1, 2, 3))


def module_with_photo(transforms: Transforms) -> FilterVisualizer:
    model = Model("same", nn.Sequential(nn.Identity()), (0.0,) * 3, (1.0,) * 3, 24, "random")
    image = lambda **settings: PixelImage(**settings, bound="clip", init=Normal(0.5, 0.2))  # noqa: E731
    method = Method(image, constant(24, 2), torch.optim.SGD, Difference, transforms)
    module = FilterVisualizer(Backbone(model, ["0"]), method, "0", [0, 1])
    with torch.no_grad():
        module.image.values.copy_(module.objective.photo.expand(2, -1, -1, -1))
    return module


def test_a_picture_that_is_the_photo_stays_so_under_every_transform() -> None:
    transforms = Transforms({"copies": Copies(3), "roll": Roll(5), "noise": Noise(0.1)})
    module = module_with_photo(transforms)
    loss = module.training_step(0, 0)
    assert loss.item() == 0
    handed = module.objective.handed
    assert len(handed) == 3  # once for each copy
    assert not torch.equal(handed[0]["0"], handed[1]["0"])
    for maps in handed:
        torch.testing.assert_close(maps["0"], maps[photo_key("0", "photo")])
    assert not torch.equal(handed[0]["0"][0], handed[0]["0"][1])  # each picture has draws of its own


def test_without_transforms_the_photo_is_not_shown_again() -> None:
    module = module_with_photo(Transforms())
    module.training_step(0, 0)
    assert list(module.objective.handed[0]) == ["0"]


# what is logged, what is refused


def test_the_learning_rate_that_is_logged_is_the_steps_own() -> None:
    method = Method(FourierImage, constant(16, 6), torch.optim.Adam, lr_schedule=cosine)
    module = FilterVisualizer(backbone(), method, "4", [0])
    log, watch = ImageLogger(1), Watch()
    logged: list[float] = []

    class Board:
        def log_metrics(self, numbers: dict[str, float], step: int) -> None:
            logged.append(numbers["lr"])

    class Logged(ImageLogger):
        def on_train_batch_end(self, trainer: Any, *rest: Any) -> None:
            trainer.loggers = [Board()]
            super().on_train_batch_end(trainer, *rest)
            trainer.loggers = []

    log = Logged(1)
    fit(module, log, watch)
    assert logged == watch.rates
    assert logged == pytest.approx([1e-3 * (1 + np.cos(np.pi * step / 6)) / 2 for step in range(6)])


@pytest.mark.end_to_end
def test_blurred_gradients_of_coefficients_are_refused_before_any_work() -> None:
    line = refused(*TINY, "gradients=blur", "layer=second")
    assert line == "gradients.blur changes pixels, but the image is FourierImage: choose image=pixel, or gradients=none"
    assert not list(Path().glob("outputs/*/*/config.yaml"))
