"""Which run folders are meant by what people type."""

from pathlib import Path

import pytest
from refusals import assert_refused
from run_folders import write_exemplars, write_run

from featviz.pages.find import EXPECTED, find_runs, has_runs


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs of ``visualize``, one of exemplars, and a sweep of two."""
    for name in ("visualize/1", "visualize/2", "sweep/9/0_a=1", "sweep/9/10_a=1", "sweep/9/2_a=1"):
        write_run(tmp_path / "outputs" / name)
    write_exemplars(tmp_path / "outputs/exemplars/1", units=(0,), k=1)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "outputs"


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["outputs/visualize/1"], ["visualize/1"]),
        (
            ["outputs/visualize/2", "outputs/visualize/1", "outputs/visualize/../visualize/2"],
            ["visualize/2", "visualize/1"],
        ),
        (["outputs/visualize"], ["visualize/1", "visualize/2"]),
        (["outputs/visualize/*"], ["visualize/1", "visualize/2"]),
        (["outputs/*/1"], ["exemplars/1", "visualize/1"]),
        (["outputs/sweep/9"], ["sweep/9/0_a=1", "sweep/9/2_a=1", "sweep/9/10_a=1"]),
        (["outputs/sweep/*"], ["sweep/9/0_a=1", "sweep/9/2_a=1", "sweep/9/10_a=1"]),
    ],
)
def test_folders_sweeps_and_patterns(texts: list[str], names: list[str], outputs: Path) -> None:
    assert [run.resolve().relative_to(outputs).as_posix() for run in find_runs(texts)] == names
    absolute = [str(outputs.parent / text) for text in texts]
    assert [run.resolve().relative_to(outputs).as_posix() for run in find_runs(absolute)] == names


@pytest.mark.parametrize(
    ("texts", "got", "right"),
    [
        ([], [], EXPECTED),
        (["outputs/visualise"], "visualise", "visualize"),
        (["outputs/nothing*"], "outputs/nothing*", EXPECTED),
        (["outputs/visualize/1/images"], "outputs/visualize/1/images", EXPECTED),
        (["outputs/visualize/1", "outputs/visualize/1/images"], "outputs/visualize/1/images", EXPECTED),
    ],
)
@pytest.mark.usefixtures("outputs")
def test_what_is_no_run_is_refused(texts: list[str], got: object, right: str) -> None:
    assert_refused(lambda: find_runs(texts), "runs", got, right)


def test_a_sweep_has_runs_and_other_folders_have_none(outputs: Path) -> None:
    assert [has_runs(outputs / name) for name in ("visualize/1", "sweep/9", "visualize/1/images")] == [
        True,
        True,
        False,
    ]
