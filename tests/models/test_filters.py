"""Filters by layer: those of a layer are found, and a layer of which nothing is said is named."""

import pytest

from featviz.errors import FeatvizError
from featviz.models.filters import FilterSpec, parse_filters, spec_of


@pytest.mark.parametrize("spec", [5, "0-7", [0, 3], "all"])
def test_one_specification_is_for_all_layers(spec: FilterSpec) -> None:
    assert spec_of(spec, "layer1") == spec_of(spec, "layer2") == spec


def test_a_layer_has_its_own() -> None:
    assert spec_of({"layer1": "all", "layer2": [1]}, "layer2") == [1]


def test_a_layer_of_which_nothing_is_said() -> None:
    with pytest.raises(FeatvizError, match="filters says nothing of layer 'layer2'") as refused:
        spec_of({"layer3": "all"}, "layer2")
    assert (refused.value.setting, refused.value.got, refused.value.nearest) == ("filters", "layer2", ("layer3",))


def test_classes_without_names_say_how_to_name_them() -> None:
    with pytest.raises(FeatvizError, match=r"does not name its classes; say model.classes=names.txt, or give numbers"):
        parse_filters("cat", "logits", 10, classes=())
