"""What pages say about the columns of results.csv that hold metrics: docs/evidence.md in short."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

DIGITS = 3  # significant ones, wherever a metric is shown


@dataclass(frozen=True)
class Metric:
    """How a metric is called, whether ``high`` or ``low`` values are better (None: neither), and what it means."""

    label: str
    better: str | None
    meaning: str


METRICS = {
    "activation": Metric("Activation", "high", "How strongly the unit answers to its picture."),
    "start_activation": Metric("Activation of the start", None, "How strongly the unit answers to the noise before."),
    "gain": Metric("Gain", "high", "The activation less that of the start; at 0 nothing has happened."),
    "robustness": Metric(
        "Robustness",
        "high",
        "The share of the activation that 16 small changes of the picture leave; below 0.4 it works only as it is.",
    ),
    "selectivity": Metric(
        "Selectivity",
        "high",
        "How much more the picture excites this unit than the layer's others, in standard deviations.",
    ),
    "selectivity_rank": Metric(
        "Selectivity rank", "low", "The unit's place among all units of its layer on its own picture; 1 is the first."
    ),
    "high_frequency": Metric(
        "High frequency", None, "The share of the picture's energy in fine detail; 0.8 is white noise."
    ),
    "spectrum_slope": Metric(
        "Spectrum slope", None, "How fast energy falls with frequency; photos are near -2, white noise is at 0."
    ),
    "excess_2_4": Metric("Excess at 2 to 4 px", None, "Energy in the finest octave over photos'; 10 is speckle."),
    "excess_4_8": Metric("Excess at 4 to 8 px", None, "Energy at periods of 4 to 8 px over photos'."),
    "excess_8_16": Metric("Excess at 8 to 16 px", None, "Energy at periods of 8 to 16 px over photos'."),
    "photo_rank": Metric(
        "Rank on the photo", "low", "The unit's place among those that the photo of task=top_filters excites most."
    ),
    "photo_mean": Metric(
        "Mean on the photo", "high", "The mean of the unit's feature map on that photo; of several photos, the largest."
    ),
    "times_photo": Metric(
        "Times its strongest photo", "high", "The activation over that of the photo which excites the unit most."
    ),
    "percentile": Metric(
        "Percentile beside photos", "high", "How many of a hundred photos excite the unit less than its picture does."
    ),
    "natural_max": Metric("Strongest photo", None, "The largest activation of the unit on photos."),
    "natural_mean": Metric("Mean of photos", None, "The mean activation of the unit on photos."),
    "natural_std": Metric("Deviation of photos", None, "The standard deviation of the unit's activation on photos."),
    "epoch": Metric("Epoch", None, "The epoch of the training after which the picture was made, counted from 0."),
    "step": Metric("Step", None, "How many steps the training had made."),
    "path": Metric(
        "Path", "high", "Whether the picture goes through earlier layers as the unit's photos do: 1 is the same."
    ),
    "gradient_pr": Metric(
        "Gradient frequencies",
        "low",
        "The share of frequencies in the unit's gradient on its photos; 1 is white noise. It is of the unit.",
    ),
}

#: Of metrics that end in the name of a judge, another network.
OF_JUDGES = {
    "agreement_photos_": Metric(
        "Agreement of photos",
        "high",
        "How well the unit's photos tell its other photos from weak ones, by what {judge} sees.",
    ),
    "agreement_": Metric(
        "Agreement", "high", "How well the picture tells the unit's photos from weak ones, by what {judge} sees."
    ),
    "transfer_z_": Metric(
        "Transfer in deviations",
        "high",
        "How strongly the unit answers, told by what {judge} sees, in deviations of photos.",
    ),
    "transfer_r_": Metric(
        "Transfer's correlation",
        "high",
        "How well {judge} tells the unit's answers to photos; below 0.3 hardly.",
    ),
    "transfer_": Metric("Transfer", "high", "The probability that {judge} gives the picture's class."),
}


def described(names: Iterable[str]) -> list[dict[str, Any]]:
    """The metrics of these columns as the site's data has them: those of featviz in its order, then others by name."""
    present = set(names)
    known = [name for name in METRICS if name in present]
    others = sorted(present - set(METRICS))
    return [
        {"key": name, "label": one.label, "better": one.better, "digits": DIGITS, "meaning": one.meaning}
        for name in (*known, *others)
        for one in [METRICS.get(name) or _of_judge(name)]
    ]


def _of_judge(name: str) -> Metric:
    """A metric by another network; one that nothing is known of goes by its column."""
    for start, metric in OF_JUDGES.items():
        if name.startswith(start):
            judge = name.removeprefix(start)
            return Metric(f"{metric.label} ({judge})", metric.better, metric.meaning.format(judge=judge))
    return Metric(name, None, "")
