"""Only the filters that are asked for are computed, where that does not change a bit of their gradient."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from timm.layers import SEModule
from timm.models.convnext import ConvNeXtBlock
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.images import FourierImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.objectives import Channel, Contrast, Logit, Margin, Negative, Neuron, Objective
from featviz.optim.feature_regularizers import BatchNormDistance
from featviz.optim.method import Method, Regularizer
from featviz.optim.regularizers import TotalVariation
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer

FILTERS = 16


class Residual(nn.Module):
    """A block of a residual network whose last module is followed by a norm, the shortcut and an activation."""

    def __init__(self, last: nn.Module, act: nn.Module) -> None:
        super().__init__()
        self.last, self.norm, self.act = last, nn.BatchNorm2d(FILTERS), act
        nn.init.normal_(self.norm.bias)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.norm(self.last(x)))


class Plus(nn.Module):
    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, x: Tensor) -> Tensor:
        return x + self.number


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(FILTERS, FILTERS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.conv(x))


class Tokens(nn.Module):
    """A layer of a transformer that ends with a linear layer, whose tokens lie one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.LayerNorm(FILTERS), nn.Linear(FILTERS, 24), nn.GELU(), nn.Linear(24, FILTERS))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)
        return x + self.mlp(x)


class Joined(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(FILTERS, FILTERS // 2, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([conv(x) for conv in self.convs], 1)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(FILTERS, FILTERS)
        self.attention = nn.MultiheadAttention(FILTERS, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(x.flatten(2).transpose(1, 2))
        return self.attention(x, x, x, need_weights=False)[0]


class Own(nn.Conv2d):
    """A convolution whose class may do whatever it likes with its weights."""

    def __init__(self) -> None:
        super().__init__(FILTERS, FILTERS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight.flip(0), self.bias)


def conv(kernel: int = 3, **settings: object) -> nn.Conv2d:
    return nn.Conv2d(FILTERS, FILTERS, kernel, padding=kernel // 2, **settings)  # type: ignore[arg-type]


def backbone(block: nn.Module, frames: bool = False, moments: bool = False) -> Backbone:
    torch.manual_seed(0)
    stem = nn.Conv3d(3, FILTERS, 3, padding=1) if frames else nn.Conv2d(3, FILTERS, 3, padding=1)
    for module in block.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.reset_parameters()
    network = nn.Sequential(stem, nn.ReLU(), block)
    size = (4, 8, 8) if frames else 12
    own = Model("own", network, (0.5,) * 3, (0.25,) * 3, size, "random")
    return Backbone(own, ["2"], fast=SpeedOptions(), moments=moments)


def maps_and_gradient(own: Backbone, filters: Sequence[int], only: bool) -> tuple[Tensor, Tensor, Tensor]:
    """All maps; those of picture i's filter i; and the gradient of a sum of these."""
    pictures = own.model.noise().repeat(len(filters), *[1] * len(own.model.shape), 1)
    pictures = (pictures * torch.linspace(0.3, 1, len(filters)).view(-1, *[1] * (pictures.ndim - 1))).requires_grad_()
    with own.only(filters) if only else nullcontext():
        maps = own(pictures)["2"]
    chosen = maps[torch.arange(len(filters)), list(filters)]
    (gradient,) = torch.autograd.grad(
        (chosen * torch.linspace(-1, 1, chosen[0].numel()).view_as(chosen[0])).sum(), pictures
    )
    return maps.detach(), chosen.detach(), gradient


TAKEN: dict[str, Callable[[], nn.Module]] = {
    "a convolution": lambda: conv(1),
    "without a bias": lambda: conv(1, bias=False),
    "with strides": lambda: conv(1, stride=2),
    "padded by reflection": lambda: nn.Conv2d(FILTERS, FILTERS, 1, padding=1, padding_mode="reflect"),
    "a linear bottleneck": lambda: Residual(nn.Sequential(conv(3), nn.ReLU(), conv(1)), nn.Identity()),
    "a norm that is not folded": lambda: nn.Sequential(conv(1), nn.BatchNorm2d(FILTERS), nn.BatchNorm2d(FILTERS)),
    "pooled by means": lambda: nn.Sequential(conv(1), nn.AvgPool2d(2)),
    "a block of ConvNeXt": lambda: ConvNeXtBlock(FILTERS),
    "tokens": Tokens,
}
LEFT: dict[str, Callable[[], nn.Module]] = {
    "a larger kernel": lambda: conv(3),
    "a rectifier": lambda: nn.Sequential(conv(1), nn.ReLU()),
    "a rectifier in place": lambda: Residual(conv(1), nn.ReLU(inplace=True)),
    "a rectifier open to noise": lambda: nn.Sequential(conv(1), Plus(50), nn.ReLU()),
    "a rectifier closed to noise": lambda: nn.Sequential(conv(1), Plus(-50), nn.ReLU()),
    "bounds": lambda: nn.Sequential(conv(1), nn.Hardtanh(0, 6, inplace=True)),
    "a smooth activation": lambda: nn.Sequential(conv(1), nn.GELU()),
    "pooled by the largest": lambda: nn.Sequential(conv(1), nn.MaxPool2d(2)),
    "a gate that reads all filters": lambda: nn.Sequential(conv(1), SEModule(FILTERS, rd_channels=FILTERS)),
    "a softmax over filters": lambda: nn.Sequential(conv(1), nn.Softmax(1)),
    "a norm over filters": lambda: nn.Sequential(conv(1), nn.GroupNorm(1, FILTERS)),
    "filters in another order": lambda: nn.Sequential(conv(1), nn.ChannelShuffle(2)),
    "two groups of filters": lambda: conv(1, groups=2),
    "called twice": Twice,
    "made by two": Joined,
    "attention": Attention,
    "a convolution of its own": Own,
}


@pytest.mark.parametrize("name", [*TAKEN, *LEFT])
def test_the_same_maps_and_gradients(name: str) -> None:
    own = backbone((TAKEN | LEFT)[name]())
    filters = [3, 15, 3, 0]
    _, expected, gradient = maps_and_gradient(own, filters, only=False)
    maps, found, other_gradient = maps_and_gradient(own, filters, only=True)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(other_gradient, gradient)
    others = [number for number in range(FILTERS) if number not in filters]
    assert maps[:, others].isnan().all() == (name in TAKEN)
    assert maps_and_gradient(own, filters, only=False)[0].isfinite().all()  # all of them again, afterwards


def test_for_most_of_the_filters_all_are_computed() -> None:
    assert maps_and_gradient(backbone(conv(1)), range(9), only=True)[0].isfinite().all()


def test_of_films_too() -> None:
    block = nn.Conv3d(FILTERS, FILTERS, 1)
    own = backbone(block, frames=True)
    results = [maps_and_gradient(own, [5, 2], only) for only in (False, True)]
    torch.testing.assert_close(results[1][1:], results[0][1:], atol=1e-5, rtol=1e-4)
    assert results[1][0][:, 3].isnan().all()


@pytest.mark.parametrize("fast", [None, SpeedOptions(fold=False)])
def test_a_network_that_is_to_run_as_it_is_computes_all(fast: SpeedOptions | None) -> None:
    own = Backbone(backbone(conv(1)).model, ["2"], fast=fast)
    assert maps_and_gradient(own, [1, 2], only=True)[0].isfinite().all()


class Scaled(Channel):
    def __call__(self, maps: object) -> Tensor:
        return 2 * super().__call__(maps)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("objective", "reads"),
    [
        (Channel("2", [4, 5]), [4, 5]),
        (Neuron("2", [4, 5]), [4, 5]),
        (Logit("2", [4, 5]), [4, 5]),
        (Negative("2", [4, 5]), None),
        (Contrast("2", [4, 5]), None),
        (Scaled("2", [4, 5]), None),
        (Channel("2", [4, 5]) + Channel("2", [4, 5]), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_an_objective_reads(objective: Objective, reads: list[int] | None) -> None:
    assert objective.filters_read == reads


@pytest.mark.parametrize(("to_stride", "reads"), [(None, None), (2, None), (1, [4, 5])])
def test_a_margin_reads_others_where_it_is_not_a_mean(to_stride: int | None, reads: list[int] | None) -> None:
    margin = Margin("2", [4, 5], to_stride=to_stride)
    margin.prepare(backbone(conv(1, stride=2)))
    assert margin.filters_read == reads


@pytest.mark.parametrize(
    ("steps", "regularizers", "left_out"),
    [
        (100, {}, True),
        (100, {"tv": TotalVariation(0.1)}, True),
        (99, {}, False),
        (100, {"deep": BatchNormDistance()}, False),
    ],
    ids=["long", "a penalty on pictures", "short", "a penalty on feature maps"],
)
def test_pictures_are_the_same_to_the_last_bit(
    steps: int, regularizers: dict[str, Regularizer], left_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = Method(FourierImage, constant(12, steps), partial(torch.optim.SGD, lr=1.0), regularizers=regularizers)
    block = nn.Sequential(nn.BatchNorm2d(FILTERS), Residual(conv(1), nn.Identity()))
    own = backbone(block, moments=method.needs_moments)
    only, asked, gradients = Backbone.only, [], []
    monkeypatch.setattr(Backbone, "only", lambda self, filters: asked.append(filters) or only(self, filters))
    for _ in range(2):
        visualizer = FilterVisualizer(own, method, "2", [1, 8, 15])
        visualizer.training_step(0, 0).backward()
        gradients.append(visualizer.image.values.grad)
        monkeypatch.setattr(Backbone, "only", lambda *_: nullcontext())
    assert asked == ([[1, 8, 15]] if left_out else [])
    assert torch.equal(*gradients)
    assert gradients[0].isfinite().all()
