"""Garbage is looked for as before, once a pause is over."""

import gc

import pytest

from featviz.config.garbage import garbage_collection_paused


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("frozen", [0, 5])
def test_a_pause_leaves_the_collector_as_it_was(enabled: bool, frozen: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[str]()
    monkeypatch.setattr(gc, "isenabled", lambda: enabled)
    monkeypatch.setattr(gc, "get_freeze_count", lambda: frozen)
    for name in ("disable", "freeze", "unfreeze", "enable"):
        monkeypatch.setattr(gc, name, lambda name=name: calls.append(name))
    with pytest.raises(ImportError), garbage_collection_paused():
        raise ImportError
    assert calls == ["disable", *["freeze", "unfreeze"] * (not frozen), *["enable"] * enabled]
