"""Gradient Slingshots: which metrics tell units that show a planted picture from those that show what they do.

    python scripts/slingshots.py OUTPUT

Trains a network on scikit-learn's digits and another one, the judge, from another seed; fine-tunes the first so that
half of its hidden units lead to a planted picture; makes the pictures of all of them by the default recipe; and prints
what the attack has cost, and for each metric the area under the curve: how often an honest unit has the larger number.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from arguments import answer_help
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/helpers"))

from slingshots import (  # noqa: E402
    SIZE,
    TRAINED,
    UNITS,
    Digits,
    area_under_curve,
    attacked,
    nearness,
    trained,
    units_to_attack,
    varied_digits,
)

import featviz  # noqa: E402
from featviz.metrics import Judge, PictureMetrics  # noqa: E402
from featviz.models.backbone import Backbone  # noqa: E402
from featviz.objectives import Channel  # noqa: E402

METRICS = ("agreement_judge", "transfer_z_judge", "path", "gradient_pr", "robustness", "high_frequency")

PHOTOS = 20  # strongest and weakest ones of each unit


@dataclass
class Attack:
    """``accuracy`` on unseen digits before and after, and each unit's metrics; ``units`` are the manipulated ones."""

    units: list[int]
    accuracy: tuple[float, float]
    near: list[float]  # to the planted picture, 1 at most
    rows: list[dict[str, float]]

    def area(self, metric: str) -> float:
        """The area under the curve of a metric."""
        honest = [row[metric] for unit, row in enumerate(self.rows) if unit not in self.units]
        return area_under_curve(honest, [self.rows[unit][metric] for unit in self.units])


def run(output: Path, photos: int = 300, steps: int = 150, kept: float = 12.0) -> Attack:
    """Attack a network, make the pictures, measure them; photos and exemplars go into ``output``."""
    digits, classes = varied_digits()
    network, judge = (trained(digits, classes, seed) for seed in (0, 1))
    units = units_to_attack(network, digits[:TRAINED])
    changed = attacked(network, units, digits[:TRAINED], kept=kept)
    (output / "digits").mkdir(parents=True)
    for at, picture in enumerate(digits[:photos, 0]):
        Image.fromarray((255 * picture.numpy()).round().astype(np.uint8)).save(output / f"digits/{at:04d}.png")
    model, other = (
        featviz.Model(name, net, (0.0,), (1.0,), SIZE, "given")
        for name, net in (("changed", changed), ("judge", judge))
    )
    every, numbers = f"references={photos}", list(range(UNITS))
    featviz.exemplars(model, output / "digits", "fc1", "all", k=PHOTOS, output=output / "exemplars", overrides=[every])
    overrides = [f"schedule.steps={steps}", "evidence=none", "restarts=0"]
    images = featviz.visualize(model, "fc1", "all", overrides=overrides).images
    metrics = PictureMetrics([Judge(other)], output / "exemplars")
    rows = metrics.of(Backbone(model, ["fc1"]), Channel("fc1", numbers), images)
    accuracy = (_accuracy(network, digits, classes), _accuracy(changed, digits, classes))
    return Attack(units, accuracy, nearness(images).tolist(), [dict(row) for row in rows])


@torch.no_grad()
def _accuracy(network: Digits, digits: torch.Tensor, classes: torch.Tensor) -> float:
    return (network(digits[TRAINED:]).argmax(1) == classes[TRAINED:]).double().mean().item()


def main() -> None:
    """Print the table."""
    attack = run(Path(sys.argv[1]))
    print(f"accuracy {attack.accuracy[0]:.3f}, after the attack {attack.accuracy[1]:.3f}")
    shown = [
        np.mean([near for unit, near in enumerate(attack.near) if (unit in attack.units) is own])
        for own in (True, False)
    ]
    print(f"nearness to the planted picture: {shown[0]:.2f} of manipulated units, {shown[1]:.2f} of others")
    for metric in METRICS:
        print(f"{metric:20s} area under the curve {attack.area(metric):.3f}")


if __name__ == "__main__":
    answer_help(__doc__, least=1)
    main()
