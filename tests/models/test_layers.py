from itertools import pairwise

import pytest
import torch
import torchvision
from refusals import assert_refused, refusal_of
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.tracing import trace


def model(network: nn.Module, size: int = 64, stages: dict[str, str] | None = None) -> Model:
    return Model("tiny", network, (0.0,), (1.0,), size, "random", stages or {})


def test_the_default_layer_of_a_network_without_stages_is_the_last_one_with_positions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Conv2d(4, 6, 3, 2), nn.Flatten(), nn.LazyLinear(7))
    with torch.no_grad():
        network(torch.zeros(1, 1, 28, 28))
    traced = trace(model(network, 28))
    with caplog.at_level("INFO"):
        assert [traced.resolve("layer4").name for _ in range(2)] == ["1", "1"]
    assert caplog.messages == ["layer 'layer4' stands for the last layer with positions, 1"]
    assert_refused(lambda: traced.resolve("layer1"), "layer", "layer1", "")


class Reused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.one = nn.Conv2d(3, 4, 3, padding=1)
        self.two = nn.Conv2d(4, 4, 3, padding=1)
        self.unused = nn.Conv2d(4, 4, 1)
        self.table = nn.Embedding(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(-self.relu(self.two(self.relu(self.one(x)))) + 0.1)


class Tuples(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 8, 8)
        self.lstm = nn.LSTM(8, 6, batch_first=True)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        tokens, _ = self.lstm(self.conv(x).flatten(2).mT)
        return self.norm(tokens + self.attention(tokens, tokens, tokens)[0])


class FoldedBatch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 8, 8)
        self.rows = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.rows(self.conv(x).permute(0, 2, 3, 1).flatten(0, 1).repeat(1, 1, 2))


def block(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, 2, 1), nn.ReLU())


def test_layers_are_listed_in_the_order_in_which_they_finish_and_uncalled_ones_last() -> None:
    found = trace(model(Reused(), 16))
    assert list(found.layers) == ["one", "two", "relu", "unused", "table"]
    assert {name: layer.calls for name, layer in found.layers.items()} == {
        "one": 1, "two": 1, "relu": 3, "unused": 0, "table": 0,
    }  # fmt: skip
    assert found.layers["relu"].type == "ReLU"


def test_the_name_of_a_module_called_several_times_stands_for_its_last_call() -> None:
    network = Reused()
    pictures = torch.rand(2, 3, 16, 16)
    maps = Backbone(model(network, 16), ["relu"])(pictures)["relu"]
    expected = (-network.two(network.one(pictures).relu()).relu() + 0.1).relu()
    assert torch.equal(maps, expected)
    assert not torch.equal(maps, network.one(pictures).relu())


def test_tracing_leaves_no_hooks_and_no_gradients() -> None:
    traced = model(Reused(), 16)
    network = traced.network
    trace(traced)
    assert not any(module._forward_hooks for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("network", "name", "right"),
    [
        (Reused(), "unused", ""),
        (Tuples(), "attention.out_proj", ""),
        (Reused(), "rleu", "relu"),
        (Reused(), "", ""),
        (Reused(), "zzzzzz", ""),
    ],
)
def test_layers_that_are_never_called_or_not_there_are_refused(network: nn.Module, name: str, right: str) -> None:
    found = trace(model(network, 32))
    assert_refused(lambda: found.resolve(name), "layer", name, right)


@pytest.mark.parametrize(
    ("network", "name", "output"),
    [(Tuples(), "lstm", "a tuple"), (Tuples(), "attention", "a tuple"), (FoldedBatch(), "rows", "shape [8, 8, 5]")],
)
def test_layers_that_hand_out_no_feature_maps_are_refused(network: nn.Module, name: str, output: str) -> None:
    found = trace(model(network, 64 if isinstance(network, FoldedBatch) else 32))
    error = refusal_of(lambda: found.resolve(name))
    assert (error.setting, error.got) == ("layer", name)
    assert error.expected.startswith("a layer inside it")
    assert found.layers[name].returned == output or str(list(found.layers[name].shape or ())) in output


def test_a_network_that_refuses_its_own_size_is_named() -> None:
    small = model(nn.Conv2d(3, 2, 9), 4)
    assert_refused(lambda: trace(small), "model.size", 4, "model.size=16, 28 or 32")


def test_stages_given_with_the_model_come_first() -> None:
    stages = {"layer1": "layer4.0", "layer3": "conv1"}
    with torch.device("meta"):
        found = trace(model(torchvision.models.resnet18(), stages=stages))
    assert found.stages == stages
    assert found.resolve("layer1").name == "layer4.0"
    assert found.resolve("layer2").name == "layer2"


def test_modules_of_the_stages_own_names_stand_for_them() -> None:
    with torch.device("meta"):
        found = trace(model(torchvision.models.resnet18(), 224))
    assert found.stages == {f"layer{n}": f"layer{n}" for n in (1, 2, 3, 4)}
    assert [found.resolve(f"layer{n}").stride(224) for n in (1, 2, 3, 4)] == [4, 8, 16, 32]


def test_stages_are_read_off_the_strides_of_the_outermost_modules() -> None:
    widths = (3, 4, 5, 6, 7, 8)
    network = nn.Sequential(*(block(a, b) for a, b in pairwise(widths)), nn.Flatten())
    found = trace(model(network, 64))
    assert found.stages == {"layer1": "1", "layer2": "2", "layer3": "3", "layer4": "4"}
    assert [found.resolve(f"layer{n}").channels for n in (1, 2, 3, 4)] == [5, 6, 7, 8]


def test_strides_that_do_not_exist_have_no_stage() -> None:
    network = nn.Sequential(block(3, 4), block(4, 5), block(5, 6))
    found = trace(model(network, 64))
    assert found.stages == {"layer1": "1", "layer2": "2"}
    assert "layer" in refusal_of(lambda: found.resolve("layer3")).nearest[0]
    assert found.resolve("layer4").name == "2"  # what a run shows by default


def test_a_layer_without_positions_has_the_largest_stride_of_its_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 4, 1), nn.Conv2d(4, 4, 3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    traced = trace(model(network.append(nn.Linear(4, 5))))
    assert [traced.stride(traced.resolve(name)) for name in ("0", "1", "4")] == [4, 8, 8]
    vectors = trace(model(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5)), size=8))
    assert vectors.stride(vectors.resolve("1")) is None


def test_a_network_of_one_stride_has_its_stages_at_quarters_of_its_depth() -> None:
    class Columnar(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 6, 8, 8)
            self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU()) for _ in range(8)))

        def forward(self, x: Tensor) -> Tensor:
            return self.blocks(self.stem(x))

    found = trace(model(Columnar(), 64))
    assert found.stages == {"layer1": "blocks.1", "layer2": "blocks.3", "layer3": "blocks.5", "layer4": "blocks.7"}


def test_vision_transformers_have_their_stages_at_quarters_of_their_depth() -> None:
    with torch.device("meta"):
        found = trace(model(torchvision.models.vit_b_16(), 224))
    assert list(found.stages.values()) == [f"encoder.layers.encoder_layer_{n}" for n in (2, 5, 8, 11)]


class Squash(nn.Module):
    """A squashing function of a name that nobody knows."""

    def forward(self, x: Tensor) -> Tensor:
        return x / (1 + x.abs())


HEADS = {
    "linear": [nn.Linear(4, 5)],
    "softmax": [nn.Linear(4, 5), nn.Softmax(1)],
    "sigmoid": [nn.Linear(4, 5), nn.Sigmoid()],
    "tanh": [nn.Linear(4, 5), nn.Tanh()],
    "log-sigmoid": [nn.Linear(4, 5), nn.LogSigmoid()],
    "of its own": [nn.Linear(4, 5), Squash()],
    "dropout and softmax": [nn.Linear(4, 5), nn.Dropout(), nn.LogSoftmax(1)],
    "normalized": [nn.Linear(4, 6), nn.Linear(6, 5), nn.Softmax(1)],
}


@pytest.mark.parametrize("case", HEADS)
def test_logits_stand_before_whatever_squashes(case: str) -> None:
    head = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), *HEADS[case])
    linear = max(at for at, module in enumerate(head) if isinstance(module, nn.Linear))
    found = trace(model(head, 16)).resolve("logits")
    assert (found.name, found.channels) == (str(linear), 5)


def test_probabilities_alone_are_no_logits() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.softmax = nn.Conv2d(3, 5, 3), nn.Softmax(1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.softmax(self.conv(x).mean((2, 3)))
            return out

    error = refusal_of(lambda: trace(model(Functional())).resolve("logits"))
    assert (error.setting, error.got, error.hint) == ("layer", "logits", "name the layer itself")


@pytest.mark.parametrize(
    ("network", "hint"),
    [
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU()), "its first convolution, '0' (Conv1d), takes signals (N, C, L)"),
        (nn.Sequential(nn.Linear(7, 4)), "model.size=px, or '[height,width]' says what it takes"),
    ],
)
def test_networks_that_take_no_pictures_say_what_they_take(network: nn.Module, hint: str) -> None:
    error = refusal_of(lambda: trace(Model("other", network, (0.0,), (1.0,), 32, "random")))
    assert (error.setting, error.got, error.hint) == ("model", "other", hint)
