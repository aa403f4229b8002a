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

    python scripts/sweep_networks.py [NAME ...]       # makes what is missing in outputs/networks.json
    python scripts/sweep_networks.py --table > docs/networks.md
"""

from __future__ import annotations

import argparse
import copy
import json
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import log10
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
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

SIZE = 128  # px, of those networks that take it
TOLERANCE, LEAST_DB = 1e-4, 40
FILE = Path("outputs/networks.json")
TORCHVISION = """
    alexnet squeezenet1_1 vgg11_bn resnet18 resnext50_32x4d densenet121 googlenet inception_v3
    mobilenet_v2 mobilenet_v3_small mnasnet0_5 shufflenet_v2_x0_5 regnet_y_400mf efficientnet_b0 efficientnet_v2_s
    convnext_tiny vit_b_32 swin_t swin_v2_t maxvit_t fcn_resnet50 deeplabv3_mobilenet_v3_large
    lraspp_mobilenet_v3_large ssdlite320_mobilenet_v3_large fasterrcnn_mobilenet_v3_large_320_fpn retinanet_resnet50_fpn
    r3d_18 mvit_v2_s
"""
TIMM = """
    resnet10t resnetv2_18 nf_resnet26 nfnet_f0 resnest14d skresnet18 seresnet18 ecaresnet26t res2net50_14w_8s gernet_s
    tresnet_m repvgg_a0 cspresnet50 cspdarknet53 darknet17 cs3darknet_s dpn48b vovnet39a ese_vovnet19b_slim dla34
    hrnet_w18_small selecsls42b hgnet_tiny hgnetv2_b0 rdnet_tiny regnetx_002 regnetz_005 xception41 inception_v4
    inception_resnet_v2 hardcorenas_a mixnet_s mobilenetv4_conv_small mobilenetv3_small_050 efficientnet_lite0
    tf_efficientnetv2_b0 rexnet_100 ghostnet_050 ghostnetv2_100 repghostnet_050 tinynet_e fbnetc_100 spnasnet_100
    mnasnet_small lcnet_035 repvit_m0_9 mobileone_s0 fastvit_t8 starnet_s050 shvit_s1 swiftformer_xs convnext_atto
    convnextv2_atto edgenext_xx_small mambaout_femto inception_next_atto convmixer_768_32 poolformer_s12 caformer_s18
    convformer_s18 focalnet_tiny_srf bat_resnext26ts lambda_resnet26t botnet26t_256 halonet26t coatnet_pico_rw_224
    maxvit_pico_rw_256 vit_tiny_patch16_224 vit_tiny_r_s16_p8_224 deit_tiny_distilled_patch16_224
    vit_small_patch16_dinov3 naflexvit_base_patch16_gap vit_base_patch16_siglip_224 beit_base_patch16_224
    eva02_tiny_patch14_224 cait_xxs24_224 convit_tiny coat_tiny coat_lite_tiny crossvit_tiny_240 davit_tiny
    efficientformer_l1 efficientformerv2_s0 efficientvit_b0 efficientvit_m0 gcvit_xxtiny hiera_tiny_224 hieradet_small
    levit_128s mixer_s32_224 gmlp_ti16_224 resmlp_12_224 mobilevit_xxs mobilevitv2_050 mvitv2_tiny nest_tiny
    nextvit_small pit_ti_224 pvt_v2_b0 swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 tiny_vit_5m_224
    tnt_s_patch16_224 twins_svt_small visformer_tiny volo_d1_224 xcit_nano_12_p16_224 sequencer2d_s vitamin_small_224
"""
RUN = [
    *("schedule=constant", "schedule.size=140", "transforms=none"),  # no network's own size
    *("callbacks=none", "evidence=none", "restarts=0"),
]
HEAD = f"""# A hundred networks

Networks of torchvision and timm that nobody has tuned featviz for, at random weights, with random statistics in their
batch norms, negative scales among them. `scripts/sweep_networks.py` says what is compared, and makes this table.

Pictures have {SIZE} px where a network takes them. *Folded* is the number of batch norms up to the last stage that are
computed inside of convolutions, and how many there are.
"""


def main(names: list[str], table: bool) -> None:
    """Try the networks that have not been tried; or print the table."""
    rows: dict[str, dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else {}
    if table:
        print(in_markdown(rows))
        return
    warnings.simplefilter("ignore")
    torchvisions, timms = ([f"{kind}:{n}" for n in each.split()] for kind, each in LISTS.items())
    for name in names or [name for name in (*torchvisions, *timms) if name not in rows]:
        began = time.perf_counter()
        rows[name] = tried(name) | {"seconds": round(time.perf_counter() - began)}
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(rows, indent=1))
        print(name, rows[name], flush=True)


LISTS = {"torchvision": TORCHVISION, "timm": TIMM}


def in_markdown(rows: dict[str, dict[str, Any]]) -> str:
    """The table, and what it comes to."""
    verdicts = {name: verdict(row) for name, row in rows.items()}
    works, refused, wrong, fallen = (
        sum(told.startswith(word) for told in verdicts.values()) for word in ("works", "refused", "WRONG", "TRACEBACK")
    )
    summary = f"{works} of {len(rows)} work; {refused} are refused in one line"
    summary += f"; {wrong} are wrong and {fallen} end in a traceback.\n"
    lines = [HEAD, summary, "| network | layers | stages | folded | |", "|---|---|---|---|---|"]
    for name, row in rows.items():
        stages = ", ".join(f"`{stage}`" for stage in row.get("stages", {}).values())
        lines.append(f"| {name} | {row.get('layers', '')} | {stages} | {row.get('folded', '')} | {verdicts[name]} |")
    return "\n".join(lines)


def verdict(row: dict[str, Any]) -> str:
    """Works, works with a remark, wrong, or refused with its line."""
    if row.get("wrong"):
        return "WRONG: " + "; ".join(row["wrong"])
    if "refused" in row:
        return f"refused: {row['refused']}"
    if "traceback" in row:
        return f"TRACEBACK: {row['traceback']}"
    return "; ".join(["works", *row["remarks"]])


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


def sized(net: nn.Module, name: str) -> tuple[Model, Trace, int | None]:
    """The network as a model, of pictures of ``SIZE`` px if it takes them."""
    for size in (SIZE, None):
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


def wrong_stages(name: str, traced: Trace, size: int | None) -> Iterator[tuple[str, str]]:
    """Stages that do not exist, or are in another order than the pass, or differ by name."""
    order = [traced.finished[module] for module in traced.stages.values()]
    layers = [traced.resolve(stage) for stage in traced.stages]
    sides = [layer.side for layer in layers if layer.layout and layer.layout.ordered and layer.side]
    if not layers or order != sorted(set(order)) or sides != sorted(sides, reverse=True):
        yield "wrong", f"stages {traced.stages}"
    library, _, kind = name.partition(":")
    if library == "timm":
        by_name = timm_source.load(kind, "random", size=size)
    elif is_dense(kind) or kind not in torchvision.models.list_models(module=torchvision.models):
        yield "remarks", "as a module only"
        return
    else:
        by_name = torchvision_source.load(kind, "random", size=size)
    if (others := trace(by_name).stages) != traced.stages:
        yield "wrong", f"by name the stages are {others}"


def wrong_activations(model: Model, traced: Trace) -> Iterator[tuple[str, str]]:
    """Layers whose activations are not what a hook with a clone sees."""
    names = [name for name, layer in traced.layers.items() if layer.calls and layer.layout]
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
    """Pictures (count, C, size, size)."""
    return torch.rand(count, model.in_channels, model.size, model.size, generator=torch.Generator().manual_seed(1))


def runs(model: Model, layer: str) -> Iterator[tuple[str, str]]:
    """Eight steps, of a filter alone and beside another; filters that noise excites."""
    backbone = Backbone(model, [layer])
    with torch.no_grad():
        (maps,) = backbone(noise(model, 2)).values()
    backbone.close()
    filters = maps.abs().amax((0, 2, 3)).nonzero().flatten().tolist()[:2]
    row, decibels = alone_and_beside(model, layer, filters, 8)
    if row["status"] != "ok" or row["activation"] <= row["start_activation"]:
        untrained = "below the optimizer's eps" in row["reason"]
        yield ("remarks", f"told: {row['reason']}") if untrained else ("wrong", f"no rise: {row['reason']}")
    if decibels < LEAST_DB:
        _, before = alone_and_beside(model, layer, filters, 2)
        what = f"alone and beside another {before:.0f} dB after 2 steps, {decibels:.0f} after 8"
        yield ("remarks", f"{what}: rounding") if before >= LEAST_DB else ("wrong", what)


def alone_and_beside(model: Model, layer: str, filters: list[int], steps: int) -> tuple[Row, float]:
    """The row of the first filter, and how near its pictures alone and beside the other are, in dB."""
    overrides = [*RUN, f"schedule.steps={steps}"]
    alone, beside = (
        featviz.visualize(model, layer=layer, filters=f, overrides=overrides) for f in (filters[:1], filters)
    )
    error = (alone.images[0] - beside.images[0]).square().mean().item()
    return alone.rows[0], -10 * log10(max(error, 1e-12))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--table", action="store_true")
    main(**vars(parser.parse_args()))
