"""Does featviz work on a network that nobody tuned it for? A hundred of torchvision and timm, at random weights.

Batch norms get random statistics, with negative scales among them. Of each network, at its last stage:

- activations are those of a hook with a clone, to 1e-5 of the largest number;
- the fast copy has the same values, and the same gradients of one picture and of two, to 1e-4 and 1e-2;
- 8 steps raise the activation;
- a picture alone and beside another is the same, to 40 dB.

    python scripts/sweep_networks.py [NAME ...] > docs/networks.md
"""

from __future__ import annotations

import copy
import sys
import time
import warnings
from collections.abc import Iterator
from math import log10

import timm
import torch
import torchvision
from torch import Tensor, nn

import featviz
from featviz.errors import FeatvizError
from featviz.models import Backbone, Model, SpeedOptions, trace
from featviz.models.comparison import difference
from featviz.models.sources.own import from_module

TORCHVISION = """
    alexnet vgg11_bn squeezenet1_1 densenet121 googlenet inception_v3 mobilenet_v2 mobilenet_v3_small mnasnet0_5
    shufflenet_v2_x0_5 resnet18 resnet50 wide_resnet50_2 resnext50_32x4d regnet_y_400mf efficientnet_b0
    efficientnet_v2_s convnext_tiny vit_b_32 swin_t swin_v2_t maxvit_t
"""
TIMM = """
    resnet10t resnetv2_18 resnest14d skresnet18 seresnet18 ecaresnet26t gernet_s res2net50_14w_8s tresnet_m
    cspresnet50 cspdarknet53 darknet17 dpn48b vovnet39a hardcorenas_a mixnet_s mobilenetv4_conv_small
    mobilenetv3_small_050 efficientnet_lite0 tf_efficientnetv2_b0 rexnet_100 ghostnet_050 ghostnetv2_100
    tinynet_e fbnetc_100 spnasnet_100 semnasnet_075 mnasnet_small lcnet_035 repvgg_a0 repvit_m0_9 mobileone_s0
    fastvit_t8 hgnet_tiny hgnetv2_b0 dla34 hrnet_w18_small selecsls42b xception41p inception_v4
    inception_resnet_v2 nasnetalarge pnasnet5large nf_resnet26 nfnet_f0 convnext_atto convnextv2_atto
    edgenext_xx_small mambaout_femto inception_next_atto poolformer_s12 caformer_s18 convformer_s18
    focalnet_tiny_srf starnet_s1 regnetx_002 bat_resnext26ts botnet26t_256 halonet26t coatnet_pico_rw_224
    maxvit_pico_rw_256 vit_tiny_patch16_224 deit_tiny_distilled_patch16_224 vit_tiny_r_s16_p8_224
    beit_base_patch16_224 cait_xxs24_224 convit_tiny coat_lite_tiny crossvit_tiny_240 davit_tiny
    efficientformer_l1 efficientformerv2_s0 efficientvit_b0 efficientvit_m0 eva02_tiny_patch14_224 gcvit_xxtiny
    hiera_tiny_224 levit_128s mixer_s32_224 gmlp_ti16_224 resmlp_12_224 mobilevit_xxs mobilevitv2_050
    mvitv2_tiny nest_tiny nextvit_small pit_ti_224 pvt_v2_b0 swin_tiny_patch4_window7_224
    swinv2_tiny_window8_256 tiny_vit_5m_224 tnt_s_patch16_224 twins_svt_small visformer_tiny volo_d1_224
    xcit_nano_12_p16_224 sequencer2d_s vitamin_small_224
"""
LISTS = {"torchvision": TORCHVISION, "timm": TIMM}
RUN = ["schedule=constant", "schedule.steps=8", "callbacks=none", "evidence=none", "restarts=0"]


def main(names: list[str]) -> None:
    """Print a table of the networks, as they come."""
    print("| network | folded | stages | remark | s |\n|---|---|---|---|---|", flush=True)
    warnings.simplefilter("ignore")
    for name in names or [
        *(f"torchvision:{name}" for name in TORCHVISION.split()),
        *(f"timm:{name}" for name in TIMM.split()),
    ]:
        began = time.perf_counter()
        try:
            folded, stages, remark = tried(network(name), name)
        except FeatvizError as error:
            folded, stages, remark = "", "", f"refused: {error}"
        except Exception as error:  # what must not be: it belongs into the table all the same
            folded, stages, remark = "", "", f"TRACEBACK: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        print(f"| {name} | {folded} | {stages} | {remark} | {time.perf_counter() - began:.0f} |", flush=True)


def network(name: str) -> nn.Module:
    """A network in eval mode, whose batch norms do something."""
    library, _, kind = name.partition(":")
    torch.manual_seed(0)
    built = timm.create_model(kind) if library == "timm" else torchvision.models.get_model(kind, weights=None)
    for module in built.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_var is not None:
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            if module.weight is not None:
                nn.init.normal_(module.weight, 1, 0.5)
    return built.eval()


def tried(net: nn.Module, name: str) -> tuple[str, str, str]:
    """How many batch norms are folded, the stages, and what is wrong."""
    model = from_module(net, name=name)
    traced = trace(model)
    layer = traced.resolve("layer4")
    fast = Backbone(model, [layer.name], traced, SpeedOptions())
    wrong = [*differences(model, layer.name, fast), *runs(model, layer.name)]
    folded, norms, _ = fast.describe().partition(" batch norms folded")
    return folded if norms else "-", ", ".join(traced.stages.values()), "; ".join(wrong)


def differences(model: Model, layer: str, fast: Backbone) -> Iterator[str]:
    """Values against a hook's, and gradients of the fast copy, alone and beside."""
    slow = Backbone(model, [layer], fast.trace)
    pictures = torch.rand(2, model.in_channels, model.size, model.size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        own = hooked(model.network, layer, slow.normalization(pictures), slow.trace.layers[layer].calls)
        if not difference(own, slow.outputs(pictures)[layer]) <= 1e-5:
            yield "WRONG: values differ from a hook's"
    results = []
    for backbone in (slow, fast):
        for batch in (pictures[:1], pictures):
            leaf = batch.clone().requires_grad_()
            maps = backbone(leaf)[layer]
            (gradient,) = torch.autograd.grad(maps.square().flatten(1).mean(1).sum(), leaf)
            results.append((maps[:1].detach(), gradient[:1]))
    for maps, gradient in results[1:]:
        if not difference(results[0][0], maps) <= 1e-4:
            yield f"WRONG: the fast copy's values differ by {difference(results[0][0], maps):.1e}"
        if not (gradient - results[0][1]).norm() <= 1e-2 * results[0][1].norm():
            yield "WRONG: gradients differ"


def hooked(net: nn.Module, layer: str, pictures: Tensor, calls: int) -> Tensor:
    """What a layer returns, by a hook, in a copy."""
    net, caught = copy.deepcopy(net), []
    net.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: caught.append(output.clone()))
    net(pictures)
    assert len(caught) == calls
    output: Tensor = caught[-1]
    return output


def runs(model: Model, layer: str) -> Iterator[str]:
    """Eight steps, of a filter alone and beside another."""
    alone = featviz.visualize(model, layer=layer, filters=[0], overrides=RUN)
    beside = featviz.visualize(model, layer=layer, filters=[0, 1], overrides=RUN)
    row = alone.rows[0]
    if row["status"] != "ok" or row["activation"] <= row["start_activation"]:
        yield f"no rise: {row['status']}, {row['reason']}"
    error = (alone.images[0] - beside.images[0]).square().mean().item()
    if error > 0 and -10 * log10(error) < 40:
        yield f"WRONG: alone and beside differ, {-10 * log10(error):.0f} dB"


if __name__ == "__main__":
    main(sys.argv[1:])
