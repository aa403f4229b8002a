"""Networks that cannot be looked into, and networks in other precisions."""

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from refusals import assert_refused, refusal_of
from torch import nn

import featviz


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3))


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        traced: nn.Module = torch.jit.trace(net().eval(), torch.rand(1, 3, 32, 32))
    return traced


class QuantizedWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.register_buffer("packed", torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8))


REFUSED: dict[str, Callable[[], nn.Module]] = {
    "give the network that it was made of, with the weights of its state_dict()": scripted,
    "run the network once on a picture": lambda: nn.Sequential(nn.LazyConv2d(8, 3), nn.ReLU()),
    "give the network from before it was quantized": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), QuantizedWeight()),
}


@pytest.mark.parametrize("hint", REFUSED)
@pytest.mark.parametrize(
    "take", [featviz.layers, lambda network: featviz.Model("n", network, (0.0,), (1.0,), 32, "given")]
)
def test_one_line_for_networks_that_cannot_be_used(hint: str, take: Callable[[nn.Module], object]) -> None:
    error = refusal_of(lambda: take(REFUSED[hint]()))
    assert (error.setting, error.hint) == ("model", hint)


def test_a_network_without_numbers_can_be_listed_only() -> None:
    model = featviz.Model("n", net().to("meta"), (0.0,), (1.0,), 32, "given")
    assert featviz.layers(model)
    assert_refused(lambda: featviz.visualize(model, layer="0", filters=[0]), "model", "Sequential", "")


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
def test_networks_in_other_precisions_run_in_float32(precision: torch.dtype, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    network = net().eval().to(precision)
    pictures = torch.rand(2, 3, 32, 32)
    model = featviz.Model("n", network, (0.0,), (1.0,), 32, "given")
    maps = featviz.activations(model, pictures, "3")["3"]
    expected = copy.deepcopy(network).float()(pictures)
    torch.testing.assert_close(maps, expected)
    assert {parameter.dtype for parameter in network.parameters()} == {precision}
    assert f"Sequential has weights in {str(precision).removeprefix('torch.')}: it is run in float32" in caplog.text
