"""A network with what has to be known of it."""

import pytest
from refusals import assert_refused
from torch import nn

from featviz.models.model import Model


@pytest.mark.parametrize(
    ("stages", "setting", "got", "right"),
    [
        ({"layer1": "feature"}, "model.stages.layer1", "feature", "features"),
        ({"stem": "features"}, "model.stages", "stem", ""),
    ],
)
def test_stages_that_are_wrong(stages: dict[str, str], setting: str, got: str, right: str) -> None:
    network = nn.Sequential()
    network.add_module("features", nn.Conv2d(3, 4, 3))
    assert_refused(lambda: Model("net", network, (0.0,), (1.0,), 32, "random", stages), setting, got, right)
