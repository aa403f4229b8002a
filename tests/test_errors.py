"""The sentence that an error builds from its fields; other tests read the fields."""

import pytest

from featviz.errors import FeatvizError, nearest, one_line, shown


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FeatvizError("the recipe has no name"), "the recipe has no name"),
        (FeatvizError(setting="size", got=0, expected="1 or more"), "size is 0; expected 1 or more"),
        (FeatvizError(setting="size", got=None, expected="1 or more"), "size is null; expected 1 or more"),
        (FeatvizError(setting="compile", got=True, expected="auto"), "compile is true; expected auto"),
        (FeatvizError("unknown layer 'x'", setting="layer", got="x", known=[]), "unknown layer 'x'; there are none"),
        (
            FeatvizError("unknown layer 'layr4'", setting="layer", got="layr4", known=["conv1", "layer4"]),
            "unknown layer 'layr4'; nearest: layer4",
        ),
        (
            FeatvizError("unknown layer 'zzz'", setting="layer", got="zzz", known=["conv1", "layer4"]),
            "unknown layer 'zzz'; there are: conv1, layer4",
        ),
        (
            FeatvizError(setting="bound", got="clap", expected="a bound", known=["clip", "none"]),
            "bound is clap; expected a bound; nearest: clip",
        ),
        (
            FeatvizError("unknown layer 'fx'", setting="layer", got="fx", known=["fc"], hint="task=layers lists them"),
            "unknown layer 'fx'; nearest: fc (task=layers lists them)",
        ),
        (
            FeatvizError("a folder, expected a file", setting="model", expected="a file"),
            "a folder, expected a file",  # which is not told twice
        ),
        (FeatvizError("no classes: name them", setting="model", hint="name them"), "no classes: name them"),
    ],
)
def test_the_sentence(error: FeatvizError, sentence: str) -> None:
    assert str(error) == sentence


def test_the_fields() -> None:
    error = FeatvizError("what", setting="layer", got="layr4", expected="a layer", known=["layer4", "layer1", "fc"])
    assert (error.setting, error.got, error.expected) == ("layer", "layr4", "a layer")
    assert error.nearest == ("layer4", "layer1")
    bare = FeatvizError("what")
    assert (bare.setting, bare.got, bare.expected, bare.nearest) == ("", None, "", ())


def test_a_setting_is_named_as_that_of_its_piece_once() -> None:
    both = FeatvizError("schedule.start=9 and schedule.size=8", setting="schedule").of_piece("schedule")
    assert (both.setting, str(both)) == ("schedule", "schedule.start=9 and schedule.size=8")
    assert FeatvizError(setting="lr", got=0).of_piece("optimizer").setting == "optimizer.lr"
    assert FeatvizError(setting="optimizer.lr", got=0).of_piece("optimizer").setting == "optimizer.lr"


def test_an_error_of_what_a_setting_names_keeps_its_fields() -> None:
    error = FeatvizError("unknown model 'x'", setting="model", got="x", known=["vgg"]).of_setting("evidence.judges")
    assert (error.setting, error.got) == ("evidence.judges", "x")
    assert str(error) == "evidence.judges: unknown model 'x'; there are: vgg"


def test_the_nearest_names_are_few_and_upper_and_lower_case_are_alike() -> None:
    assert nearest("RESNET18", ["resnet18", "vgg16"]) == "nearest: resnet18"
    assert nearest("layer", [f"layer{n}" for n in range(9)]).count("layer") == 3
    assert nearest("x", [f"name{n}" for n in range(13)]).endswith("name11, ...")


@pytest.mark.parametrize(("value", "text"), [(None, "null"), (False, "false"), ("a", "a"), (0.5, "0.5"), ([1], "[1]")])
def test_a_value_as_it_is_typed(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_text_of_many_lines_becomes_one_of_a_limited_length() -> None:
    assert one_line(ValueError("two\n  lines")) == "two lines"
    assert one_line(ValueError()) == "ValueError"
    assert one_line("x" * 400) == "x" * 297 + "..."
