"""The networks that ship as configurations."""

import re
from math import ceil

import pytest
import torch
from configs import chosen
from hydra.utils import instantiate
from omegaconf import OmegaConf
from program import ROOT
from torch import Tensor

from featviz.models.model import STAGES, Model

CONF = ROOT / "conf" / "model"
SHIPPED = sorted(path.stem for path in CONF.glob("*.yaml"))
NAMED = [name for name in SHIPPED if name not in ("torchvision", "timm", "own", "ensemble")]


def configured(option: str, **changes: object) -> Model:
    cfg = OmegaConf.merge({"seed": 0}, {"model": chosen(f"model={option}").model}, {"model": changes})
    return instantiate(cfg.model)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_configuration_says_what_it_is_and_takes_the_seed(name: str) -> None:
    text = (CONF / f"{name}.yaml").read_text()
    assert re.match(r"# .+; .*weights.*\n", text)
    assert chosen(f"model={name}", "seed=7").model.seed == 7


@pytest.mark.parametrize("name", NAMED)
def test_stages_are_the_last_blocks_at_strides_4_to_32(name: str) -> None:
    with torch.device("meta"):  # shapes alone
        model = configured(name, weights="random")
    sides: dict[str, int] = {}

    def note(stage: str, output: Tensor) -> None:
        side = output.shape[2] if output.ndim == 4 else (output.shape[1] - 1) ** 0.5
        sides[stage] = round(side)

    for stage, module in model.stages.items():
        hook = lambda _module, _inputs, output, stage=stage: note(stage, output)  # noqa: E731
        model.network.get_submodule(module).register_forward_hook(hook)
    model.network(torch.zeros(1, 3, model.size, model.size, device="meta"))
    strides = (16, 16, 16, 16) if name == "vit_b_16" else (4, 8, 16, 32)
    assert sides == {stage: ceil(model.size / stride) for stage, stride in zip(STAGES, strides, strict=True)}


def test_open_configurations_load_any_network_of_their_library() -> None:
    assert configured("torchvision", name="squeezenet1_1", weights="random").stages == {}
    assert configured("timm", name="test_resnet", weights="random", kwargs={"in_chans": 1}).in_channels == 1
    model = configured("own", target="torch.nn.Conv2d", weights="random", kwargs={
        "in_channels": 2, "out_channels": 1, "kernel_size": 1}, mean=[0.1, 0.2])  # fmt: skip
    assert (model.name, model.mean, model.std) == ("Conv2d", (0.1, 0.2), (1.0, 1.0))
