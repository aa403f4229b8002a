"""Receptive fields against gradients taken by other means, and against arithmetic."""

import math
from collections.abc import Callable

import pytest
import torch
from tiny_networks import Tiny
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.models.model import Model
from featviz.models.receptive_field import ReceptiveField, Span, receptive_fields
from featviz.models.sources import efficientnet_lite, torchvision

CONVS = [f"layer{s}.{b}.conv{c}" for s, blocks in enumerate((2, 2, 2, 2), 1) for b in range(blocks) for c in (1, 2)]
SOME = [name for name in CONVS if name.startswith("layer1") or ".0." in name or name == CONVS[-1]]
RESNET = ["layer1.0.conv1", "layer1.1.conv2", "layer2.0.conv1", "layer2.1.conv2", "layer3.0.conv2", "layer4.1.conv2"]
LITE = ["conv_stem", "blocks.1.1", "blocks.2.0.conv_dw", "blocks.3.0.bn1", "blocks.6.0"]


def model_of(network: nn.Module, size: int = 64) -> Model:
    return Model("net", network, (0.5,), (0.25,), size, "random")


def plain(kernel_stride_padding: list[tuple[int, int, int]]) -> Span:
    """The arithmetic of a chain of convolutions."""
    size, stride, start = 1, 1, 0
    for kernel, step, padding in kernel_stride_padding:
        size, start, stride = size + (kernel - 1) * stride, start - padding * stride, stride * step
    return Span(size, stride, start)


def positive(network: nn.Module) -> nn.Module:
    """The network with positive weights that neither blow up nor fade away, its batch norms without effect."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.abs_().div_((3 * module.weight.sum(1, keepdim=True)).clamp_min(1e-9))
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return network


def reached(network: nn.Module, layers: list[str], height: int, width: int) -> dict[str, tuple[int, int, int]]:
    """The position (column) of each layer's center neuron, and the first and last column that it sees."""
    caught: dict[str, Tensor] = {}
    for layer in layers:
        hook = lambda _m, _i, output, layer=layer: caught.update({layer: output.clone()})  # noqa: E731
        network.get_submodule(layer).register_forward_hook(hook)
    picture = torch.full((1, 3, height, width), 1e-20).requires_grad_()
    network(picture)
    found = {}
    for layer, maps in caught.items():
        row, column = (side // 2 for side in maps.shape[2:])
        (gradient,) = torch.autograd.grad(maps[0, :, row, column].sum(), picture, retain_graph=True)
        seen = gradient[0].abs().amax((0, 1)).nonzero().flatten().tolist()
        found[layer] = column, seen[0], seen[-1]
    return found


class Mean(nn.Module):
    """The maximum's neighbors count too."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, 2, 1)


def resnet() -> Model:
    model = torchvision.load("resnet18", "random")
    model.network.maxpool = Mean()
    return model


@pytest.mark.parametrize(
    ("load", "layers", "width"),
    [(resnet, RESNET, 672), (efficientnet_lite.load, LITE, 1184)],
    ids=["resnet18", "efficientnet_lite0"],
)
def test_a_field_is_what_the_gradient_of_a_center_neuron_reaches(
    load: Callable[[], Model], layers: list[str], width: int
) -> None:
    fields = receptive_fields(load(), layers)
    for layer, (column, first, last) in reached(positive(load().network), layers, 32, width).items():
        span = fields[layer].columns
        assert span is not None
        begin = span.start + column * span.stride
        assert (first, last) == (begin, begin + span.size - 1), layer
        assert 0 < first < last < width - 1
        assert fields[layer].rows == span


def test_convolutions_of_resnet18_by_arithmetic() -> None:
    fields = receptive_fields(torchvision.load("resnet18", "random"), SOME)
    chain = [(7, 2, 3), (3, 2, 1)]
    for name in CONVS:
        chain.append((3, 2 if name.endswith("0.conv1") and "layer1" not in name else 1, 1))
        assert name not in SOME or fields[name] == ReceptiveField(plain(chain), plain(chain)), name
    assert fields["layer4.1.conv2"].columns == Span(435, 32, -217)


def test_rows_and_columns_are_told_apart() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, (1, 7), stride=(1, 2), padding=(0, 3)), nn.ReLU6(), nn.MaxPool2d(2))
    field = receptive_fields(model_of(network), ["2"])["2"]
    assert field.rows == plain([(1, 1, 0), (2, 2, 0)])
    assert field.columns == plain([(7, 2, 3), (2, 2, 0)])
    assert field.box(5, 0, 64, 64) == (0, 10, 6, 12)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, 1)])
def test_pooling(pool: nn.Module) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, dilation=1), nn.GELU(), pool, nn.Conv2d(4, 5, 3))
    padding = pool.padding if isinstance(pool.padding, int) else 0
    assert receptive_fields(model_of(network), ["3"])["3"].rows == plain([(3, 1, 1), (3, 2, padding), (3, 1, 0)])


class Squeeze(nn.Module):
    """A block of squeeze and excitation between two convolutions."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(x * self.gate(F.relu(self.inner(x.mean((2, 3), keepdim=True)))))


@pytest.mark.parametrize("gate", [nn.Sigmoid(), nn.Hardsigmoid()])
def test_behind_a_global_pooling_the_field_is_the_whole_picture(gate: nn.Module) -> None:
    fields = receptive_fields(model_of(Squeeze(gate)), ["first", "last"])
    assert fields["first"].columns == Span(3, 1, 0)
    assert fields["last"] == ReceptiveField(None, None)
    assert fields["last"].box(3, 4, 48, 64) == (0, 0, 64, 48)


class Normed(nn.Module):
    """As in ConvNeXt: a norm over the channels and no batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.dw = nn.Conv2d(3, 8, 4, stride=4), nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.norm, self.out = nn.LayerNorm(8), nn.Linear(8, 8)
        self.gamma = nn.Parameter(torch.full((8,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return x + self.gamma.view(1, -1, 1, 1) * self.out(self.norm(self.dw(x).movedim(1, 3))).movedim(3, 1)


def test_norms_over_channels_hide_nothing() -> None:
    fields = receptive_fields(model_of(Normed()), ["stem", "out"])
    assert fields["stem"].columns == Span(4, 4, 0)
    assert fields["out"].rows == Span(28, 4, -12)


class Fixed(nn.Module):
    """Patches of 16 px and one product over all of them: takes 64 px only."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mix = nn.Conv2d(3, 6, 16, stride=16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(self.patches(x).flatten(2)).movedim(1, 2)


def test_a_network_of_one_size() -> None:
    fields = receptive_fields(model_of(Fixed()), ["patches"])
    assert fields["patches"] == ReceptiveField(Span(16, 16, 0), Span(16, 16, 0))


def test_stage_names_small_maps_and_the_network_itself() -> None:
    model = model_of(Tiny(), 48)
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    fields = receptive_fields(model, ["second", "last"])
    alone = receptive_fields(model_of(nn.Conv2d(3, 4, 3, 2, 1)), ["output"])
    assert alone["output"].rows == plain([(3, 2, 1)])
    assert fields["second"].rows == plain([(3, 2, 1), (3, 2, 1)])
    assert fields["last"].rows == plain([(3, 2, 1), (3, 2, 1), (8, 1, 0)])
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert next(model.network.parameters()).dtype == torch.float32


def test_boxes_stay_inside_the_picture() -> None:
    span = Span(11, 4, -5)
    assert [span.of(p, 32) for p in (0, 1, 7)] == [(0, 6), (0, 10), (23, 32)]
    assert span.center == 0
    assert Span(7, 2, -2).center == 1
    assert all(math.isclose(a, b) for a, b in zip(Span(3, 1, 40).of(0, 32), (31, 32), strict=True))
