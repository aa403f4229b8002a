"""Garbage is looked for as before, once a pause is over, and frozen objects stay frozen."""

import gc

import pytest

import featviz
from featviz.config.garbage import count_as_old, garbage_collection_paused


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made = list[str]()
    for name in ("disable", "freeze", "unfreeze", "enable"):
        monkeypatch.setattr(gc, name, lambda name=name: made.append(name))
    return made


@pytest.mark.parametrize("enabled", [True, False])
def test_a_pause_leaves_the_collector_as_it_was(
    enabled: bool, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "isenabled", lambda: enabled)
    with pytest.raises(ImportError), garbage_collection_paused():
        raise ImportError
    assert calls == ["disable", *["enable"] * enabled]


@pytest.mark.parametrize("frozen", [0, 5])
def test_objects_count_as_old_unless_there_are_frozen_ones(
    frozen: int, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "get_freeze_count", lambda: frozen)
    count_as_old()
    assert calls == ["freeze", "unfreeze"] * (not frozen)


def test_what_has_been_imported_is_handed_out_as_it_is(calls: list[str]) -> None:
    """To go through all objects once more takes 60 ms."""
    assert featviz.Model
    calls.clear()
    assert featviz.Model
    assert calls == []
