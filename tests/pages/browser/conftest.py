"""One Chromium for all tests of this folder, and a made-up site for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from made_up_site import MadeUpSite

if TYPE_CHECKING:
    from browser import Browser  # only tests import it: it skips those that do where there is no selenium

HERE = Path(__file__).parent
UNITS = 40


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them have one mark."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index.html of a made-up site."""
    return MadeUpSite(tmp_path_factory.mktemp("site"), units=UNITS).write()


@pytest.fixture(scope="session")
def started(made_up: Path) -> Iterator[Browser]:
    """Chromium, with the made-up site."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium and chromedriver here: make browser installs them on Debian")
    from browser import Browser, start_chromium

    chrome = start_chromium(chromium, driver)
    yield Browser(chrome, made_up)
    chrome.quit()


@pytest.fixture(scope="session")
def two_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index.html of a site of two networks of one name, as of two checkpoints."""
    folder = tmp_path_factory.mktemp("networks")
    return MadeUpSite(folder, units=6, layers=1, runs=1, checksums=("30e91a81", "c0ffee00")).write()


@pytest.fixture
def browser(started: Browser) -> Iterator[Browser]:
    """The browser; whatever a test does, the console stays silent."""
    started.complaints()
    yield started
    assert started.complaints() == []
    started.js("localStorage.clear()")
