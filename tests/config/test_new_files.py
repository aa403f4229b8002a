"""A command that is refused leaves the folder, and what lies above it, as they were."""

from pathlib import Path

import pytest
from program import PLAIN, SHORT, TINY, refused, run
from run_folders import write_run

from featviz.config.new_files import missing_folders, remember, remember_job, remove_job_files, remove_new_files


def everything() -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in Path().rglob("*")}


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


@pytest.mark.parametrize("there", [(), ("run/mine.txt",), ("run/.hydra/config.yaml", "run/featviz.log"), ("above/x",)])
def test_notes_go_and_what_was_there_stays(there: tuple[str, ...]) -> None:
    write(Path(), *there)
    before, folder = everything(), Path("run" if there else "above/it/run")
    remember(folder, missing_folders(folder))
    write(folder, ".hydra.new/config.yaml", "inputs.json", "manifest.json", "config.yaml")
    write(folder, *(name for name in ("featviz.log", ".hydra/config.yaml") if not (folder / name).exists()))
    remove_new_files()
    assert everything() == before


@pytest.mark.parametrize("result", ["results.csv", "checkpoints/a/image.ckpt", "top_filters.csv", "study.db"])
def test_what_has_been_computed_stays_with_its_notes(result: str) -> None:
    remember(Path("run"), missing_folders(Path("run")))
    write(Path("run"), ".hydra/config.yaml", "config.yaml", result)
    before = everything()
    remove_new_files()
    assert everything() == before


def test_a_folder_that_another_command_has_come_into_stays() -> None:
    remember(Path("above/run"), missing_folders(Path("above/run")))
    write(Path("above"), "run/.hydra/config.yaml", "other/.hydra/config.yaml")
    remove_new_files()
    assert set(everything()) == {
        Path("above"),
        *map(Path("above/other").joinpath, ("", ".hydra", ".hydra/config.yaml")),
    }


@pytest.mark.parametrize("there", [(), ("config.yaml", "images/a.png")])
def test_a_job_of_a_sweep_leaves_what_was_there(there: tuple[str, ...]) -> None:
    job = Path("sweep/0_job")
    write(job, *there, ".hydra/overrides.yaml", "featviz.log")
    before = everything()
    remember_job(job)
    write(job, "manifest.json", "inputs.json")
    remove_job_files()
    assert everything() == (before if there else {Path("sweep"): None})


EMPTY = "data=photos"  # a folder without any
REFUSED = {
    "before torch": (*SHORT, "seed=-1"),
    "by the network": (*SHORT, "layer=nope", *PLAIN),
    "into a folder that is there": (*SHORT, "layer=nope", "hydra.run.dir=photos"),
    "a judge": (*SHORT, "evidence.judges=[nope]"),
    "layers": ("task=layers", *TINY, "model.size=-3"),
    "top_filters": ("task=top_filters", *TINY, "photo=photos"),
    "exemplars": ("task=exemplars", *TINY, EMPTY),
    "atlas": ("task=atlas", *TINY, EMPTY),
    "spectrum": ("task=spectrum", EMPTY),
    "merge": ("task=merge", "runs=photos", "into=whole/of/it"),
    "merge into its own run": ("task=merge", "runs=run", "into=run"),
    "beside where one stands": (*SHORT, "exemplars=photos", "hydra.job.chdir=true", *PLAIN),
    "report": ("task=report", "runs=photos", "into=site"),
    "tune": ("task=tune", *SHORT, *PLAIN, "search.space={optimizer.lr:{low:a}}"),
}


@pytest.mark.end_to_end
@pytest.mark.parametrize("command", REFUSED)
def test_a_refusal_of_any_task_writes_nothing(command: str) -> None:
    Path("photos").mkdir()
    write_run(Path("run"))
    before = everything()
    refused(*REFUSED[command])
    assert everything() == before


@pytest.mark.end_to_end
def test_a_sweep_whose_jobs_are_refused_writes_nothing_and_keeps_what_was_there() -> None:
    sweep = ("-m", *SHORT, *PLAIN, "layer=second,first")
    assert run(*sweep, "seed=-1", "hydra.sweep.dir=above/there").status == 1
    assert not everything()
    assert run(*sweep[:-1], "layer=nope,second", "hydra.sweep.dir=there").status == 1
    assert [path.name for path in Path("there").glob("?_*")] == ["1_layer=second"]
    before = everything()
    assert run(*sweep[:-1], "layer=nope,second", "resume=there", "seed=1").status == 1
    assert everything() == before
