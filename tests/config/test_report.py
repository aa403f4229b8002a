"""Pages at the end of a run: what goes wrong with them is one line, and nothing else is lost."""

import logging
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from run_folders import site_data, write_run

from featviz.config.report import pages_at_end, write_pages

REPORT = OmegaConf.create({"_target_": "featviz.pages.write_site", "_partial_": True})
CFG = OmegaConf.create({"report": REPORT})


def full_disk(**_: object) -> None:
    raise OSError(28, "No space left on device")


def out_of_memory(**_: object) -> None:
    raise MemoryError


def mistake(**_: object) -> None:
    raise KeyError("column")


def interrupted(**_: object) -> None:
    raise KeyboardInterrupt


def test_pages_are_those_of_the_folder_at_the_end(tmp_path: Path) -> None:
    with pages_at_end(CFG, tmp_path):
        write_run(tmp_path)
    assert site_data(tmp_path)["models"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_run_that_ends_early_has_pages_of_what_there_is(error: type[BaseException], tmp_path: Path) -> None:
    write_run(tmp_path)
    with pytest.raises(error), pages_at_end(CFG, tmp_path):
        raise error
    assert site_data(tmp_path)["models"]


@pytest.mark.parametrize("report", [None, {}, OmegaConf.create({})])
def test_without_a_report_there_are_none(report: object, tmp_path: Path) -> None:
    write_pages(report, write_run(tmp_path))
    assert not (tmp_path / "index.html").exists()


def test_a_folder_without_a_run_has_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_pages(REPORT, tmp_path)
    assert (list(tmp_path.iterdir()), caplog.messages) == ([], [])


def test_a_page_of_somebody_else_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_run(tmp_path)
    (tmp_path / "index.html").write_text("mine")
    write_pages(REPORT, tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("function", [full_disk, out_of_memory, mistake])
def test_a_failure_is_one_line(
    function: object, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featviz.config.report.build", lambda *_: function)
    write_run(tmp_path)
    with caplog.at_level(logging.WARNING):
        write_pages(REPORT, tmp_path)
    (line,) = caplog.messages
    assert line.startswith("no pages: ")
    assert line.endswith(f"; task=report runs={tmp_path} writes them")
    assert "\n" not in line


def test_ctrl_c_ends_the_pages_and_the_program(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featviz.config.report.build", lambda *_: interrupted)
    write_run(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        write_pages(REPORT, tmp_path)
    assert caplog.messages == [f"interrupted: no pages; task=report runs={tmp_path} writes them"]
