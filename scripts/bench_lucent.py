"""How long featviz takes to pictures as strong as lucent's after 512 steps; needs torch-lucent 0.1.8.

    python scripts/bench_lucent.py                        # 8 filters of layer3 of the default model, 224 px
    python scripts/bench_lucent.py filters=4 'steps=[64,128]'

Lucent's own loop, with its default transforms, makes the pictures of all filters in one batch. Then featviz makes them
by recipe=clear at the same size, with more and more steps, each time from noise, until their mean robust activation
(activation under perturbations that neither side makes) is lucent's. The seconds are those of whole calls, start-up and
evidence included on featviz's side; by the clock, and of the processor, which says more where the machine is busy.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from arguments import answer_help
from lucent_steps import for_lucent
from omegaconf import OmegaConf
from torch import Tensor

import featviz
from featviz.config.build import build_model
from featviz.config.compose import compose_default
from featviz.metrics.robustness import mean_robust_activation, perturbed_activations
from featviz.models.backbone import Backbone
from featviz.objectives import Channel

Made = TypeVar("Made")


@dataclass
class Settings:
    """What is measured."""

    model: str = "efficientnet_lite0"
    layer: str = "layer3"
    filters: int = 8
    size: int = 224
    lucent_steps: int = 512
    steps: list[int] = field(default_factory=lambda: [48, 64, 96, 128, 192, 256])
    overrides: list[str] = field(default_factory=lambda: ["optimizer.lr=0.08"])


def main() -> None:
    """Measure, and print a line for each run."""
    merged = OmegaConf.merge(OmegaConf.structured(Settings), OmegaConf.from_cli(sys.argv[1:]))
    settings: Settings = OmegaConf.to_object(merged)  # type: ignore[assignment]
    pictures, theirs = timed(lambda: lucent_pictures(settings))
    goal = robust_activation(settings, pictures)
    print(f"lucent, {settings.lucent_steps} steps: {goal:.1f} after {theirs[0]:.0f} s, processor {theirs[1]:.0f} s")
    for steps in settings.steps:
        reached, ours = timed(lambda steps=steps: featviz_activation(settings, steps))  # type: ignore[misc]
        shares = " and ".join(f"{mine / other:.2f}" for mine, other in zip(ours, theirs, strict=True))
        print(f"featviz, {steps} steps: {reached:.1f} after {ours[0]:.0f} s, processor {ours[1]:.0f} s: {shares}")
        if reached >= goal:
            break


def timed(make: Callable[[], Made]) -> tuple[Made, tuple[float, float]]:
    """What a function returns, and its seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    made = make()
    return made, (time.perf_counter() - clock, time.process_time() - processor)


def lucent_pictures(settings: Settings) -> Tensor:
    """Pictures (N, 3, H, W) in [0, 1] by lucent's own loop."""
    from lucent.optvis import objectives, param, render  # type: ignore[import-not-found]

    network, name = for_lucent(settings.model, "pretrained", settings.layer)
    (made,) = render.render_vis(
        network,
        sum(objectives.channel(name, number, batch=number) for number in range(settings.filters)),
        lambda: param.image(settings.size, batch=settings.filters),
        thresholds=(settings.lucent_steps,),
        show_image=False,
        progress=False,
    )
    return torch.from_numpy(made).permute(0, 3, 1, 2).contiguous()


def robust_activation(settings: Settings, pictures: Tensor) -> float:
    """The mean activation of filter i under the perturbations of picture i, over the pictures, by featviz's measure."""
    model = build_model(compose_default([f"model={settings.model}"]))
    objective = Channel(layer=settings.layer, filters=list(range(settings.filters)))
    with torch.no_grad():
        found = perturbed_activations(Backbone(model, [settings.layer]), objective, pictures)
    return sum(found) / len(found)


def featviz_activation(settings: Settings, steps: int) -> float:
    """The same of featviz's own pictures."""
    plain = ["logger=none", "callbacks=none", f"schedule.size={settings.size}", f"schedule.steps={steps}"]
    numbers = list(range(settings.filters))
    with tempfile.TemporaryDirectory() as folder:
        made = featviz.visualize(
            settings.model, settings.layer, numbers, "clear", overrides=[*plain, *settings.overrides], output=folder
        )
    return mean_robust_activation(made.rows)


if __name__ == "__main__":
    answer_help(__doc__)
    main()
