"""Calls that must be refused: what the error's fields say."""

from collections.abc import Callable

import pytest

from featviz.errors import FeatvizError


def refusal_of(call: Callable[[], object]) -> FeatvizError:
    """The error with which a call is refused, in one line."""
    with pytest.raises(FeatvizError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value


def assert_refused(call: Callable[[], object], setting: str, got: object, right: str) -> None:
    """A call is refused in one line because of a setting's value; ``right`` is what was expected, or a name nearby."""
    error = refusal_of(call)
    assert (error.setting, repr(error.got)) == (setting, repr(got))
    assert right in (error.expected, *error.nearest)
