"""What holds for every test.

The process that hands tests out to workers reads this too: what is slow to import is imported where it is used.
"""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import sys
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tiny_networks import Tiny

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A folder of their own says the same as a mark; files with processes, which take long, begin."""
    marks = {"end_to_end": "end_to_end", "conf": "options", "test_documentation.py": "options"}
    for item in items:
        place = item.path.relative_to(HERE).parts[0]
        if place in marks:
            item.add_marker(marks[place])
    slow = {item.path for item in items if item.get_closest_marker("process")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays: it is not looked through for garbage, neither meanwhile nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """``make quick`` leaves out whole runs: the program runs in tests only that are marked so."""
    import program

    program.ALLOWED = item.get_closest_marker("end_to_end") is not None


@pytest.fixture(autouse=True)
def _stand_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run writes where one stands."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _torch_keeps_its_threads() -> Iterator[None]:
    """Those of a process that has more of them than its share of cores wait at full speed, in all tests that follow."""
    from torch import get_num_threads  # which some tests replace

    count = get_num_threads()
    yield
    assert get_num_threads() == count


@pytest.fixture(scope="session", autouse=True)
def _files_need_not_outlive_a_power_cut() -> Iterator[None]:
    """Which costs 10 ms a file. They outlive the processes that tests kill without it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _configurations_are_composed_once() -> Iterator[None]:
    import compositions

    with pytest.MonkeyPatch.context() as patch:
        compositions.make_once(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _installed_packages_are_searched_once() -> Iterator[None]:
    """Lightning looks through all of them for callbacks whenever a trainer is made."""
    registry = sys.modules.get("lightning.fabric.utilities.registry")  # which no test imports that makes no trainer
    with pytest.MonkeyPatch.context() as patch:
        if registry:
            patch.setattr(registry, "entry_points", cache(registry.entry_points))
        yield


@pytest.fixture(scope="session")
def quick_databases() -> Iterator[None]:
    """The same for SQLite, which waits for the disk at each change."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def do_not_wait(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("pragma synchronous=off")

    event.listen(Engine, "connect", do_not_wait)
    yield
    event.remove(Engine, "connect", do_not_wait)


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many photos, which nobody changes."""
    from photo_folder import write_photos

    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def photos_here(photo_folder: Path) -> None:
    """Copies of them in a folder where one stands."""
    shutil.copytree(photo_folder, "photos")


@pytest.fixture
def tiny() -> Tiny:
    """The network that ``model.weights=random`` with ``seed=0`` draws."""
    import torch
    from tiny_networks import Tiny

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Tiny().eval()


@pytest.fixture(scope="session")
def libraries_imported() -> None:
    """Import what there is: libraries leave something when they are first used, featviz's modules have names too."""
    from interface import QUIET
    from tiny_networks import Tiny

    import featviz

    featviz.visualize(Tiny(), "first", [0], overrides=QUIET)
