"""Pieces that cannot be built say which setting is wrong, what it is and what was expected."""

import pytest
from configs import chosen

from featviz.config.build import build
from featviz.config.quoting import literal
from featviz.errors import FeatvizError


@pytest.mark.parametrize(
    ("typed", "got", "expected"),
    [
        ("schedule.steps=0", 0, "a number above zero"),
        ("schedule.steps=-3", -3, "a number above zero"),
        ("schedule.steps=abc", "abc", "a whole number"),
        ("schedule.steps=2.5", 2.5, "a whole number"),
        ("schedule.steps=null", None, "a whole number"),
        ("schedule.size=x", "x", "a whole number or a list or null"),
        ("optimizer.lr=fast", "fast", "a number"),
        ("image.sd=x", "x", "a number"),
    ],
)
def test_a_value_that_does_not_fit(typed: str, got: object, expected: str) -> None:
    setting = typed.partition("=")[0]
    group = setting.partition(".")[0]
    with pytest.raises(FeatvizError) as refused:
        build(chosen("recipe=olah2017", typed)[group], group)
    assert (refused.value.setting, refused.value.got, refused.value.expected) == (setting, got, expected)


def test_a_setting_that_a_piece_does_not_have() -> None:
    with pytest.raises(FeatvizError) as refused:
        build(chosen("+schedule.stepps=3").schedule, "schedule")
    assert (refused.value.setting, refused.value.nearest[0]) == ("schedule.stepps", "schedule.steps")


@pytest.mark.parametrize("text", ["a${seed}.npy", "${x}", "a${", "back\\${seed}"])
def test_texts_reach_a_piece_as_they_were_typed(text: str) -> None:
    cfg = chosen()  # of which ${seed} is a setting
    cfg.image = {
        "_target_": "builtins.dict",
        "_convert_": "all",
        "one": literal(text),
        "several": [literal(text)],
        "seed": "${seed}",
    }
    built = build(cfg.image, "image", later=text)
    assert built == {"one": text, "several": [text], "seed": 0, "later": text}
