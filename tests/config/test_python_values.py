"""What is handed over in Python is a setting, or one line says why not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from featviz.config.python_values import (
    check_overrides,
    filters_setting,
    folder_path,
    folder_paths,
    layer_setting,
    paths_setting,
    plain_value,
)
from featviz.errors import FeatvizError


def test_what_can_be_settings() -> None:
    assert (layer_setting("a"), layer_setting(("a", "b"))) == ("a", ["a", "b"])
    assert (filters_setting("0-3"), filters_setting(3), filters_setting(range(2))) == ("0-3", [3], [0, 1])
    assert filters_setting({"a": range(2), "b": "0-3"}) == {"a": [0, 1], "b": "0-3"}
    assert paths_setting("photo", Path("a.jpg")) == ["a.jpg"]
    assert paths_setting("photo", ["a.jpg", Path("b.jpg")]) == ["a.jpg", "b.jpg"]
    assert (folder_path("output", None), folder_path("output", "")) == (None, None)
    assert folder_path("output", "there") == Path("there")
    assert folder_paths("runs", ["a", Path("~no_such_user")]) == [Path("a"), Path("~no_such_user")]
    assert [type(plain_value(value)) for value in (np.int64(3), torch.tensor(2.0), 3, "a", [1])] == [
        *(int, float, int, str, list)
    ]
    check_overrides(["schedule.steps=1", "model.size=3"], of_own_model=False)


@pytest.mark.parametrize(
    ("call", "value", "setting"),
    [
        *((layer_setting, value, "layer") for value in (5, None, [None], ["a", 1])),
        *((filters_setting, value, "filters") for value in (None, 1.5, [0.5], True)),
        *((lambda value: paths_setting("photo", value), value, "photo") for value in (5, None, [5])),
        *((lambda value: folder_path("output", value), value, "output") for value in (5, b"a", "a\0b", Path("a\0"))),
        *((lambda value: check_overrides(value, of_own_model=False), value, "overrides") for value in ("a=1", [5])),
        (lambda value: check_overrides(value, of_own_model=True), ["model.mean=0.5"], "model.mean"),
        (lambda value: check_overrides(value, of_own_model=True), ["schedule.steps=1", "+model.x=1"], "+model.x"),
    ],
)
def test_what_cannot(call: Any, value: Any, setting: str) -> None:
    with pytest.raises(FeatvizError) as told:
        call(value)
    assert told.value.setting == setting
    assert told.value.expected
