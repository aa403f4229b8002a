import pytest

from featviz.errors import FeatvizError
from featviz.models.sources import torchvision


def refused(words: str, load: object, *args: object, **kwargs: object) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        load(*args, **kwargs)
    assert "\n" not in str(caught.value)


def test_stages_that_are_wrong_are_refused() -> None:
    load = lambda stages: torchvision.load("squeezenet1_1", "random", stages=stages)  # noqa: E731
    refused("layer1 is no module 'feature.3'; nearest: features.3", load, {"layer1": "feature.3"})
    refused("stages are layer1, layer2, layer3, layer4, not 'stem'", load, {"stem": "features.0"})
