"""The transforms of the published methods: the numbers of their sources, and what comes out."""

import math

import pytest
import torch
from configs import chosen
from fitting import backbone, fit
from refusals import refusal_of

from featviz.config.build import build
from featviz.config.compose import config_dir
from featviz.errors import FeatvizError
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.build_method import build_method
from featviz.transforms import (
    Blur,
    ColorShift,
    Copies,
    Flip,
    Jitter,
    Noise,
    NormalCrops,
    Pad,
    Resize,
    Roll,
    Rotate,
    RotateBetween,
    Scale,
    ScaleBetween,
    Shift,
    TimeShift,
    Transform,
    Transforms,
    UniformCrops,
)

UNIT = 512 // 16  # xplique's, of 512 px
OLAH = [
    Pad(12, 0.5, below=128),
    Jitter(8, below=128),
    Scale([0.9, 0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08, 1.1]),
    Rotate([*range(-10, 11), 0, 0, 0, 0, 0]),
    Jitter(4, below=128),
]
#: Steps in the order of the source, and the side of what a network of 224 px sees for pictures of 128 px.
METHODS: dict[str, tuple[list[Transform], int]] = {
    "olah2017": (OLAH, 140),
    "lucent": ([*OLAH, Resize()], 224),
    "captum": (
        [
            Pad(2, 0.5, below=224),
            Shift(4, times=10, below=224),
            Scale([0.995**n for n in range(-5, 80)] + 2 * [0.998**n for n in range(20, 40)]),
            Rotate([*range(-20, 20), *range(-10, 10), *range(-5, 5), 0, 0, 0, 0, 0]),
            Shift(2, below=224),
        ],
        130,
    ),
    "xplique": (
        [
            Pad(4 * UNIT, 0.0, at=512),
            *[Jitter(units * UNIT, at=512) for units in (2, 2, 4, 4, 4)],
            ScaleBetween(0.92, 0.96),
            Blur(1.0, 1.1, kernel=10),
            *[Jitter(UNIT, at=512)] * 2,
            Flip(0.5),
            Resize(),
        ],
        224,
    ),
    "torch_dreams": ([RotateBetween(-15, 15), ScaleBetween(0.5, 1.2, same=False)], 128),
    "clear": ([RotateBetween(-15, 15), ScaleBetween(0.7, 1.3, same=False), Jitter(8, below=128)], 120),
    "vital2025": ([Roll(30)], 128),
    "maco2023": (
        [
            NormalCrops(32, None, 0.15, start=0.5, end=0.05, std=0.05, smallest=0.05, largest=1.0),
            Noise(0.08, 0.04, span=2.0),
        ],
        224,
    ),
    "horama": (
        [UniformCrops(6, 448, 0.15, low=0.25, high=0.30), Resize(None, "bicubic"), Noise(0.05, 0.025, span=5.0)],
        224,
    ),
    "accentuation2024": ([UniformCrops(16, None, None, low=0.05, high=0.99), Noise(0.02, 0.01)], 224),
    "accentuation_axis2026": ([UniformCrops(8, None, None, low=0.90, high=0.95), Noise(0.1)], 224),
    "horama_accentuation": (
        [UniformCrops(6, 448, 0.15, low=0.20, high=0.25), Resize(None, "bicubic"), Noise(0.05, 0.0, span=5.0)],
        224,
    ),
    "ghiasi_vit2022": ([Copies(8), ColorShift(1, 1), Noise(0.5, end=0.0, per_channel=True), Roll(32)], 128),
    "tf_keras_vis": ([Roll(4), RotateBetween(-1, 1)], 128),
    "deepdream": ([Roll(32)], 128),
}
SINGLE = {
    "crops": METHODS["maco2023"][0][0],
    "noise": METHODS["maco2023"][0][1],
    "color_shift": ColorShift(1, 1),
    "copies": Copies(8),
    "flip": Flip(0.5),
    "blur": Blur(1.0, 1.1, kernel=10),
    "roll": Roll(32),
    "resize": Resize(),
    "time_shift": TimeShift(2),
}


def built(name: str) -> list[Transform]:
    group = chosen(f"transforms={'paper/' * (name in METHODS)}{name}").transforms
    return [build(node, f"transforms.{key}") for key, node in group.items()]


def settings(step: Transform) -> dict[str, object]:
    """Its settings, lists as lists, numbers as they are in files: with six places."""
    return {
        name: [round(number, 6) for number in value] if name in ("factors", "degrees") else value
        for name, value in vars(step).items()
    }


@pytest.mark.parametrize("name", METHODS)
def test_the_numbers_are_those_of_the_source(name: str) -> None:
    expected, side = METHODS[name]
    steps = built(name)
    assert [type(step) for step in steps] == [type(step) for step in expected]
    assert [settings(step) for step in steps] == [settings(step) for step in expected]
    assert Transforms(dict(enumerate(steps))).for_network(224).size(128) == side


@pytest.mark.parametrize("name", SINGLE)
def test_single_transforms_have_the_numbers_of_the_method_that_they_come_from(name: str) -> None:
    assert built(name) == [SINGLE[name]]


def test_every_file_is_tested_and_says_where_it_comes_from() -> None:
    for group in ("transforms", "gradients", "projections", "regularizers", "lr_schedule", "optimizer"):
        assert all(file.read_text().startswith("# ") for file in (config_dir() / group).rglob("*.yaml"))
    files = {file.stem for file in (config_dir() / "transforms").rglob("*.yaml")}
    assert files == {"none", *METHODS, *SINGLE}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("size", [64, 100])
def test_pictures_come_out_at_the_size_told_and_do_not_meet(name: str, size: int) -> None:
    transforms = Transforms(dict(enumerate(built(name)))).for_network(224)
    x = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    draws = torch.rand(3, transforms.draws, generator=torch.Generator().manual_seed(1))
    seen = transforms(x, draws, 0.5)
    assert seen.shape == (3 * transforms.copies, 3, transforms.size(size), transforms.size(size))
    seen[1::3].square().sum().backward()
    assert x.grad.flatten(1).any(1).tolist() == [False, True, False]
    alone = transforms(x[1:2], draws[1:2], 0.5)
    torch.testing.assert_close(alone, seen[1::3], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("size", "pad", "jitter"), [(28, 3, 2), (32, 3, 2), (64, 6, 4), (128, 12, 8), (224, 12, 8)])
def test_borders_and_shifts_are_shares_of_small_pictures(size: int, pad: int, jitter: int) -> None:
    steps = Transforms(dict(enumerate(built("olah2017")))).for_pictures(size)
    assert [step.pixels for step in steps if isinstance(step, Pad | Jitter)] == [pad, jitter, round(jitter / 2)]


@pytest.mark.parametrize("name", ["lucent", "xplique", "maco2023", "horama", "accentuation2024"])
def test_small_networks_see_their_own_size(name: str) -> None:
    transforms = Transforms(dict(enumerate(built(name))))
    assert [transforms.for_network(own).size(128) for own in (28, 64, 240)] == [28, 64, 240]
    assert refusal_of(lambda: transforms.size(128)).expected == "px, or for_network to be called before"


def test_xpliques_units_follow_the_size() -> None:
    steps = built("xplique")[:-1]
    for size in (512, 256, 128, 64):
        assert Transforms(dict(enumerate(steps))).size(size) == size * 6 // 16


def test_macos_noise_is_as_strong_as_in_a_picture_from_minus_one_to_one() -> None:
    noise = built("maco2023")[1](torch.zeros(2, 3, 64, 64), torch.rand(2, 2))
    assert noise.std().item() == pytest.approx(math.sqrt(0.08**2 + 0.04**2 / 3) / 2, rel=0.02)


@pytest.mark.parametrize("name", ["paper/ghiasi_vit2022", "paper/xplique", "paper/torch_dreams", "noise", "crops"])
def test_steps_are_made_with_them(name: str) -> None:
    few = ("transforms.crops.count=2", "transforms.crops.size=48") if name == "crops" else ()
    cfg = chosen(f"transforms={name}", *few, "schedule.size=40", "schedule.steps=2")
    visualizer = FilterVisualizer(backbone(), build_method(cfg, 224), "4", [0, 1])
    before = visualizer.pictures()
    fit(visualizer)
    assert (visualizer.pictures() - before).flatten(1).any(1).all()


@pytest.mark.parametrize(
    ("option", "typed", "setting", "expected"),
    [
        ("crops", "transforms.crops.count=0", "transforms.crops.count", "1 or more"),
        ("crops", "transforms.crops.count=many", "transforms.crops.count", "a whole number"),
        ("noise", "transforms.noise.end=-1", "transforms.noise.end", "zero or more"),
        ("blur", "transforms.blur.high=0.5", "transforms.blur.low", ""),
    ],
)
def test_what_cannot_be_built(option: str, typed: str, setting: str, expected: str) -> None:
    with pytest.raises(FeatvizError) as error:
        build_method(chosen(f"transforms={option}", typed), 224)
    assert (error.value.setting, error.value.expected) == (setting, expected)
