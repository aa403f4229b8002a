"""Weights put into networks that are not quite those they came from."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from checkpoints import loads, misfit, network, other, prefixed
from refusals import assert_refused, refusal_of
from torch import Tensor, nn

from featviz.models.sources.checkpoint import load_into


@pytest.fixture
def state() -> dict[str, Tensor]:
    with torch.random.fork_rng():
        return network().state_dict()


def test_what_does_not_fit_is_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save({**state, "2.weight": torch.zeros(1)}, tmp_path / "more.pt")
    assert str(misfit(tmp_path / "more.pt")).endswith("more.pt does not fit Sequential: unexpected 2.weight")
    torch.save({**state, "0.scale": torch.zeros(1)}, tmp_path / "inner.pt")
    assert str(misfit(tmp_path / "inner.pt")).endswith("inner.pt does not fit Sequential: unexpected 0.scale")
    torch.save({"0.weight": state["0.weight"]}, tmp_path / "less.pt")
    assert str(misfit(tmp_path / "less.pt")).endswith("missing 0.bias, 1.weight, 1.bias and 2 more")
    torch.save(network(wide=5).state_dict(), tmp_path / "wide.pt")
    wide = str(misfit(tmp_path / "wide.pt"))
    assert "0.weight expected [3, 1, 3, 3], found [5, 1, 3, 3], 0.bias " in wide
    assert wide.endswith(" and 3 more")
    torch.save({"a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "other.pt")
    assert str(misfit(tmp_path / "other.pt")).endswith(" and 3 more; unexpected a, b")


class Classifier(nn.Module):
    def __init__(self, n_classes: int, width: int = 4, bias: bool = True) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, width, 3), nn.BatchNorm2d(width)
        self.heads = nn.ModuleList(nn.Linear(width, n_classes, bias) for _ in range(2))


@pytest.mark.parametrize(
    ("ours", "theirs", "hint"),
    [
        (Classifier(10), Classifier(6), "these weights have 6 outputs: model.kwargs.n_classes=6"),
        (Classifier(10), Classifier(6, bias=False), ""),
        (Classifier(10), Classifier(10, width=5), ""),
        (Classifier(10), Classifier(6, width=5), ""),
        (nn.Sequential(nn.Linear(3, 4)), nn.Sequential(nn.Linear(3, 5)), "tell its class so, model.kwargs.NAME=5"),
        (torchvision.models.squeezenet1_1(), torchvision.models.squeezenet1_1(num_classes=7), "kwargs.num_classes=7"),
        (timm.create_model("test_resnet"), timm.create_model("test_resnet", num_classes=7), "kwargs.num_classes=7"),
    ],
)
def test_other_numbers_of_classes_say_how_to_build_the_network(
    tmp_path: Path, ours: nn.Module, theirs: nn.Module, hint: str
) -> None:
    torch.save(theirs.state_dict(), tmp_path / "w.pt")
    error = refusal_of(lambda: load_into(ours, tmp_path / "w.pt"))
    assert (error.setting, error.got) == ("model.weights", str(tmp_path / "w.pt"))
    assert error.hint.endswith(hint) if hint else not error.hint


BESIDE: dict[str, Callable[[dict[str, Tensor]], dict[str, object]]] = {
    "a criterion's weight": lambda s: {"criterion.pos_weight": torch.ones(3), **prefixed("model.", s)},
    "a criterion's weight, last": lambda s: {"state_dict": {**prefixed("net.", s), "loss.weight": torch.ones(3)}},
    "torch's own average": lambda s: {"n_averaged": torch.tensor(3), **prefixed("module.", s)},
    "an average beside": lambda s: {**prefixed("model.", s), **prefixed("ema_model.module.", other(s))},
    "an average before": lambda s: {**prefixed("ema.", other(s)), **prefixed("model.", s)},
    "an average under its own key": lambda s: {"state_dict_ema": other(s), "state_dict": s, "epoch": 3},
    "an average of the same numbers": lambda s: {"teacher": dict(s), "student": dict(s)},
    "an odd key": lambda s: {"epoch": 3, "weights": s},
    "one network only": lambda s: {"student": prefixed("module.", s), "head": {"weight": torch.ones(3)}},
    "a compiled part": lambda s: prefixed("model._orig_mod.", s),
    "compiled inside": lambda s: {name.replace("0.", "0._orig_mod."): value for name, value in s.items()},
    "parts in DataParallel": lambda s: {name.replace(".", ".module."): value for name, value in s.items()},
    "extra state": lambda s: {"state_dict": {**s, "1._extra_state": b"x", "_extra_state": {"scale": 1.0}}},
    "a head": lambda s: {**s, "head.weight": torch.ones(9, 3), "head.bias": torch.ones(9)},
    "a profiler's counters": lambda s: {**s, "total_ops": torch.zeros(1), "0.total_params": torch.zeros(1)},
    "no counters of batches": lambda s: {name: value for name, value in s.items() if "num_batches" not in name},
    "half": lambda s: {name: value.half() for name, value in s.items()},
    "bfloat16": lambda s: {name: value.bfloat16() for name, value in s.items()},
    "double": lambda s: {name: value.double() for name, value in s.items()},
}


@pytest.mark.parametrize("case", BESIDE)
def test_a_network_takes_what_it_needs(tmp_path: Path, case: str) -> None:
    state = {name: torch.zeros_like(tensor) for name, tensor in network().state_dict().items()}
    torch.save(BESIDE[case](state), tmp_path / "weights.pt")
    loads(tmp_path / "weights.pt", state)


def test_what_is_left_aside_is_told(tmp_path: Path, state: dict[str, Tensor], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    torch.save({"n_averaged": torch.tensor(3), **prefixed("module.", state)}, tmp_path / "swa.pth")
    loads(tmp_path / "swa.pth", state)
    assert "swa.pth: left aside, the network has no place for it: n_averaged" in caplog.text
    caplog.clear()
    torch.save({**prefixed("model.", state), **prefixed("ema.", other(state))}, tmp_path / "ema.ckpt")
    loads(tmp_path / "ema.ckpt", state)
    assert "taken from model; model.weights_key=ema takes others that fit as well" in caplog.text
    caplog.clear()
    torch.save(state, tmp_path / "plain.pt")
    loads(tmp_path / "plain.pt", state)
    assert caplog.text == ""


def test_the_weights_of_a_longer_network_are_refused(tmp_path: Path) -> None:
    """All names of resnet18 are in resnet34, with the same shapes."""
    torch.save(torchvision.models.resnet34().state_dict(), tmp_path / "resnet34.pt")
    file = tmp_path / "resnet34.pt"
    assert_refused(lambda: load_into(torchvision.models.resnet18(), file), "model.weights", str(file), "")
    headless = torchvision.models.resnet34()
    headless.fc = nn.Identity()
    load_into(headless, tmp_path / "resnet34.pt")


def test_quantized_and_meta_files(tmp_path: Path, state: dict[str, Tensor]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.quantize_per_tensor(state["0.weight"], 0.1, 0, torch.qint8)
    torch.save({**state, "0.weight": quantized}, tmp_path / "q.pt")
    assert misfit(tmp_path / "q.pt").hint == "give the weights from before it was quantized"
    torch.save({name: tensor.to("meta") for name, tensor in state.items()}, tmp_path / "meta.pt")
    assert misfit(tmp_path / "meta.pt").hint == ""
