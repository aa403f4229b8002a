"""task=report and featviz.report: pages of runs that are finished; and those that runs write themselves."""

import shutil
from pathlib import Path

import pytest
from program import SHORT, made, refused, run
from run_folders import site_data, write_exemplars, write_run

import featviz
from featviz.errors import FeatvizError
from featviz.results.completion import damaged


@pytest.fixture(autouse=True)
def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.end_to_end
def test_runs_are_put_together_in_a_folder_that_holds_nothing_else() -> None:
    write_run(Path("a"))
    write_exemplars(Path("b"))
    outcome = run("task=report", "runs=[a,b]", "into=site")
    assert (outcome.status, outcome.out.splitlines()) == (0, [f"{Path('site/index.html').resolve()}"])
    assert names(Path("site")) == {"index.html", "report"}
    assert [one["label"] for one in site_data(Path("site"))["runs"]] == ["a", "b"]


@pytest.mark.end_to_end
def test_the_pages_of_one_run_go_into_its_folder_which_stays_as_it_is() -> None:
    folder = write_run(Path("outputs/a"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run("task=report", "runs=outputs/a").status == 0
    assert {path: path.read_bytes() for path in before} == before
    assert names(folder) == {"images", "results.csv", "manifest.json", "config.yaml", ".hydra", "index.html", "report"}
    assert names(folder / ".hydra") == {"overrides.yaml"}


@pytest.mark.end_to_end
def test_files_are_taken_along_where_that_is_asked_for() -> None:
    write_run(Path("a"))
    assert run("task=report", "runs=a", "into=site", "copy=true").status == 0
    shutil.rmtree("a")
    assert len(list(Path("site").rglob("*.png"))) == 3


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runs=nowhere", "into=site"], "runs: there is no folder 'nowhere'"),
        (["runs=photos", "into=site"], "runs: 'photos' is no run; expected the folder of a run"),
        (["runs=a*"], "into is null; expected the folder for the pages"),
        (["runs=a", "layer=layer3"], "task=report does not use layer"),
        (["runs=a", "copy=perhaps"], "copy is 'perhaps'; expected true or false"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], words: str) -> None:
    write_run(Path("a"))
    Path("photos").mkdir()
    assert refused("task=report", *arguments).startswith(words)
    assert not Path("site/index.html").exists()


def test_python_takes_a_folder_or_several() -> None:
    one, two = write_run(Path("a")), write_run(Path("b"))
    assert featviz.report("a") == one / "index.html"
    assert featviz.report([one, two], into="site") == Path("site/index.html")
    assert len(site_data(Path("site"))["runs"]) == 2
    with pytest.raises(FeatvizError) as missing:
        featviz.report([one, two])
    assert missing.value.setting == "into"


@pytest.mark.end_to_end
def test_a_run_writes_its_pages_whose_edits_are_no_damage_and_makes_missing_ones_again() -> None:
    folder = made(*SHORT, "logger=none", "callbacks=none")
    page = (folder / "index.html").read_bytes()
    (layer,) = [one for one in site_data(folder)["models"][0]["layers"] if one["file"]]
    assert (layer["module"], layer["with_pictures"]) == ("second", 2)
    pictures = {path: path.stat().st_mtime_ns for path in (folder / "images").rglob("*.png")}
    (folder / "index.html").write_text("edited")
    assert damaged(folder) == set()
    (folder / "index.html").unlink()
    assert run(*SHORT, "logger=none", "callbacks=none", f"resume={folder}").status == 0
    assert (folder / "index.html").read_bytes() == page
    assert {path: path.stat().st_mtime_ns for path in pictures} == pictures


@pytest.mark.end_to_end
def test_a_sweep_has_pages_of_all_its_jobs() -> None:
    plain = ("logger=none", "callbacks=none", "evidence=none")
    assert run("-m", *SHORT, *plain, "optimizer.lr=0.02,0.05", "hydra.sweep.dir=sweep").status == 0
    site = site_data(Path("sweep"))
    assert [one["label"] for one in site["runs"]] == ["0_lr=0.02", "1_lr=0.05"]
    assert len(site["models"]) == 1
    assert all((Path("sweep") / one["folder"] / "index.html").is_file() for one in site["runs"])
