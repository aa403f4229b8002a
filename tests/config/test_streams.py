"""Standard output that cannot be written to: nothing ends, and nothing is said."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from featviz.config.streams import SafeStream, safe_output


@pytest.fixture(params=["closed pipe", "full disk", "closed"])
def broken(request: pytest.FixtureRequest) -> Iterator[TextIO]:
    if request.param == "closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
        stream = os.fdopen(writer, "w", buffering=1)
    else:
        if not Path("/dev/full").exists():
            pytest.skip("there is no /dev/full")
        stream = open("/dev/full", "w", buffering=1)  # noqa: SIM115
    if request.param == "closed":
        stream.close()
    yield stream
    stream.close()


def test_what_cannot_be_written_is_lost_in_silence(broken: TextIO) -> None:
    safe = SafeStream(broken)
    for _ in range(3):
        assert safe.write("a line\n") == 7
        safe.flush()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", broken)
        with safe_output():
            print("another")


def test_what_can_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with safe_output():
        print("out")
        print("err", file=sys.stderr)
        assert sys.stdout.encoding == before[0].encoding
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("out\n", "err\n")


def test_letters_that_a_terminal_lacks_are_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with safe_output():
            print("fötö \udce9")
    assert (tmp_path / "out").read_text() == "f\\xf6t\\xf6 \\udce9\n"


def test_a_program_without_a_terminal_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of pythonw on Windows, whose streams are None."""
    monkeypatch.setattr(sys, "stdout", None)
    with safe_output():
        assert sys.stdout is None
