from typing import Any

import pytest
from refusals import assert_refused

from featviz.models.display import EXPECTED, channel_groups


@pytest.mark.parametrize(
    ("given", "groups"),
    [
        (None, None),
        ("each", ((0,), (1,), (2,), (3,))),
        ([[0, 1, 2], [3]], ((0, 1, 2), (3,))),
        ([3, 0], ((3,), (0,))),
    ],
)
def test_groups_of_channels(given: Any, groups: Any) -> None:
    assert channel_groups(given, 4) == groups
    assert channel_groups(groups, 4) == groups


@pytest.mark.parametrize(
    ("given", "right"),
    [("all", EXPECTED), ([], EXPECTED), ([[]], EXPECTED), ([["a"]], EXPECTED), ([1.5], EXPECTED), ([[0, 4]], "")],
)
def test_what_is_no_group(given: Any, right: str) -> None:
    assert_refused(lambda: channel_groups(given, 4), "model.display", given, right)
