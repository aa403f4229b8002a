"""Whether what a network returns for a picture depends on the others of the batch, or changes from pass to pass.

Batch norms without running statistics, and dropout that is always on, do so in eval mode too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from featviz.models.comparison import difference
from featviz.models.hooks import device_of, forward_hooks
from featviz.models.model import Model

SHARE = 4096  # numbers of each output are compared
TOLERANCE = 1e-3  # of the largest number: other sizes of batches are computed in another order


def find_dependence(model: Model) -> str:
    """The first module to which a picture is not the same alone as beside another, or twice; in words, or empty."""
    normalization = model.normalization()
    generator = torch.Generator().manual_seed(0)
    pictures = normalization(torch.rand(2, model.in_channels, *model.shape, generator=generator))
    pictures[1] = 3 * pictures[1].flip(-1)
    device = device_of(model.network)
    try:
        batches = (batch.to(device) for batch in (pictures[:1], pictures[:1], pictures))
        with torch.random.fork_rng(devices=[]):
            alone, again, beside = (_outputs(model.network, batch) for batch in batches)
    except Exception:  # a network of one picture at a time
        return ""
    for name, output in alone.items():
        for other, reason in (
            (again, "changes from pass to pass"),
            (beside, "depends on the other pictures of a batch"),
        ):
            if name in other and not difference(output, other[name][:1]) <= TOLERANCE:
                module = model.network.get_submodule(name)
                return f"what '{name}' ({type(module).__name__}) returns for a picture {reason}"
    return ""


@torch.no_grad()
def _outputs(network: nn.Module, pictures: Tensor) -> dict[str, Tensor]:
    """What modules return, those inside first, as far as it has a place for each picture; small shares of it."""
    outputs: dict[str, Tensor] = {}

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and len(output) == len(pictures) and output.is_floating_point():
                outputs[name] = output[:1].flatten()[:: max(1, output[0].numel() // SHARE)].clone()[None]

        return hook

    with forward_hooks(network.named_modules(), note):
        network(pictures)
    return outputs
