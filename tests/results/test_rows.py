"""How figures are said in labels."""

from typing import cast

import pytest

from featviz.results.rows import Row, beside_photos, three_digits


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((4, "4.00"), (23.16, "23.2"), (0.0822, "0.0822"), (-0.11, "-0.110"), (100, "100"), (999.4, "999")),
        *((1234.5, "1234"), (99999, "99999"), (123456, "1.23e+05"), (3.4e-9, "3.40e-09"), (0, "0")),
        *((float("nan"), "nan"), (float("-inf"), "-inf")),
    ],
)
def test_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


@pytest.mark.parametrize(
    ("activation", "largest", "percentile", "words"),
    [
        (22.0, 2.0, 100.0, "11 times its strongest photo"),
        (24.19, 5.65, 100.0, "4.3 times its strongest photo"),
        (1.0, 1.0, 100.0, "1.0 times its strongest photo"),
        (1.0, -2.0, 100.0, "above all photos"),
        (0.9, 1.0, 99.98, "percentile 99"),
        (-3.0, 1.0, 0.0, "percentile 0"),
        (1.0, 1.0, None, ""),
    ],
)
def test_beside_photos(activation: float, largest: float, percentile: float | None, words: str) -> None:
    row = {"activation": activation, "natural_max": largest, "percentile": percentile}
    assert beside_photos(cast(Row, row)) == words
