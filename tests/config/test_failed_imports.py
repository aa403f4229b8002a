"""Packages that fail while they are imported are told in one line, with their variables of the environment."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.utils import get_method
from refusals import assert_refused

from featviz.config.failed_imports import check_environment, failed_import
from featviz.config.messages import is_bad_input, message_of
from featviz.transforms import kernels

CODE = """
import os

def read():
    return int(os.environ["OUTER_THREADS"])

threads = read()
"""


@pytest.mark.parametrize("name", ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"])
def test_a_variable_that_would_end_the_process_is_told_before(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for good in ("", "max_split_size_mb:128", "roundup_power2_divisions:[256:1,512:2],expandable_segments:True"):
        monkeypatch.setenv(name, good)
        check_environment()
    monkeypatch.setenv(name, "nope")
    assert_refused(check_environment, name, "nope", f"SETTING:VALUE, as torch wants it, or {name} left out")


def test_a_warning_that_numba_gives_with_a_traceback_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = "Environment variable NUMBA_OPT is defined\\nTraceback"
    (tmp_path / "numba.py").write_text(f"import warnings\nwarnings.warn('{text}', RuntimeWarning)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    runpy.run_path(kernels.__file__)
    assert caplog.messages == ["numba: Environment variable NUMBA_OPT is defined"]


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
