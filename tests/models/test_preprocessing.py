"""Mean, std and size are those that the network was trained with, read off itself."""

import pytest
import timm
import torchvision
from torch import nn

from featviz.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from featviz.models.sources import own
from featviz.models.sources import torchvision as of_torchvision

PLAIN, HALF, IMAGENET = ((0.0,) * 3, (1.0,) * 3), ((0.5,) * 3, (0.5,) * 3), (IMAGENET_MEAN, IMAGENET_STD)
models = torchvision.models


def detector() -> nn.Module:
    return models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None)


CASES = {
    "detector": (detector, PLAIN, 224),
    "segmentation": (
        lambda: models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None), IMAGENET, 224
    ),
    "googlenet, off": (lambda: models.googlenet(weights=None, aux_logits=False, init_weights=False), HALF, 224),
    "googlenet, on": (
        lambda: models.googlenet(weights=None, aux_logits=False, init_weights=False, transform_input=True),
        IMAGENET,
        224,
    ),
    "inception, off": (lambda: models.inception_v3(weights=None, aux_logits=False, init_weights=False), HALF, 299),
    "classifier": (lambda: models.squeezenet1_1(weights=None), IMAGENET, 224),
    "transformer of another size": (lambda: models.vit_b_32(weights=None, image_size=96), IMAGENET, 96),
    "timm, of another size": (lambda: timm.create_model("vit_tiny_patch16_224", img_size=96), HALF, 96),
    "one's own": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3)), PLAIN, 224),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_preprocessing(case: str) -> None:
    build, (mean, std), size = CASES[case]
    model = own.from_module(build())
    assert (model.mean, model.std, model.size) == (mean, std, size)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_by_name_and_from_python_alike(name: str) -> None:
    by_name = of_torchvision.load(name, weights="random")
    model = own.from_module(by_name.network)
    assert (model.mean, model.std, model.size) == (by_name.mean, by_name.std, by_name.size)


def test_what_is_said_counts() -> None:
    model = own.from_module(detector(), mean=0.5, std=(0.1, 0.2, 0.3), size=64)
    assert (model.mean, model.std, model.size) == ((0.5,) * 3, (0.1, 0.2, 0.3), 64)
