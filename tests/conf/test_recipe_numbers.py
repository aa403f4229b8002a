"""Every recipe holds its source's numbers, and nothing that the source does not have."""

from itertools import accumulate
from typing import Any

import pytest
from configs import chosen
from omegaconf import OmegaConf

from featviz.config.compose import group_options

RECIPES = sorted(set(group_options("recipe")) - {"plain"})


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
        "projections.gaussian_blur.first": 1,
        "projections.gaussian_blur.repeat_edge": True,
    },
    "yosinski2015_a": {
        **YOSINSKI,
        "schedule.steps": 500,
        "projections.gaussian_blur.sigma": 0.5,
        "projections.gaussian_blur.every": 4,
        "projections.gaussian_blur.first": 1,
        "projections.gaussian_blur.repeat_edge": True,
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
        "projections.gaussian_blur.first": 1,
        "projections.gaussian_blur.repeat_edge": True,
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
    "clear": {
        "image.decay": 1.5,
        "transforms.rotate.high": 15.0,
        "transforms.scale.low": 0.7,
        "transforms.scale.high": 1.3,
        "transforms.jitter.pixels": 8,
        "gradients.clipped.norm": 1.0,
        "optimizer._target_": "torch.optim.NAdam",
        "optimizer.lr": 0.05,
        "schedule.sides": [[4, 128], [8, 144], [16, 176], [32, 192]],
        "schedule.default_size": 224,
        "schedule.default_steps": 167,
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
    "vital2025": {
        "objective._target_": "featviz.objectives.Statistics",
        "objective.count": 50,
        "image._target_": "featviz.images.PixelImage",
        "image.init._target_": "featviz.images.init.ModelNormal",
        "image.init.std": 1.0,
        "image.space": "model",
        "transforms.roll.pixels": 30,
        "projections.clip._target_": "featviz.optim.Clip",
        "optimizer._target_": "torch.optim.Adam",
        "optimizer.lr": 1.0,
        "optimizer.betas": [0.5, 0.9],
        "optimizer.eps": 1e-8,
        "lr_schedule.share": 100 / 2000,
        "lr_schedule.end": 0.0,
        "schedule.default_size": 224,
        "schedule.steps": 2000,
    },
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
    "clear": {"transforms", "gradients", "lr_schedule"},
    "torch_dreams": {"transforms", "gradients"},
    "ghiasi_vit2022": {"transforms", "regularizers", "lr_schedule"},
    "tf_keras_vis": {"transforms", "regularizers"},
    "inversion": {"regularizers", "lr_schedule"},
    "vital2025": {"transforms", "projections", "lr_schedule"},
}


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
    assert (cfg.redirect_steps == 16) == (recipe in ("clear", "olah2017", "lucent", "captum", "caricature"))
    assert cfg.opacity == (recipe in ("maco2023", "horama"))
    assert cfg.filters == "0-7"
    assert cfg.layer == ("logits" if recipe == "simonyan2014" else "layer4")
