"""What holds for every test."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _stand_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run writes where one stands."""
    monkeypatch.chdir(tmp_path)
