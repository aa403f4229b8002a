"""Packages that fail while they are imported are told in one line, with their variables of the environment."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.utils import get_method

from featviz.config.failed_imports import failed_import
from featviz.config.messages import is_bad_input, message_of

CODE = """
import os

def read():
    return int(os.environ["OUTER_THREADS"])

threads = read()
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "outer.py").write_text(CODE)
    (folder / "around.py").write_text("import outer\n\ndef fails(): raise ValueError('of its own')\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("OUTER_THREADS", "many")
    monkeypatch.setenv("OUTER_DEBUG", "1")
    return folder


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError


LINE = (
    "outer cannot be imported: invalid literal for int() with base 10: 'many' (of the environment: OUTER_THREADS=many)"
)


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("call", [lambda: __import__("around"), lambda: get_method("around.fails")])
def test_the_package_and_the_variable_whose_value_it_quotes(call: Callable[[], object]) -> None:
    error = raised(call)
    assert is_bad_input(error)
    assert message_of(error) == LINE


def test_what_is_no_import_of_a_package_is_left_alone(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTER_THREADS", "3")
    assert not failed_import(raised(sys.modules.get("around", __import__("around")).fails))
    (packages.parent / "own.py").write_text("raise ValueError('of the user')\n")
    monkeypatch.syspath_prepend(packages.parent)
    assert not failed_import(raised(lambda: __import__("own")))
