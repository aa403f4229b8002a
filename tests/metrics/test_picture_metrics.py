"""PictureMetrics against pictures whose answer is known."""

import logging
import math
from functools import partial

import numpy as np
import pytest
import torch
from color_network import backbone, color
from pictures import random_pictures
from program import SHORT, made
from refusals import assert_refused
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.metrics import picture_metrics
from featviz.metrics.judges import Judge
from featviz.metrics.perturbations import PERTURBATIONS, Change, moved
from featviz.metrics.picture_metrics import PictureMetrics
from featviz.metrics.spectrum import share_of_high_frequencies, spectrum_slope
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.reference_noise import noise_pictures
from featviz.objectives import Capped, Channel, Logit, Neuron, Objective, Statistics, subject
from featviz.results.folder import read_rows
from featviz.results.rows import METRICS, MetricColumns


def of(pictures: Tensor, filters: list[int]) -> list[MetricColumns]:
    return PictureMetrics().of(backbone(), Channel("0", filters), pictures)


def test_a_picture_of_the_filter_is_selective_and_robust() -> None:
    (own,) = of(color(0.9, 0.1, 0.1), [0])
    (other,) = of(color(0.1, 0.9, 0.1), [0])
    assert own["selectivity_rank"] == 1
    assert own["selectivity"] > 1 > 0 > other["selectivity"]
    assert other["selectivity_rank"] > 2
    assert own["robustness"] == pytest.approx(1, abs=0.03)
    assert math.isnan(own["spectrum_slope"])
    assert own["high_frequency"] == 0


def test_a_picture_that_works_at_one_exact_position_is_not_robust() -> None:
    spot = torch.full((1, 3, 40, 40), 0.2)
    spot[:, 0, 8, 30] = 1
    (row,) = of(spot, [3])
    assert row["robustness"] < 0.3


def test_activations_that_are_not_above_zero_have_no_robustness() -> None:
    (row,) = of(color(0.5, 0.5, 0.5), [4])
    assert math.isnan(row["robustness"])


def test_a_picture_with_numbers_that_are_not_finite_has_no_evidence() -> None:
    both = torch.cat([color(0.9, 0.1, 0.1), torch.full((1, 3, 40, 40), torch.nan)])
    good, bad = of(both, [0, 0])
    assert all(math.isnan(value) for value in bad.values())
    assert good == pytest.approx(of(both[:1], [0])[0], nan_ok=True)


def test_the_evidence_for_a_picture_does_not_depend_on_the_others() -> None:
    pictures = torch.rand(3, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    together = of(pictures, [0, 1, 3])
    for at, number in enumerate((0, 1, 3)):
        assert of(pictures[at : at + 1], [number])[0] == pytest.approx(together[at], rel=1e-4, nan_ok=True)


def test_robustness_by_hand() -> None:
    torch.manual_seed(0)
    network, picture = nn.Sequential(nn.Conv2d(3, 4, 5)), torch.rand(1, 3, 40, 40)
    (row,) = PictureMetrics().of(backbone(network), Channel("0", [2]), picture)
    with torch.no_grad():
        plain = network(picture)[0, 2].mean().item()
        means = [network(change(picture))[0, 2].mean().item() for change in PERTURBATIONS]
    assert len(means) == 16
    assert (math.isnan(row["robustness"]) and plain <= 0) or row["robustness"] == pytest.approx(
        np.mean(means) / plain, rel=1e-4
    )


def test_selectivity_by_hand() -> None:
    torch.manual_seed(1)
    network, picture = nn.Sequential(nn.Conv2d(3, 6, 5)), torch.rand(1, 3, 40, 40)
    (row,) = PictureMetrics().of(backbone(network), Channel("0", [2]), picture)
    with torch.no_grad():
        usual = network(noise_pictures(40, 3)).mean((2, 3)).numpy()
        scores = (network(picture).mean((2, 3))[0].numpy() - usual.mean(0)) / usual.std(0, ddof=1)
    assert row["selectivity"] == pytest.approx(scores[2] - np.delete(scores, 2).mean(), rel=1e-4)
    assert row["selectivity_rank"] == 1 + (scores > scores[2]).sum()


@pytest.mark.parametrize("size", [64, 97, 160])
def test_noise_is_high_and_flat_and_natural_spectra_are_neither(size: int) -> None:
    noise = np.random.default_rng(0).random((size, size, 3))
    natural = noise_pictures(size, 3)[0].permute(1, 2, 0).numpy()
    assert share_of_high_frequencies(noise) == pytest.approx(1 - math.pi / 16, abs=0.02)
    assert share_of_high_frequencies(natural) < 0.25
    assert spectrum_slope(noise) == pytest.approx(0, abs=0.15)
    assert spectrum_slope(natural) == pytest.approx(-2, abs=0.25)


def test_a_smooth_picture_with_borders_that_do_not_meet_is_not_taken_for_detail() -> None:
    ramp = np.linspace(0, 1, 64)[:, None] * np.ones((64, 64))
    assert spectrum_slope(ramp + 1e-3 * np.random.default_rng(0).random((64, 64))) < -2.5


def test_the_changes_are_sixteen_different_ones_and_always_the_same() -> None:
    picture = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    changed = [change(picture) for change in PERTURBATIONS]
    assert all(torch.equal(change(picture), one) for change, one in zip(PERTURBATIONS, changed, strict=True))
    assert all(one.shape == picture.shape and 0 <= one.min() <= one.max() <= 1 for one in changed)
    differences = [(one - other).abs().mean() for at, one in enumerate(changed) for other in [picture, *changed[:at]]]
    assert min(differences) > 0.005


def test_moving_moves() -> None:
    picture = torch.zeros(1, 1, 20, 20)
    picture[0, 0, 10, 12] = 1
    assert moved(across=0.1)(picture)[0, 0].argmax().item() == 10 * 20 + 10  # what was at the right comes in
    turned = moved(degrees=90)(picture)[0, 0]
    assert turned.max() > 0.9
    assert turned.argmax().item() in (7 * 20 + 10, 12 * 20 + 9, 12 * 20 + 10, 7 * 20 + 9)


def test_large_pictures_are_judged_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_metrics, "MAX_SIZE", 64)
    torch.manual_seed(0)
    network, picture = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU()), noise_pictures(96, 3)[:1]
    (large,) = PictureMetrics().of(backbone(network), Channel("0", [2]), picture)
    smaller = F.interpolate(picture, (64, 64), mode="bilinear", antialias=True)
    (small,) = PictureMetrics().of(backbone(network), Channel("0", [2]), smaller)
    for name in ("robustness", "selectivity", "selectivity_rank"):
        assert large[name] == pytest.approx(small[name], rel=1e-5, nan_ok=True)
    assert large["high_frequency"] == pytest.approx(
        share_of_high_frequencies(picture[0].permute(1, 2, 0).double().numpy())
    )


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_of_other_than_three_channels(channels: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(channels, 3, 3))
    rows = PictureMetrics().of(backbone(network, channels), Neuron("0", [1, 2]), torch.rand(2, channels, 24, 24))
    assert all(math.isfinite(row["selectivity"]) and 0 < row["high_frequency"] < 1 for row in rows)


# as typed


@pytest.mark.end_to_end
def test_the_columns_of_a_run() -> None:
    folder = made(*SHORT)
    rows = read_rows(folder)
    assert all(set(METRICS) <= set(row) for row in rows)
    assert (folder / "results.csv").read_text().splitlines()[0].endswith(",".join(METRICS))
    for row in rows:
        assert row["gain"] == pytest.approx(row["activation"] - row["start_activation"], abs=1e-6)
        assert 1 <= row["selectivity_rank"] <= 20


@pytest.mark.end_to_end
def test_without_evidence() -> None:
    folder = made(*SHORT, "evidence=none")
    assert not any(name in row for row in read_rows(folder) for name in METRICS)


class Classes(nn.Module):
    """A class for each color."""

    def __init__(self, sharp: float = 1.0) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3, bias=False)
        self.head.weight.data = sharp * torch.eye(3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x.mean((2, 3)))
        return out


def classes(sharp: float, name: str = "net") -> Model:
    return Model(name, Classes(sharp), (0.0,) * 3, (1.0,) * 3, 40, "random")


def test_what_judges_say_of_classes() -> None:
    metrics = PictureMetrics([Judge(classes(2.0, "sharp")), Judge(classes(0.0, "blind"))])
    pictures, seen = torch.cat([color(1, 0, 0), color(0, 1, 0)]), Backbone(classes(1.0), ["logits"])
    objective = Logit("logits", [0, 0])
    metrics.check(objective, seen, [0, 0])
    rows = metrics.of(seen, objective, pictures)
    assert [row["transfer_sharp"] for row in rows] == pytest.approx(np.exp([2.0, 0.0]) / (np.exp(2) + 2), abs=1e-6)
    assert [(row["transfer_sharp_top1"], row["transfer_sharp_top5"]) for row in rows] == [(1, 1), (0, 1)]
    assert [row["transfer_blind"] for row in rows] == pytest.approx([1 / 3, 1 / 3])
    broken = metrics.of(seen, Logit("logits", [0]), torch.full((1, 3, 40, 40), torch.nan))
    assert math.isnan(broken[0]["transfer_sharp_top1"])


@pytest.mark.parametrize(
    ("objective", "plain"),
    [
        (Statistics("logits", [0, 1], "photos"), Logit("logits", [0, 1])),
        (Statistics("0", [0, 1], "photos", {"0": 1.0}), Channel("0", [0, 1])),
        (Capped("0", [0, 1], level=0.1), Channel("0", [0, 1])),
    ],
)
def test_pictures_are_judged_as_those_of_the_filter_or_class_that_they_are_of(
    objective: Objective, plain: Channel
) -> None:
    metrics, pictures = PictureMetrics([Judge(classes(1.0))]), random_pictures(2, 40)
    seen = Backbone(classes(1.0), ["logits"]) if plain.layer == "logits" else backbone()
    assert subject(objective) == plain
    found, expected = (metrics.of(seen, each, pictures) for each in (objective, plain))
    assert found == expected
    assert all(row["selectivity_rank"] >= 1 for row in found)


def test_judges_that_cannot_judge_are_refused_before_any_work() -> None:
    seen, objective = Backbone(classes(1.0), ["logits"]), Logit("logits", [0])
    gray = Backbone(Model("gray", nn.Sequential(nn.Conv2d(2, 3, 3)), (0.0,), (1.0,), 40, "random"), ["0"])
    for judges, other, got, right in (
        ([classes(1.0), classes(2.0)], seen, ["net", "net"], "each network once"),
        ([classes(1.0)], gray, "net", ""),
    ):
        check = partial(PictureMetrics(list(map(Judge, judges))).check, objective, other, [0])
        assert_refused(check, "evidence.judges", got, right)


def test_judges_of_filters_without_photos_say_that_they_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    metrics, objective = PictureMetrics([Judge(classes(1.0))]), Channel("0", [0])
    with caplog.at_level(logging.WARNING):
        metrics.check(objective, backbone(), [0])
    assert caplog.messages == ["channel(0): judges say something of filters only beside photos (exemplars=FOLDER)"]
    assert set(metrics.of(backbone(), objective, color(1, 0, 0))[0]) == set(METRICS) - {"gain"}


@pytest.mark.parametrize("change", PERTURBATIONS)
def test_a_picture_is_perturbed_alone_as_beside_others(change: Change) -> None:
    pictures = random_pictures(3, 40)
    assert torch.equal(change(pictures[:1]), change(pictures)[:1])
