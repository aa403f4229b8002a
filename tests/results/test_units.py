import pytest
import torch

from featviz.results.units import Units

UNITS = Units((0.5, -1.0), (0.25, 4.0))


@pytest.mark.parametrize("sides", [(4, 5), (3, 4, 5)])
def test_values_are_what_the_network_sees_and_go_back(sides: tuple[int, ...]) -> None:
    pictures = torch.rand(2, 2, *sides)
    values = UNITS.values(pictures)
    torch.testing.assert_close(values[:, 1], (pictures[:, 1] + 1) / 4)
    torch.testing.assert_close(UNITS.picture(values[0]), pictures[0])


def test_the_text_beside_values_says_their_unit() -> None:
    assert Units.of_text(UNITS.text()) == UNITS
    assert Units.of_text({"layer": "layer4"}) is None
    for damaged in ({**UNITS.text(), "mean": "[a]"}, {**UNITS.text(), "std": "{}"}):
        with pytest.raises(ValueError, match=r"its text|Expecting"):
            Units.of_text(damaged)
