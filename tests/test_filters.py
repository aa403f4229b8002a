"""Specifications of filters: one for all layers, or one by layer."""

import pytest
from refusals import assert_refused, refusal_of

from featviz.filters import FORMS, FilterSpec, parse_filters, seed_of, spec_of


@pytest.mark.parametrize("spec", [5, "0-7", [0, 3], "all"])
def test_one_specification_is_for_all_layers(spec: FilterSpec) -> None:
    assert spec_of(spec, "layer1") == spec_of(spec, "layer2") == spec


def test_a_layer_has_its_own() -> None:
    assert spec_of({"layer1": "all", "layer2": [1]}, "layer2") == [1]


def test_a_layer_of_which_nothing_is_said() -> None:
    assert_refused(lambda: spec_of({"layer3": "all"}, "layer2"), "filters", "layer2", "layer3")


def test_classes_without_names_say_how_to_name_them() -> None:
    error = refusal_of(lambda: parse_filters("cat", "logits", 10, classes=()))
    assert error.setting == "model.classes"
    assert error.hint.startswith("say model.classes=names.txt")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (5, [5]),
        ("5", [5]),
        ([0, 3, 9], [0, 3, 9]),
        ((9, 3, 0), [9, 3, 0]),
        ("0-15", list(range(16))),
        ("7-7", [7]),
        ("all", list(range(64))),
        ("0,3-5", [0, 3, 4, 5]),
        (" 0 , 3-5 ", [0, 3, 4, 5]),
        (["1-3", 9, "all"][:2], [1, 2, 3, 9]),
        ([3, 3, "2-4"], [3, 2, 4]),
        ("63", [63]),
    ],
)
def test_filter_specifications(spec: object, expected: list[int]) -> None:
    assert parse_filters(spec, "conv", 64) == expected


def test_random_filters_are_distinct_sorted_and_depend_on_seed_and_layer_alone() -> None:
    drawn = parse_filters("random:16", "conv", 64, seed=3)
    assert drawn == parse_filters("random:16", "conv", 64, seed=3)
    assert drawn == sorted(set(drawn))
    assert len(drawn) == 16
    assert drawn != parse_filters("random:16", "conv", 64, seed=4)
    assert drawn != parse_filters("random:16", "other", 64, seed=3)
    assert parse_filters("random:64", "conv", 64) == list(range(64))


@pytest.mark.parametrize(
    ("spec", "got", "right"),
    [
        ([], [], FORMS),
        ("", "", FORMS),
        *((text, text, FORMS) for text in ("7-3", "3-", "a", "1.5", "1;2", "random", "random:x", "random:-3")),
        ([None], "None", FORMS),
        (64, 64, ""),
        ("0-64", 64, ""),
        ("0-99999999999", 99999999999, ""),
        ([0, 100], 100, ""),
        (-1, -1, ""),
        ("-1", -1, ""),
        ("random:0", "random:0", ""),
        ("random:9999", "random:9999", ""),
    ],
)
def test_wrong_filters_are_refused_in_one_line(spec: FilterSpec, got: object, right: str) -> None:
    assert_refused(lambda: parse_filters(spec, "conv", 64), "filters", got, right)


def test_seeds_are_the_same_on_every_machine() -> None:
    assert seed_of(0, "layer4.2.conv2", 5) == 3080508792051323971
    assert len({seed_of(a, b) for a in range(20) for b in range(20)}) == 400
    assert all(0 <= seed_of("x", n) < 2**63 for n in range(100))
