"""Which folder a command writes into: a new one, made by it alone, or that of the same run."""

from functools import partial
from pathlib import Path

import pytest
from configs import chosen
from omegaconf import OmegaConf
from processes import Forked
from program import PLAIN, SHORT, TINY, made, refused, run
from refusals import assert_refused

from featviz.results.folder import read_rows
from featviz.runs.new_folder import EARLIER_NAMES, check_names, made_alone

QUIET = (*SHORT, *PLAIN)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_made_by_one_only(tmp_path: Path) -> None:
    names = [made_alone(tmp_path / "a/now").name for _ in range(3)]
    assert names == ["now", "now_2", "now_3"]


@pytest.mark.parametrize("setting", ["output", "name", "resume", "into"])
def test_a_folder_is_named_by_text(setting: str) -> None:
    check_names(chosen())
    for wrong in ("", [], ["a"], {"a": 1}, *([None] if setting in ("output", "name") else [])):
        config = chosen()
        OmegaConf.update(config, setting, wrong, force_add=True)
        assert_refused(partial(check_names, config), setting, config[setting], expected_of(setting))


def expected_of(setting: str) -> str:
    return "the name of a folder" + ("" if setting in ("output", "name") else ", or null")


@pytest.mark.end_to_end
@pytest.mark.parametrize("typed", ["output=", "output=null", "name=[a]", "-m name= seed=0,1"])
def test_a_folder_without_a_name_is_not_written_into(typed: str) -> None:
    before = set(Path("/").iterdir())
    assert refused(*QUIET, *typed.split()).endswith("expected the name of a folder")
    assert set(Path("/").iterdir()) == before
    assert not list(Path().iterdir())


@pytest.mark.process
@pytest.mark.end_to_end
def test_runs_that_start_in_the_same_second_have_a_folder_each() -> None:
    """Time stands still for Hydra, so that the seconds are surely the same."""
    still = (
        "import datetime, hydra.core.utils, omegaconf\n"
        "from omegaconf import OmegaConf\n"
        "old = OmegaConf.register_new_resolver\n"
        "def new(name, resolver, **more):\n"
        "    old(name, (lambda pattern: '2026-01-01') if name == 'now' else resolver, **more)\n"
        "OmegaConf.register_new_resolver = new\n"
        "hydra.core.utils.OmegaConf.register_new_resolver = new\n"
    )
    runs = [Forked(*QUIET, f"seed={seed}", first=still) for seed in range(3)]
    assert [one.wait().status for one in runs] == [0, 0, 0]
    folders = sorted(Path("outputs/visualize").iterdir())
    assert [folder.name for folder in folders] == ["2026-01-01", "2026-01-01_2", "2026-01-01_3"]
    assert {read_rows(folder)[0]["seed"] for folder in folders} == {0, 1, 2}


@pytest.mark.end_to_end
@pytest.mark.parametrize("more", [("resume=there",), ("hydra.run.dir=there",)], ids=["resume", "by hand"])
def test_what_is_refused_has_written_nothing(more: tuple[str, ...]) -> None:
    assert run(*QUIET, "hydra.run.dir=there").status == 0
    before = files(Path("there"))
    line = refused(*QUIET, "opacity=true", *more)
    assert "another run: opacity was False and is True" in line
    assert files(Path("there")) == before


@pytest.mark.end_to_end
def test_the_same_command_goes_on_in_a_folder_that_was_typed() -> None:
    for _ in range(2):
        assert run(*QUIET, "hydra.run.dir=there").status == 0
    first = files(Path("there"))
    Path("there/images/second/0001.png").unlink()
    assert run(*QUIET, "hydra.run.dir=there").status == 0
    assert {name for name in files(Path("there")) if "checkpoints" not in name} == {
        n for n in first if "checkp" not in n
    }


@pytest.mark.end_to_end
def test_a_run_that_was_killed_before_its_configuration_is_begun() -> None:
    Path("there/.hydra").mkdir(parents=True)
    assert run(*QUIET, "resume=there").status == 0
    assert len(read_rows("there")) == 2


@pytest.mark.end_to_end
def test_a_run_that_was_killed_before_its_configuration_goes_on_by_its_own_command_only() -> None:
    begun = Path("there/.hydra/overrides.yaml")
    begun.parent.mkdir(parents=True)
    begun.write_text("".join(f"- {typed}\n" for typed in (*QUIET, "seed=3")))
    line = refused(*QUIET, "optimizer.lr=0.5", "resume=there")
    assert "another run: seed was 3 and is not typed, optimizer.lr was not typed and is 0.5" in line
    assert files(Path("there")).keys() == {".hydra/overrides.yaml"}
    assert run(*QUIET, "seed=3", "resume=there").status == 0
    assert {row["seed"] for row in read_rows("there")} == {3}


@pytest.mark.end_to_end
def test_a_folder_in_which_a_command_has_failed_is_that_of_the_next_one() -> None:
    refused(*QUIET, "layer=lay", "hydra.run.dir=there")
    assert run(*QUIET, "hydra.run.dir=there").status == 0
    assert "layer=lay\n" not in Path("there/.hydra/overrides.yaml").read_text()


@pytest.mark.end_to_end
@pytest.mark.parametrize("folder", ["nope", "/", "empty"])
def test_what_is_no_run_is_not_gone_on_with(folder: str) -> None:
    Path("empty").mkdir()
    words = {"nope": "there is no such folder", "/": "/ is the root of the disk"}
    assert words.get(folder, "there is no config.yaml of a run") in refused(*QUIET, f"resume={folder}")
    assert sorted(path.name for path in Path().iterdir()) == ["empty"]
    assert not list(Path("empty").iterdir())


@pytest.mark.end_to_end
def test_a_sweep_that_is_refused_keeps_what_its_jobs_were_told() -> None:
    assert run("-m", *QUIET, "seed=0,1").status == 0
    (folder,) = Path("outputs/visualize").iterdir()
    told = {path: path.read_bytes() for path in folder.rglob(".hydra/*")}
    assert run("-m", *QUIET, "seed=0,1", "schedule.steps=5", f"resume={folder}").status == 1
    assert {path: path.read_bytes() for path in folder.rglob(".hydra/*")} == told
    assert not list(folder.rglob(".hydra.new"))
    assert run("-m", *QUIET, "seed=0,1", f"resume={folder}").status == 0


@pytest.mark.end_to_end
def test_tasks_refuse_what_they_would_ignore() -> None:
    Path("x").mkdir()
    task = (*TINY, "task=exemplars", "data=x", "layer=second")
    assert refused(*task, "shard=1/2").startswith("task=exemplars does not use shard; expected it left out")
    assert refused(*task, "schedule.steps=5").startswith("task=exemplars does not use schedule.steps")
    assert refused(*task, "batch_size=-5") == "batch_size is -5; expected 1 or more, or auto"
    assert refused(*task, "trainer.accelerator=nope").startswith("trainer: ")
    assert refused("task=layers", *TINY, "filters=1").startswith("task=layers does not use filters")
    assert refused("task=layers", *TINY, "resume=nope").startswith("resume=")


@pytest.mark.end_to_end
def test_a_folder_of_another_kind_of_run() -> None:
    folder = made(*QUIET)
    assert "is another run: " in refused(*TINY, "task=exemplars", f"data={folder}", f"resume={folder}")


@pytest.mark.end_to_end
def test_a_sweep_of_an_earlier_version_goes_on_in_the_folders_that_it_has() -> None:
    sweep = ("-m", *SHORT, "optimizer.lr=0.01,0.02", "hydra.sweep.dir=sweep")
    assert run(*sweep, f"hydra.sweep.subdir='{EARLIER_NAMES}'").status == 0
    folders = {path.name for path in Path("sweep").glob("?_*")}
    assert folders == {"0_optimizer.lr=0.01", "1_optimizer.lr=0.02"}
    assert run(*sweep, "resume=sweep").status == 0
    assert {path.name for path in Path("sweep").glob("?_*")} == folders
