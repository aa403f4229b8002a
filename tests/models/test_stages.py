"""Stage names of networks of torchvision and timm, by hand from what their papers call stages."""

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from featviz.errors import FeatvizError
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
    "resnet101": ("layer1", "layer2", "layer3", "layer4"),
    "mobilenet_v2": ("features.3", "features.6", "features.13", "features.17"),
    "densenet121": tuple(f"features.denseblock{n}" for n in (1, 2, 3, 4)),
    "convnext_tiny": tuple(f"features.{n}" for n in (1, 3, 5, 7)),
    "swin_t": tuple(f"features.{n}" for n in (1, 3, 5, 7)),
    "efficientnet_b0": tuple(f"features.{n}" for n in (2, 3, 5, 7)),
    "shufflenet_v2_x1_0": ("maxpool", "stage2", "stage3", "stage4"),
    "mnasnet1_0": ("layers.8", "layers.9", "layers.11", "layers.13"),
    "maxvit_t": ("blocks.0", "blocks.1", "blocks.2", "blocks.3"),
    "vit_b_16": tuple(f"encoder.layers.encoder_layer_{n}" for n in (2, 5, 8, 11)),
}
STAGES = ("stages.0", "stages.1", "stages.2", "stages.3")
QUARTERS = ("blocks.2", "blocks.5", "blocks.8", "blocks.11")
TIMM = {
    **dict.fromkeys(
        ("resnetv2_18", "poolformer_s12", "caformer_s18", "davit_tiny", "hgnet_tiny", "convnextv2_atto",
         "edgenext_xx_small",         "fastvit_t8", "repvit_m0_9", "pvt_v2_b0", "vovnet39a", "mambaout_femto"),
        STAGES,
    ),
    **dict.fromkeys(
        ("vit_tiny_patch16_224", "xcit_nano_12_p16_224", "vit_tiny_r_s16_p8_224", "deit_tiny_distilled_patch16_224"),
        QUARTERS,
    ),
    "swin_tiny_patch4_window7_224": tuple(f"layers.{n}" for n in range(4)),
    "coat_lite_tiny": tuple(f"serial_blocks{n}.1" for n in (1, 2, 3, 4)),
    "nest_tiny": ("levels.0", "levels.1", "levels.2"),
    "twins_svt_small": ("blocks.0.1", "blocks.1.1", "blocks.2.9", "blocks.3.3"),
    "hiera_tiny_224": ("blocks.0", "blocks.2", "blocks.9", "blocks.11"),
    "mixer_s32_224": ("blocks.1", "blocks.3", "blocks.5", "blocks.7"),
    "inception_v4": ("features.3", "features.9", "features.17", "features.21"),
}  # fmt: skip
CASES = {f"torchvision:{name}": stages for name, stages in TORCHVISION.items()} | {
    f"timm:{name}": stages for name, stages in TIMM.items()
}


@pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")
@pytest.mark.parametrize("case", CASES)
def test_stages_are_those_of_the_papers(case: str) -> None:
    library, _, name = case.partition(":")
    with torch.device("meta"):
        network = timm.create_model(name) if library == "timm" else torchvision.models.get_model(name, weights=None)
    size = network.pretrained_cfg["input_size"][-1] if library == "timm" else 299 if name == "inception_v3" else 224
    found = trace(Model(name, network, (0.5,), (0.5,), size, "random"))
    assert found.stages == dict(zip(("layer1", "layer2", "layer3", "layer4"), CASES[case], strict=False))
    assert found.resolve("layer4").name == CASES[case][-1]


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
    with pytest.raises(FeatvizError, match="unknown layer 'layer1'"):
        found.resolve("layer1")


def test_a_network_of_timm_has_the_same_stages_by_name_and_as_a_module() -> None:
    network = timm.create_model("test_resnet")
    assert trace(own.from_module(network)).stages == {f"layer{n}": f"layer{n}" for n in (1, 2, 3, 4)}
