"""Every experiment that ships runs, with fewer steps and smaller pictures, and sums itself up."""

import csv
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from configs import chosen, shortened
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, ListConfig
from program import PLAIN, TINY, Outcome, run

from featviz.config.build import build
from featviz.config.compose import config_dir, register_resolvers
from featviz.results.folder import read_rows

EXPERIMENTS = sorted(file.stem for file in (config_dir() / "experiment").glob("*.yaml"))
OF_PICTURES = [each for each in EXPERIMENTS if each not in ("tune", "compare_recipes")]  # which have tests of their own
AT_HAND = ("efficientnet_lite0", "resnet18")  # what a sweep over models takes here, with random weights
OF_THE_DEFAULT_MODEL = "layer4_sweep"  # others have a small one in its place
SMALL_MODEL = ("model=own", "model.target=tiny_networks.Stages", "model.size=64")


@pytest.fixture(autouse=True)
def _without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no weights"))


def with_hydra(experiment: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", [f"+experiment={experiment}"], return_hydra_config=True)


def swept(cfg: DictConfig) -> dict[str, list[str]]:
    """The values of each setting that an experiment sweeps over, as Hydra reads them."""
    params = cfg.hydra.sweeper.params or {}
    read = OverridesParser.create().parse_overrides([f"{name}={value}" for name, value in params.items()])
    return {
        one.get_key_element(): list(one.sweep_string_iterator()) if one.is_sweep_override() else [str(one.value())]
        for one in read
    }


@cache
def plan(experiment: str) -> tuple[list[str], dict[str, list[str]]]:
    """The overrides that make an experiment small, and the values that it sweeps over."""
    cfg = with_hydra(experiment)
    sweeps = swept(cfg)
    small = [*PLAIN, "restarts=0", "fold=false", "output=outputs"]
    for name, values in sweeps.items():
        if name == "layer" or "." in name:  # of numbers and layers the two ends, of a model that takes long one
            sweeps[name] = values[:1] if experiment == OF_THE_DEFAULT_MODEL else [values[0], values[-1]]
            small.append(f"{name}={','.join(sweeps[name])}")
    if "model" in sweeps:
        assert AT_HAND[0] in sweeps["model"]
        sweeps["model"] = list(AT_HAND)
        small += [f"model={','.join(AT_HAND)}"]
    elif experiment != OF_THE_DEFAULT_MODEL:
        small += SMALL_MODEL
    if experiment != OF_THE_DEFAULT_MODEL:
        small += ["model.weights=random"]
    small += ["filters=[0,1]"] if "filters" not in sweeps else []
    small += ["top=1"] if "top" in cfg else []
    small += ["budget=0.01"] if cfg.budget is not None else []
    about = {name: values for name, values in sweeps.items() if name.partition(".")[0] in ("schedule", "recipe")}
    kinds = [
        chosen(f"+experiment={experiment}", *(f"{name}={value}" for name, value in zip(about, values, strict=True)))
        for values in product(*about.values())
    ]
    shorter = shortened(64, *(kind.schedule for kind in kinds))
    return [*small, *(text for text in shorter if text.partition("=")[0] not in sweeps)], sweeps


def jobs_of(experiment: str, outcome: Outcome, count: int) -> tuple[Path, list[Path]]:
    assert outcome.status == 0, outcome
    assert "Traceback" not in outcome.err
    (folder,) = Path("outputs", experiment).iterdir()
    jobs = [path.parent for path in folder.rglob("results.csv")]
    if count > 1:  # numbered
        jobs.sort(key=lambda job: int(job.name.split("_")[0]))
    assert len(jobs) == count, outcome
    return folder, jobs


@pytest.mark.end_to_end
@pytest.mark.parametrize("experiment", OF_PICTURES)
def test_an_experiment_runs_and_sums_itself_up(experiment: str) -> None:
    cfg = chosen(f"+experiment={experiment}")
    small, sweeps = plan(experiment)
    outcome = run(f"+experiment={experiment}", *small)
    values = list(product(*sweeps.values()))
    folder, jobs = jobs_of(experiment, outcome, len(values))
    layers = len(cfg.layer) if isinstance(cfg.layer, ListConfig) else 1
    for job in jobs:
        rows = read_rows(job)
        assert len(rows) == layers * ((cfg.get("top") and 1) or 2)
        assert {row["status"] for row in rows} <= {"ok", "dead"}
        assert all((job / row["image"]).is_file() for row in rows)
    if not sweeps:
        assert not (folder / "summary.csv").exists()
        return
    with (folder / "summary.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    found = [(row["job"], row["layer"], row["filter"]) for row in table]
    assert found == [(job.name, row["layer"], str(row["filter"])) for job in jobs for row in read_rows(job)]
    assert all((folder / row["image"]).is_file() for row in table)
    assert (folder / "summary.png").is_file()
    per_job = [next(row for row in table if row["job"] == job.name) for job in jobs]
    several = [name for name in sweeps if len(sweeps[name]) > 1]
    assert [tuple(row[name] for name in several) for row in per_job] == [
        tuple(value for name, value in zip(sweeps, each, strict=True) if name in several) for each in values
    ]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_names_its_folder_and_sets_nothing_twice(experiment: str) -> None:
    cfg = with_hydra(experiment)
    assert cfg.name == experiment
    assert (cfg.hydra.mode is not None and cfg.hydra.mode.name == "MULTIRUN") == bool(cfg.hydra.sweeper.params)
    assert all(len(set(values)) == len(values) for values in swept(cfg).values())


@pytest.mark.end_to_end
def test_a_sweep_is_replaced_and_narrowed_on_the_command_line() -> None:
    small = [*TINY, "layer=first", "filters=[0,1]", "schedule.size=32", "schedule.steps=1", "logger=none"]
    typed = ["optimizer.lr=0.1,0.2,0.3", "schedule=constant", "callbacks=none"]
    outcome = run("+experiment=layer4_sweep", *small, *typed)
    _, jobs = jobs_of("layer4_sweep", outcome, 3)
    said = [
        dict(text.split("=", 1) for text in outcome.out.split(f"#{at} : ")[1].split()[:20] if "=" in text)
        for at in range(3)
    ]
    assert [(each["optimizer.lr"], each["schedule"]) for each in said] == [
        ("0.1", "constant"),
        ("0.2", "constant"),
        ("0.3", "constant"),
    ]
    assert {row["steps"] for job in jobs for row in read_rows(job)} == {1}


def test_the_models_of_a_sweep_are_named_as_its_file_says(tmp_path: Path) -> None:
    """Where weights have been downloaded, they are swept over too."""
    weights = tmp_path / "no weights/hub/checkpoints"
    lite = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]  # in packages
    assert swept(with_hydra("model_sweep"))["model"] == lite
    weights.mkdir(parents=True)
    (weights / "resnet18-f37072fd.pth").touch()
    assert swept(with_hydra("model_sweep"))["model"] == [*lite, "resnet18"]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_each_experiment_is_fast_for_debugging(experiment: str) -> None:
    sweeps = {name: values for name, values in swept(with_hydra(experiment)).items() if name not in ("model", "layer")}
    last = [f"{name}={values[-1]}" for name, values in sweeps.items()]
    cfg = chosen(f"+experiment={experiment}", "+debug=fast", *last)
    schedule = build(cfg.schedule, "schedule")
    assert schedule.total_steps <= 12
    assert schedule.final_size <= 64
    assert (cfg.filters, cfg.restarts, cfg.budget, cfg.name) == (0, 0, None, "debug")
    typed = chosen(f"+experiment={experiment}", "+debug=fast", *last, "schedule.steps=20", "filters=3")
    assert (build(typed.schedule, "schedule").total_steps, typed.filters) == (20, 3)


@pytest.mark.parametrize("recipe", ["fg91_2019", "horama", "deepdream"])
def test_recipes_with_schedules_of_their_own_are_fast_for_debugging(recipe: str) -> None:
    schedule = build(chosen(f"recipe={recipe}", "+debug=fast").schedule, "schedule")
    assert schedule.total_steps <= 12
    assert schedule.final_size <= 64
