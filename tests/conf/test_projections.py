"""Projections of the recipes."""

import pytest
from configs import chosen

YOSINSKIS = {
    "yosinski2015_a": {"gaussian_blur": (0.5, 4, 1, True), "small_norm": 50, "clip": None},
    "yosinski2015_b": {"decay": 0.3, "small_norm": 20, "clip": None},
    "yosinski2015": {"decay": 1e-4, "gaussian_blur": (1.0, 4, 1, True), "clip": None},
    "yosinski2015_d": {"gaussian_blur": (0.5, 4, 1, True), "small_contribution": 90, "clip": None},
}


@pytest.mark.parametrize("name", YOSINSKIS)
def test_yosinskis_four_settings(name: str) -> None:
    pieces = chosen(f"projections=paper/{name}").projections
    found = {}
    for piece, settings in pieces.items():
        numbers = [value for key, value in settings.items() if key != "_target_"]
        found[piece] = tuple(numbers) if len(numbers) > 1 else numbers[0] if numbers else None
    assert list(found) == list(YOSINSKIS[name])
    assert found == YOSINSKIS[name]
