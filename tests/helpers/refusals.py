"""Calls that must be refused: what the error's fields say."""

from collections.abc import Callable

import pytest

from featviz.errors import FeatvizError


def assert_refused(call: Callable[[], object], setting: str, got: object, right: str) -> None:
    """A call is refused in one line because of a setting's value; ``right`` is what was expected, or a name nearby."""
    with pytest.raises(FeatvizError) as caught:
        call()
    error = caught.value
    assert (error.setting, repr(error.got)) == (setting, repr(got))
    assert right in (error.expected, *error.nearest)
    assert "\n" not in str(error)
