"""Does featviz work on a network that nobody tuned it for? Over a hundred of torchvision and timm, at random weights.

Batch norms get random statistics, with negative scales among them. Of each network:

- its layers are listed; its stages exist, are in order of depth, and are the same by name and handed over as a module;
- every layer's activations are those of a hook with a clone, to 1e-5 of the largest number;
- up to the last stage, the fast copy has the same values, and the same gradients of one picture and of two, to 1e-4;
- 8 steps raise the activation of a filter; without transforms, which to untrained networks are a change as any other;
- its picture alone and beside another is the same, to 40 dB.

Gradients are compared in double precision: in single precision rounding switches some rectifiers on and off, and both
gradients are then right. For the same reason a picture below 40 dB after 8 steps is a remark, not a fault, where it is
above after 2: of squeezenet1_1, the gradients of a picture alone and beside another differ by 5e-7 of their length, and
Adam, which divides by the gradient's size, triples the difference in each step (91, 68, 55, 48 dB).

    python scripts/sweep_networks.py [NAME ...]            # makes what is missing in outputs/networks.json
    python scripts/networks_table.py > docs/networks.md
"""

from __future__ import annotations

import copy
import json
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from math import log10
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from arguments import answer_help
from torch import Tensor, nn

import featviz
from featviz.errors import FeatvizError
from featviz.models import Backbone, Model, SpeedOptions, trace
from featviz.models.comparison import difference
from featviz.models.hooks import forward_hooks, submodules
from featviz.models.layers import Trace
from featviz.models.sources import timm as timm_source
from featviz.models.sources import torchvision as torchvision_source
from featviz.models.sources.own import from_module
from featviz.results.rows import Row
from featviz.shapes import Size

SIZE, FILM = 128, (8, 64, 64)  # px, of those networks that take it; of those for films frames, height and width
TOLERANCE, LEAST_DB = 1e-4, 40
FILE = Path("outputs/networks.json")
NAMES = Path(__file__).with_suffix(".txt")
RUN = [
    *("schedule=constant", "transforms=none"),
    *("callbacks=none", "evidence=none", "restarts=0"),
]


def main(names: list[str]) -> None:
    """Try these networks, or those that have not been tried."""
    rows: dict[str, dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else {}
    warnings.simplefilter("ignore")
    for name in names or [name for name in all_names() if name not in rows]:
        began = time.perf_counter()
        rows[name] = tried(name) | {"seconds": round(time.perf_counter() - began), "measured": date.today().isoformat()}
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(rows, indent=1))
        print(name, rows[name], flush=True)


def all_names() -> list[str]:
    """The networks, each behind its library's name and a colon."""
    names, library = list[str](), ""
    for word in NAMES.read_text().split():
        if word.endswith(":"):
            library = word
        else:
            names.append(library + word)
    return names


def tried(name: str) -> dict[str, Any]:
    """What is found of a network."""
    row: dict[str, Any] = {"remarks": [], "wrong": []}
    try:
        for key, value in findings(name):
            row[key] = [*row[key], value] if key in ("remarks", "wrong") else value
    except FeatvizError as error:
        row["refused"] = str(error)
    except Exception as error:  # what must not be: it belongs into the table all the same
        traceback.print_exc()
        row["traceback"] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return row


def findings(name: str) -> Iterator[tuple[str, Any]]:
    """What goes into a network's row, piece by piece."""
    net = network(name)
    model, traced, size = sized(net, name)
    last = traced.resolve("layer4").name
    yield "layers", sum(layer.layout is not None for layer in traced.layers.values())
    yield "stages", traced.stages
    yield from wrong_stages(name, traced, size)
    fast = Backbone(model, [last], traced, SpeedOptions())
    yield "folded", fast.describe().partition(" batch norms")[0].replace("no", "-")
    fast.close()
    yield from wrong_activations(model, traced)
    yield from wrong_values(model, traced, last)
    yield from runs(model, last)


def network(name: str) -> nn.Module:
    """A network in eval mode, whose batch norms do something."""
    library, _, kind = name.partition(":")
    torch.manual_seed(0)
    if library == "timm":
        built: nn.Module = timm.create_model(kind)
    else:
        options = {"weights": None} | ({"weights_backbone": None} if is_dense(kind) else {})
        built = torchvision.models.get_model(kind, **options)
    for module in built.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_var is not None:
            assert module.running_mean is not None
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            if module.weight is not None:
                nn.init.normal_(module.weight, 1, 0.5)
    return built.eval()


def is_dense(name: str) -> bool:
    """Whether this is one of torchvision's networks for segmentation or detection, which have a backbone."""
    modules = torchvision.models.segmentation, torchvision.models.detection
    return any(name in torchvision.models.list_models(module=module) for module in modules)


def sized(net: nn.Module, name: str) -> tuple[Model, Trace, Size | None]:
    """The network as a model, of pictures of ``SIZE`` px, or films of ``FILM``, if it takes them."""
    films = any(isinstance(module, nn.Conv3d) for module in net.modules())
    for size in (FILM if films else SIZE, None):
        try:
            model = from_module(net, name=name, size=size)
            traced = trace(model)
        except FeatvizError:
            if size is None:
                raise
            continue
        if traced.accepts_other_sizes or size is None:
            break
    return model, traced, size


def wrong_stages(name: str, traced: Trace, size: Size | None) -> Iterator[tuple[str, str]]:
    """Stages that do not exist, or are in another order than the pass, or differ by name."""
    order = [traced.finished[module] for module in traced.stages.values()]
    layers = [traced.resolve(stage) for stage in traced.stages]
    sides = [layer.side for layer in layers if layer.layout and layer.layout.ordered and layer.side]
    if not layers or order != sorted(set(order)) or sides != sorted(sides, reverse=True):
        yield "wrong", f"stages {traced.stages}"
    library, _, kind = name.partition(":")
    if library == "timm":
        by_name = timm_source.load(kind, "random", size=size)
    else:
        by_name = torchvision_source.load(kind, "random", size=size)
    if (others := trace(by_name).stages) != traced.stages:
        yield "wrong", f"by name the stages are {others}"


def wrong_activations(model: Model, traced: Trace) -> Iterator[tuple[str, str]]:
    """Layers whose activations are not what a hook with a clone sees."""
    modules = dict(model.network.named_modules())
    names = [name for name, layer in traced.layers.items() if name in modules and layer.calls and layer.layout]
    backbone = Backbone(model, names, traced)
    pictures = noise(model, 2)
    caught: dict[str, Tensor] = {}

    def make(name: str) -> Any:
        return lambda _module, _inputs, output: caught.update({name: output.clone()})

    net = copy.deepcopy(model.network)
    with torch.no_grad(), forward_hooks(submodules(net, names), make):
        outputs = backbone.outputs(pictures)
        net(backbone.normalization(pictures))
    backbone.close()
    differ = [
        name for name in names if caught[name].abs().max() > 0 and not difference(caught[name], outputs[name]) <= 1e-5
    ]
    if differ:
        yield "wrong", f"values differ from a hook's: {', '.join(differ[:3])}, {len(differ)} layers"


def wrong_values(model: Model, traced: Trace, layer: str) -> Iterator[tuple[str, str]]:
    """Values and gradients of the fast copy, and of a picture alone and beside another; in double precision."""
    with double_precision():
        double = in_double(model)
        try:
            results = {
                fast: passes(Backbone(double, [layer], traced, fast), noise(model, 2))
                for fast in (None, SpeedOptions())
            }
        except RuntimeError as error:
            yield "remarks", f"not compared in double precision ({' '.join(str(error).split())[:60]})"
            return
    expected = results[None][0]
    for fast, both in results.items():
        for count, (maps, gradient) in enumerate(both, 1):
            what = f"{'the fast copy' if fast else 'the network'}'s {{}} for {count} differ by {{:.0e}}"
            if not (off := difference(expected[0], maps)) <= TOLERANCE:
                yield "wrong", what.format("values", off)
            if not (off := ((gradient - expected[1]).norm() / expected[1].norm()).item()) <= TOLERANCE:
                yield "wrong", what.format("gradients", off)


def passes(backbone: Backbone, pictures: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The first picture's feature map and gradient, alone and beside the others."""
    results = []
    for batch in (pictures[:1], pictures):
        leaf = batch.clone().requires_grad_()
        (maps,) = backbone(leaf).values()
        weights = torch.randn(maps.shape[1:], generator=torch.Generator().manual_seed(2))
        (gradient,) = torch.autograd.grad((maps * weights).sum(), leaf)
        results.append((maps[:1].detach(), gradient[:1]))
    backbone.close()
    return results


@contextmanager
def double_precision() -> Iterator[None]:
    """Within it, new tensors are in double precision."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def in_double(model: Model) -> Model:
    """The model with all its numbers in double precision."""
    double = replace(model, copied=True)
    double.network = double.network.double()
    return double


def noise(model: Model, count: int) -> Tensor:
    """Pictures (count, C, H, W), or films."""
    return torch.rand(count, model.in_channels, *model.shape, generator=torch.Generator().manual_seed(1))


def runs(model: Model, layer: str) -> Iterator[tuple[str, str]]:
    """Eight steps, of a filter alone and beside another; filters that noise excites."""
    backbone = Backbone(model, [layer])
    with torch.no_grad():
        (maps,) = backbone(noise(model, 2)).values()
    backbone.close()
    filters = maps.abs().flatten(2).amax((0, 2)).nonzero().flatten().tolist()[:2]
    row, decibels = alone_and_beside(model, layer, filters, 8)
    if row["status"] != "ok" or row["activation"] <= row["start_activation"]:
        untrained = "as in an untrained network" in row["reason"]
        yield ("remarks", f"told: {row['reason']}") if untrained else ("wrong", f"no rise: {row['reason']}")
    if decibels < LEAST_DB:
        _, before = alone_and_beside(model, layer, filters, 2)
        what = f"alone and beside another {before:.0f} dB after 2 steps, {decibels:.0f} after 8"
        yield ("remarks", f"{what}: rounding") if before >= LEAST_DB else ("wrong", what)


def alone_and_beside(model: Model, layer: str, filters: list[int], steps: int) -> tuple[Row, float]:
    """The row of the first filter, and how near its pictures alone and beside the other are, in dB."""
    size = "[8,72,72]" if model.shape.is_film else "140"  # no network's own
    overrides = [*RUN, f"schedule.size={size}", f"schedule.steps={steps}"]
    alone, beside = (
        featviz.visualize(model, layer=layer, filters=f, overrides=overrides) for f in (filters[:1], filters)
    )
    error = (alone.images[0] - beside.images[0]).square().mean().item()
    return alone.rows[0], -10 * log10(max(error, 1e-12))


if __name__ == "__main__":
    answer_help(__doc__)
    main(sys.argv[1:])
