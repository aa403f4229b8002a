"""Stage names of networks of torchvision and timm, by hand from what their papers call stages."""

from itertools import pairwise

import pytest
import timm
import torch
import torchvision
from refusals import assert_refused
from torch import Tensor, nn

from featviz.models.model import Model
from featviz.models.sources import own
from featviz.models.tracing import trace

TORCHVISION = {
    "alexnet": ("features.1", "features.4", "features.11", "features"),  # its last pool
    "squeezenet1_1": ("features.4", "features.7", "features.12"),
    "vgg16": ("features.15", "features.22", "features.29", "features"),
    "inception_v3": ("Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c"),
    "googlenet": ("conv3", "inception3b", "inception4e", "inception5b"),
    "resnet18": ("layer1", "layer2", "layer3", "layer4"),
    "mobilenet_v2": ("features.3", "features.6", "features.13", "features.17"),
    "mobilenet_v3_small": ("features.1", "features.3", "features.8", "features.11"),
    "densenet121": tuple(f"features.denseblock{n}" for n in (1, 2, 3, 4)),
    "convnext_tiny": tuple(f"features.{n}" for n in (1, 3, 5, 7)),
    "swin_t": tuple(f"features.{n}" for n in (1, 3, 5, 7)),
    "efficientnet_b0": tuple(f"features.{n}" for n in (2, 3, 5, 7)),
    "efficientnet_v2_s": tuple(f"features.{n}" for n in (2, 3, 5, 6)),
    "shufflenet_v2_x0_5": ("maxpool", "stage2", "stage3", "stage4"),
    "mnasnet0_5": ("layers.8", "layers.9", "layers.11", "layers.13"),
    "regnet_y_400mf": tuple(f"trunk_output.block{n}" for n in (1, 2, 3, 4)),
    "maxvit_t": ("blocks.0", "blocks.1", "blocks.2", "blocks.3"),
    "lraspp_mobilenet_v3_large": ("backbone.3", "backbone.6", "backbone.15"),
    "vit_b_16": tuple(f"encoder.layers.encoder_layer_{n}" for n in (2, 5, 8, 11)),
}
STAGES = ("stages.0", "stages.1", "stages.2", "stages.3")
QUARTERS = ("blocks.2", "blocks.5", "blocks.8", "blocks.11")
#: Names of timm's networks by what their stages are called.
TIMM = {
    STAGES: """
        resnetv2_18 nf_resnet26 repvgg_a0 mobileone_s0 cspresnet50 cs3darknet_s vovnet39a ese_vovnet19b_slim hgnetv2_b0
        repvit_m0_9 fastvit_t8 starnet_s050 swiftformer_xs convnext_atto convnextv2_atto edgenext_xx_small
        mambaout_femto inception_next_atto poolformer_s12 caformer_s18 convformer_s18 lambda_resnet26t botnet26t_256
        halonet26t bat_resnext26ts coatnet_pico_rw_224 davit_tiny efficientformer_l1
        efficientvit_b0 gcvit_xxtiny pvt_v2_b0 tiny_vit_5m_224
    """,
    QUARTERS: """
        vit_tiny_patch16_224 vit_tiny_r_s16_p8_224 deit_tiny_distilled_patch16_224 vit_small_patch16_dinov3
        vit_base_patch16_siglip_224 beit_base_patch16_224 eva02_tiny_patch14_224 resmlp_12_224
        xcit_nano_12_p16_224
    """,
    ("layer1", "layer2", "layer3", "layer4"): "resnet10t skresnet18 seresnet18 ecaresnet26t res2net50_14w_8s",
    ("blocks.1", "blocks.2", "blocks.4", "blocks.6"): "hardcorenas_a efficientnet_lite0 tinynet_e mnasnet_small",
    ("blocks.1", "blocks.3", "blocks.5", "blocks.7"): "ghostnet_050 ghostnetv2_100 repghostnet_050 mixer_s32_224",
    ("blocks.1", "blocks.2", "blocks.4", "blocks.5"): "mixnet_s tf_efficientnetv2_b0 lcnet_035",
    ("stages.1", "stages.2", "stages.3", "stages.4"): "darknet17 mobilevitv2_050",
    ("layers.0", "layers.1", "layers.2", "layers.3"): "focalnet_tiny_srf swin_tiny_patch4_window7_224",
    ("s1", "s2", "s3", "s4"): "regnetx_002 regnetz_005",
    ("stages.0", "stages.1", "stages.2", "final_conv"): "gernet_s",
    ("stages.1", "stages.2", "stages.3", "final_conv"): "mobilevit_xxs",
    ("blocks.0", "blocks.1", "blocks.2", "blocks.4"): "mobilenetv4_conv_small",
    ("blocks.0", "blocks.1", "blocks.3", "blocks.5"): "mobilenetv3_small_050",
    ("features.2", "features.4", "features.10", "features.15"): "rexnet_100",
    ("body.layer1", "body.layer2", "body.layer3", "body.layer4"): "tresnet_m",
    ("features.conv2_3", "features.conv3_4", "features.conv4_6", "features.conv5_3"): "dpn48b",
    ("level2", "level3", "level4", "level5"): "dla34",
    ("layer1", "final_layer"): "hrnet_w18_small",  # branches between them
    ("features.1.conv6", "features.3.conv6", "from_seq", "head.1"): "selecsls42b",
    ("dense_stages.0", "dense_stages.1", "dense_stages.5", "dense_stages.6"): "rdnet_tiny",
    ("features.3", "features.9", "features.17", "features.21"): "inception_v4",
    ("patch_embed.3", "patch_embed.5", "stages.0", "stages.1"): "shvit_s1",  # its last stage has stride 64
    ("stem.act2", "stem.act3", "stages.0", "stages.1"): "levit_128s",
    tuple(f"serial_blocks{n}.1" for n in (1, 2, 3, 4)): "coat_tiny coat_lite_tiny",  # parallel blocks behind them
    ("levels.0", "levels.1", "levels.2"): "nest_tiny",
    tuple(f"transformers.{n}.blocks" for n in (0, 1, 2)): "pit_ti_224",
    ("stage1", "stage2", "stage3"): "visformer_tiny",
    ("blocks.0.1", "blocks.1.1", "blocks.2.9", "blocks.3.3"): "twins_svt_small",
    ("blocks.0", "blocks.2", "blocks.9", "blocks.11"): "hiera_tiny_224",
    ("blocks.0.blocks.1.2", "blocks.1.blocks.1.1", "blocks.2.blocks.1.0", "blocks.2.blocks.1.3"): "crossvit_tiny_240",
    ("blocks.6", "blocks.14", "blocks.21", "blocks.29"): "gmlp_ti16_224",
    ("network.2.2", "network.3.2", "network.3.5", "network.4.1"): "volo_d1_224",
}
CASES = {f"torchvision:{name}": stages for name, stages in TORCHVISION.items()} | {
    f"timm:{name}": stages for stages, names in TIMM.items() for name in names.split()
}
SIZES = {"inception_v3": 299, "shvit_s1": 96} | dict.fromkeys(
    ("alexnet", "vgg16", "swin_t", "maxvit_t", "vit_b_16"), 224
)
#: These take their own size only, or show their strides there only.
OF_THEIR_SIZE = ("inception_", "bat_", "halonet", "swin", "coatnet", "maxvit", "hiera", "nest", "volo", "gcvit")
#: These are built for their size, and for a small one as well; they are small themselves.
BUILT_SMALL = ("coat_", "swiftformer", "vit_tiny", "deit", "eva02", "gmlp", "levit", "pit_", "visformer", "xcit")
SMALL = 64  # px, for the others
#: Of many weights, which take longer to draw than a pass without numbers.
HEAVY = (
    *("resnet18", "resnetv2", "nf_resnet", "seresnet", "ecaresnet", "convnext_tiny", "vovnet", "caformer", "darknet17"),
    *("davit", "dla34", "selecsls", "tresnet", "mixer", "rdnet"),
)


def network_of(library: str, name: str) -> tuple[nn.Module, int]:
    """A network, on the meta device where it is to take large pictures or has many weights, and its pictures' size."""
    size, options = SIZES.get(name, SMALL), dict[str, object]()
    if library == "timm":
        cfg = timm.get_pretrained_cfg(name)
        assert cfg is not None
        if name.startswith(BUILT_SMALL):
            options["img_size"] = SMALL
        elif cfg.fixed_input_size or name.startswith(OF_THEIR_SIZE):
            size = cfg.input_size[-1]
    elif name.startswith("lraspp"):
        options["weights_backbone"] = None
    real = name.startswith("crossvit") or (size < 100 and not name.startswith(HEAVY))
    with torch.device("cpu" if real else "meta"):
        if library == "timm":
            return timm.create_model(name, **options), size
        return torchvision.models.get_model(name, weights=None, **options), size


def test_there_are_a_hundred() -> None:
    assert len(CASES) >= 100


@pytest.mark.networks
@pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")
@pytest.mark.parametrize("case", CASES)
def test_stages_are_those_of_the_papers(case: str) -> None:
    library, _, name = case.partition(":")
    network, size = network_of(library, name)
    found = trace(Model(name, network, (0.5,), (0.5,), size, "random", copied=False))
    assert found.stages == dict(zip(found.stages, CASES[case], strict=True))
    assert list(found.stages) == sorted(found.stages)
    layers = [found.resolve(stage) for stage in found.stages]  # called, with filters
    assert [layer.name for layer in layers] == sorted(CASES[case], key=found.finished.__getitem__)
    assert found.resolve("layer4").name == CASES[case][-1]


def convolutions(*widths: int, stride: int = 1) -> nn.Sequential:
    pairs = enumerate(pairwise(widths))
    return nn.Sequential(*(nn.Conv2d(a, b, 3, stride if n == 0 else 1, 1) for n, (a, b) in pairs))


class UNet(nn.Module):
    """Goes in by four halvings and out again; with ``skips`` each feature map of the way in is read on the way out."""

    def __init__(self, skips: bool) -> None:
        super().__init__()
        self.stem, self.skips = convolutions(3, 4, 4), skips
        self.inwards = nn.ModuleList(convolutions(4, 4, 4, stride=2) for _ in range(4))
        self.outwards = nn.ModuleList(convolutions(4 + 4 * skips, 4, 4) for _ in range(4))
        self.gate = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(4))
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.stem(x)]
        for block in self.inwards:
            maps.append(block(maps[-1]))
        y = maps.pop()
        for block, gate in zip(self.outwards, self.gate, strict=True):
            larger = nn.functional.interpolate(y * gate(y).sigmoid(), scale_factor=2)
            y = block(torch.cat([larger, maps.pop()], 1) if self.skips else larger)
        out: Tensor = self.head(y)
        return out


@pytest.mark.parametrize("skips", [False, True])
def test_stages_of_a_u_net_are_those_of_its_way_in(skips: bool) -> None:
    found = trace(Model("unet", UNet(skips), (0.5,), (0.5,), 64, "random"))
    assert found.stages == {"layer1": "inwards.1", "layer2": "inwards.2", "layer3": "inwards.3"}
    assert found.resolve("layer4").name == "inwards.3"


def test_a_container_of_all_stages_is_no_block() -> None:
    """As in timm's sequencer2d_s: two strides in one container, the second of which ends it."""
    network = nn.Sequential()
    network.add_module("stem", nn.Conv2d(3, 4, 8, 8))
    network.add_module("stages", nn.Sequential(convolutions(4, 4, 4), convolutions(4, 4, 4, stride=2)))
    found = trace(Model("contained", network, (0.5,), (0.5,), 64, "random"))
    assert found.stages == {"layer2": "stages.0", "layer3": "stages.1"}


class Heads(nn.Module):
    """As single-shot detectors: a head at each scale, whose outputs are put together."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleList(convolutions(3 if n == 0 else 4, 4, 4, stride=2) for n in range(6))
        self.heads = nn.ModuleList(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 6, 1)) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for n, block in enumerate(self.body):
            x = block(x)
            if n >= 3:
                found.append(self.heads[n - 3](x).flatten(2))
        return torch.cat(found, 2)


def test_heads_at_each_scale_are_no_stages() -> None:
    found = trace(Model("heads", Heads(), (0.5,), (0.5,), 128, "random"))
    assert found.stages == {f"layer{n}": f"body.{n}" for n in (1, 2, 3, 4)}


class SideBySide(nn.Module):
    """As HRNet: two scales side by side that read each other before both come together again."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.halved = convolutions(3, 4, 4, stride=4), nn.Conv2d(4, 4, 3, 2, 1)
        self.large, self.small = (nn.ModuleList(nn.Conv2d(4, 4, 3, 1, 1) for _ in range(2)) for _ in range(2))
        self.down, self.last = nn.Conv2d(4, 4, 3, 2, 1), convolutions(4, 4, 4, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        z = self.halved(y)
        for large, small in zip(self.large, self.small, strict=True):
            y, z = large(y), small(z)
            y, z = y + nn.functional.interpolate(z, scale_factor=2), z + self.down(y)
        out: Tensor = self.last(z + self.down(y))
        return out


def test_of_scales_side_by_side_none_is_taken() -> None:
    found = trace(Model("side by side", SideBySide(), (0.5,), (0.5,), 64, "random"))
    assert found.stages == {"layer1": "layer", "layer3": "last"}


class Cifar(nn.Module):
    """A ResNet for 32 px, with three stages of so many blocks each (He et al. 2016, section 4.2)."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(*(Residual(a if n == 0 else b, b) for n in range(blocks)))
            for a, b in ((4, 4), (4, 8), (8, 16))
        )
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.layer3(self.layer2(self.layer1(self.conv(x)))).mean((2, 3)))
        return out


class Residual(nn.Module):
    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.conv, self.more = (
            nn.Conv2d(inner, outer, 3, 1 + (inner != outer), 1),
            nn.Conv2d(outer, outer, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x).relu()
        return (y + self.more(y)).relu()


@pytest.mark.parametrize("blocks", [3, 9])
def test_a_modules_own_name_means_that_module(blocks: int) -> None:
    found = trace(Model("cifar", Cifar(blocks), (0.5,), (0.5,), 32, "random"))
    assert [found.resolve(f"layer{n}").name for n in (1, 2, 3, 4)] == ["layer1", "layer2", "layer3", "layer3"]
    assert [found.resolve(f"layer{n}").channels for n in (1, 2, 3)] == [4, 8, 16]


class Branches(nn.Module):
    """Parallel branches of one type, an auxiliary head that is registered last, and a module that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.branches = nn.Conv2d(3, 8, 3, 2, 1), nn.ModuleList(nn.Conv2d(8, 2, 3, 2, 1) for _ in range(4))
        self.mix, self.head, self.aux = nn.Conv2d(8, 8, 3, 2, 1), nn.Linear(8, 4), nn.Conv2d(8, 4, 1)
        self.unused = nn.Conv2d(8, 8, 3, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = torch.cat([branch(self.stem(x)) for branch in self.branches], 1)
        z = self.mix(y)
        return {"out": self.head(z.mean((2, 3))), "aux": self.aux(y)}


def test_branches_and_heads_are_no_stages() -> None:
    found = trace(Model("branches", Branches(), (0.5,), (0.5,), 64, "random"))
    assert found.stages == {"layer2": "mix"}
    assert_refused(lambda: found.resolve("layer1"), "layer", "layer1", "layer2")


class Enlarges(nn.Module):
    """Enlarges its pictures, as detectors do; strides are those of what it works on. Its end has one filter."""

    def __init__(self) -> None:
        super().__init__()
        strides = (2, 2, 2, 2, 2)
        self.body = nn.Sequential(*(nn.Conv2d(3 if n == 0 else 8, 8, 3, s, 1) for n, s in enumerate(strides)))
        self.end = nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.end(self.body(nn.functional.interpolate(x, scale_factor=4)))
        return out


def test_strides_are_those_of_the_enlarged_picture() -> None:
    found = trace(Model("enlarges", Enlarges(), (0.5,), (0.5,), 64, "random"))
    assert found.stages == {"layer1": "body.1", "layer2": "body.2", "layer3": "body.3", "layer4": "body"}


class Pair(nn.Module):
    """Returns two tensors that each of both that it takes has changed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.other = (nn.Sequential(nn.Linear(width, width), nn.ReLU()) for _ in range(2))

    def forward(self, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return y + self.one(z), z + self.other(y)


class Paired(nn.Module):
    """A linear patch embedding and blocks that return pairs: no convolution, and no trunk behind the first."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.blocks = nn.Linear(3 * 8 * 8, 16), nn.ModuleList(Pair(16) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        y = z = self.embed(nn.functional.unfold(x, 8, stride=8).mT)
        for block in self.blocks:
            y, z = block(y, z)
        return (y + z).mT.unflatten(2, (8, 8))


def test_tensors_in_what_modules_return_are_no_stages() -> None:
    found = trace(Model("paired", Paired(), (0.5,), (0.5,), 64, "random"))
    assert "blocks.0[1]" in found.layers
    assert set(found.stages.values()) <= {name for name, _ in Paired().named_modules()}
    assert found.resolve("layer4").name == list(found.stages.values())[-1]


@pytest.mark.parametrize(("name", "last"), [("repvgg_a0", "stages.3"), ("gernet_s", "final_conv")])
def test_no_identity_is_a_stage(name: str, last: str) -> None:
    """Where there is no last convolution, timm has an identity in its place."""
    network = timm.create_model(name)
    assert trace(own.from_module(network, size=SMALL)).stages["layer4"] == last


def test_a_network_of_timm_has_the_same_stages_by_name_and_as_a_module() -> None:
    network = timm.create_model("test_resnet")
    assert trace(own.from_module(network)).stages == {f"layer{n}": f"layer{n}" for n in (1, 2, 3, 4)}
