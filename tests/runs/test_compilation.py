"""Which passes are compiled, and when it is measured that this pays."""

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
import timm
import torch
import torchvision
from configs import chosen
from program import SHORT, refused
from tiny_networks import Tiny
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.redirected_relu import RedirectedReLU
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.runs import compilation as network_compiling
from featviz.runs.build import build_run
from featviz.runs.compilation import Shape, choose_compilation, compile_where_faster, passes_of
from featviz.runs.plan import make_plan

SHAPE = (3, 3, 48, 48)
CPU = torch.device("cpu")
AS_IT_IS = torch.compile


def backbone(network: nn.Module | None = None, layer: str = "second") -> Backbone:
    torch.manual_seed(0)
    model = Model("tiny", network or Tiny(), (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), 48, "random")
    return Backbone(model, [layer], fast=SpeedOptions()).requires_grad_(False)


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[Shape]:
    """The shapes of pictures whose passes were run by what torch.compile gave, which needs no compiler here."""
    shapes = []

    def compile_(function: Callable[[Tensor], Any], **options: Any) -> Callable[[Tensor], Any]:
        assert options == {"dynamic": False, "mode": None}

        def run(pictures: Tensor) -> Any:
            shapes.append(tuple(pictures.shape))
            return function(pictures)

        return run

    monkeypatch.setattr(torch, "compile", compile_)
    return shapes


def test_only_training_passes_of_the_given_shapes_are_compiled(followed: list[Shape]) -> None:
    network = backbone()
    pictures = torch.rand(SHAPE, requires_grad=True)
    network(pictures)
    network.compile_for(SHAPE, (2, 3, 48, 48))
    network(pictures)
    network(pictures[:2])
    assert followed == [SHAPE, (2, 3, 48, 48)]
    network(torch.rand(4, 3, 48, 48, requires_grad=True))
    network(pictures.detach())
    with RedirectedReLU():
        network(pictures)
    network.compile_for()
    network(pictures)
    assert followed == [SHAPE, (2, 3, 48, 48)]


NETWORKS = {
    "densenet": (partial(torchvision.models.DenseNet, 8, (2, 3), 16), "features.denseblock2"),
    "tf_efficientnet_lite0": (partial(timm.create_model, "tf_efficientnet_lite0"), "blocks.2.1"),
}


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch.compile looks at that of normalized pictures
@pytest.mark.parametrize("name", NETWORKS)
def test_a_pass_is_one_graph_with_the_same_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch.compile cannot follow cuts a pass into pieces, with Python between them."""

    def compile_(function: Callable[[Tensor], Any], **options: Any) -> Any:
        return AS_IT_IS(function, backend="aot_eager", fullgraph=True, **{**options, "mode": None})

    monkeypatch.setattr(torch, "compile", compile_)
    build, layer = NETWORKS[name]
    network = backbone(build().eval(), layer)
    pictures = torch.rand(2, 3, 64, 64, requires_grad=True)
    weights = torch.randn_like(network(pictures)[layer])
    found = []
    for shapes in ([], [pictures.shape]):
        network.compile_for(*shapes)
        maps = network(pictures)[layer]
        found.append((maps.detach().clone(), *torch.autograd.grad((maps * weights).sum(), pictures)))
    torch.compiler.reset()
    for usual, compiled in zip(*found, strict=True):
        assert (usual - compiled).abs().max() <= 1e-4 * usual.abs().max()


def test_the_pass_of_a_picture_alone_is_that_of_two(followed: list[Shape]) -> None:
    network = backbone()
    network.compile_for((1, 3, 48, 48))
    network(torch.rand(1, 3, 48, 48, requires_grad=True))
    assert followed == [(2, 3, 48, 48)]


def choose(monkeypatch: pytest.MonkeyPatch, seconds: list[float], number: int) -> tuple[str, Backbone]:
    times = iter(seconds)
    monkeypatch.setattr(network_compiling, "_seconds", lambda *_: next(times))
    network = backbone()
    return compile_where_faster(network, Counter({SHAPE: number, (2, 3, 48, 48): number}), nullcontext), network


def test_compiling_is_kept_where_passes_are_faster(monkeypatch: pytest.MonkeyPatch, followed: list[Shape]) -> None:
    words, network = choose(monkeypatch, [0.02, 0.0125], 20_000)
    assert words == "compiled (12.5 ms a pass instead of 20)"
    assert set(followed) == {SHAPE}
    before = len(followed)
    network(torch.rand(SHAPE, requires_grad=True))
    network(torch.rand(2, 3, 48, 48, requires_grad=True))
    assert len(followed) == before + 1


@pytest.mark.parametrize(
    ("seconds", "number", "reason"),
    [
        ([0.02, 0.0195], 20_000, "19.5 ms a pass instead of 20"),
        ([0.02, 0.1], 20_000, "100 ms a pass instead of 20"),
        ([0.02], 1000, "passes take 20 s in all"),
    ],
)
def test_compiling_is_left_where_it_does_not_pay(
    monkeypatch: pytest.MonkeyPatch, followed: list[Shape], seconds: list[float], number: int, reason: str
) -> None:
    words, network = choose(monkeypatch, seconds, number)
    assert words == f"not compiled ({reason})"
    before = len(followed)
    network(torch.rand(SHAPE, requires_grad=True))
    assert len(followed) == before


def test_compiling_is_left_where_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no triton\nis installed")

    monkeypatch.setattr(torch, "compile", compile_)
    words, network = choose(monkeypatch, [0.02], 20_000)
    assert words == "not compiled (no triton is installed)"
    network(torch.rand(SHAPE, requires_grad=True))


def test_compiling_is_left_where_numbers_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_(function: Callable[[Tensor], dict[str, Tensor]], **_: Any) -> Any:
        return lambda pictures: {name: 1.1 * maps for name, maps in function(pictures).items()}

    monkeypatch.setattr(torch, "compile", compile_)
    words, _ = choose(monkeypatch, [0.02], 20_000)
    assert words == "not compiled (its numbers are off by 0.21 of the largest)"


def test_passes_are_timed() -> None:
    assert 0 < network_compiling._seconds(backbone(), torch.rand(SHAPE, requires_grad=True)) < 1


@pytest.mark.parametrize(("wanted", "words"), [(False, "not compiled"), (None, "not compiled"), (True, "compiled")])
def test_a_cpu_compiles_only_where_it_is_told_to(wanted: bool | None, words: str, followed: list[Shape]) -> None:
    network = backbone()
    assert choose_compilation(wanted, network, Counter({SHAPE: 10**9}), CPU, nullcontext) == words
    network(torch.rand(SHAPE, requires_grad=True))
    assert len(followed) == (wanted is True)


def test_passes_are_counted_for_each_shape_that_the_network_sees() -> None:
    sizes = ("schedule=octaves", "schedule.number=2", "schedule.factor=2", "schedule.size=64", "schedule.steps=20")
    cfg = chosen("layer=second", "filters=all", *sizes)
    model = Model("tiny", Tiny(), (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), 48, "random")
    planned = make_plan(build_run(cfg, model))
    small, large = (planned.method.transforms.size(size) for size in (32, 64))
    assert passes_of(planned, planned.layers[0].name, [(0, 1, 2), (3, 4, 5), (6,)]) == Counter(
        [*[(3, 3, small, small), (3, 3, large, large)] * 20, *[(1, 3, small, small), (1, 3, large, large)] * 10]
    )


@pytest.mark.end_to_end
def test_another_word_is_refused() -> None:
    assert refused(*SHORT, "compile=maybe") == "compile is 'maybe'; expected true, false or auto"
