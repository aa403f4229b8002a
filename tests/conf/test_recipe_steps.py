"""Steps of single recipes, against their sources' arithmetic in NumPy."""

import numpy as np
import torch
from configs import chosen
from fitting import MEAN, STD, Watch, backbone, fit
from torch import Tensor

from featviz.config.build import build
from featviz.models.backbone import Backbone
from featviz.optim.method import Method
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.build_method import build_method


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
    values = module.image().detach().clone()
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
