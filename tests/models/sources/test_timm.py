"""Networks of timm: weights, preprocessing and channels."""

from pathlib import Path

import pytest
import torch
from networks import state_equal
from refusals import assert_refused, refusal_of
from safetensors.torch import save_file

from featviz.models.sources import timm
from featviz.models.tracing import trace


def test_timm_gives_preprocessing_and_stages() -> None:
    model = timm.load("test_efficientnet", weights="random")
    assert (model.mean[0], model.std[0], model.size) == (0.485, 0.229, 160)
    assert trace(model).stages == {f"layer{n}": f"blocks.{n}" for n in (1, 2, 3, 4)}
    given = timm.load("test_vit", weights="random", stages={"layer1": "blocks.0"}, kwargs={"img_size": 64})
    assert (given.stages, given.size) == ({"layer1": "blocks.0"}, 64)


@pytest.mark.parametrize("channels", [1, 4])
def test_timm_networks_of_other_channels_get_an_averaged_mean(channels: int) -> None:
    model = timm.load("test_efficientnet", weights="random", kwargs={"in_chans": channels})
    assert model.in_channels == channels
    assert model.mean == pytest.approx([(0.485 + 0.456 + 0.406) / 3] * channels)
    assert model.network(torch.zeros(1, channels, 64, 64)).shape == (1, 1000)


def test_timm_random_weights_and_checkpoints(tmp_path: Path) -> None:
    model = timm.load("test_resnet", weights="random", seed=1)
    assert state_equal(model.network, timm.load("test_resnet", weights="random", seed=1).network)
    save_file(model.network.state_dict(), tmp_path / "mine.safetensors")
    again = timm.load("test_resnet", weights=str(tmp_path / "mine.safetensors"))
    assert state_equal(model.network, again.network)


@pytest.mark.parametrize(
    ("name", "more", "setting", "got", "right"),
    [
        ("test_resnt", {}, "model.name", "test_resnt", "test_resnet"),
        ("test_resnet.r161", {}, "model.name", "r161", "r160_in1k"),
        ("test_resnet", {"weights": "random", "kwargs": {"color": 1}}, "model.kwargs", {"color": 1}, ""),
        ("botnet50ts_256", {}, "model.weights", "pretrained", ""),
    ],
)
def test_what_timm_cannot_build(name: str, more: dict[str, object], setting: str, got: object, right: str) -> None:
    assert_refused(lambda: timm.load(name, **more), setting, got, right)


def test_timm_without_a_network_says_so_at_once_and_uses_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    error = refusal_of(lambda: timm.load("test_resnet"))
    assert (error.setting, error.hint) == ("model.name", "put weights in by hand with model.weights=PATH")
    repository, commit = tmp_path / "models--timm--test_resnet.r160_in1k", "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    model = timm.load("test_resnet", weights="random", seed=5)
    save_file(model.network.state_dict(), repository / "snapshots" / commit / "model.safetensors")
    assert state_equal(timm.load("test_resnet").network, model.network)
    assert not constants.HF_HUB_OFFLINE
