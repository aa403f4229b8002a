"""Units that were fine-tuned to show a planted picture (Gradient Slingshots) are told from honest ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from slingshots import (
    SIZE,
    TRAINED,
    UNITS,
    area_under_curve,
    attacked,
    nearness,
    trained,
    units_to_attack,
    varied_digits,
)

import featviz
from featviz.metrics import Judge, PictureMetrics
from featviz.models.backbone import Backbone
from featviz.objectives import Channel


@pytest.mark.end_to_end
def test_manipulated_units_have_smaller_metrics_of_trust() -> None:
    digits, classes = varied_digits()
    network, judge = (trained(digits, classes, seed) for seed in (0, 1))
    units = units_to_attack(network, digits[:TRAINED])
    changed = attacked(network, units, digits[:TRAINED], steps=200)
    Path("digits").mkdir()
    for at, picture in enumerate(digits[:300, 0]):
        Image.fromarray((255 * picture.numpy()).round().astype(np.uint8)).save(f"digits/{at:03d}.png", compress_level=1)
    model = featviz.Model("changed", changed, (0.0,), (1.0,), SIZE, "given")
    lean = ["references=300", "report=none", "relations=false"]
    featviz.exemplars(model, "digits", "fc1", "all", k=10, output="found", overrides=lean)
    fast = ["schedule.steps=100", "evidence=none", "restarts=0", "callbacks=none"]
    images = featviz.visualize(model, "fc1", "all", "olah2017", overrides=fast).images
    near = nearness(images)
    assert near[units].mean() > np.delete(near.numpy(), units).mean() + 0.5  # the attack has worked
    metrics = PictureMetrics([Judge(featviz.Model("judge", judge, (0.0,), (1.0,), SIZE, "given"))], "found")
    rows = metrics.of(Backbone(model, ["fc1"]), Channel("fc1", range(UNITS)), images)
    for metric in ("agreement_judge", "path", "transfer_z_judge"):
        told = [row[metric] for row in rows]
        honest = [told[unit] for unit in range(UNITS) if unit not in units]
        assert area_under_curve(honest, [told[unit] for unit in units]) >= 0.95, metric
