"""What is said about the columns of results.csv."""

import pytest

from featviz.pages.metrics import METRICS, described
from featviz.results.rows import NAMES, OPTIONAL


def test_every_metric_of_featviz_is_described() -> None:
    assert set(OPTIONAL) - {*NAMES} <= set(METRICS)
    for one in METRICS.values():
        assert one.label
        assert one.meaning.endswith(".")


def test_they_come_in_a_fixed_order_and_unknown_ones_last() -> None:
    names = [one["key"] for one in described(["zebra", "gain", "mine", "activation"])]
    assert names == ["activation", "gain", "mine", "zebra"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("transfer_resnet50", "Transfer (resnet50)"),
        ("transfer_z_resnet50", "Transfer in deviations (resnet50)"),
        ("transfer_r_resnet50", "Transfer's correlation (resnet50)"),
        ("agreement_efficientnet_lite2", "Agreement (efficientnet_lite2)"),
        ("agreement_photos_efficientnet_lite2", "Agreement of photos (efficientnet_lite2)"),
    ],
)
def test_metrics_by_other_networks_name_them(name: str, label: str) -> None:
    (one,) = described([name])
    assert one["label"] == label
    judge = label.partition("(")[2].rstrip(")")
    assert judge in one["meaning"]
