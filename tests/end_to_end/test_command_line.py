"""The program as a user types it: what a command means, what it prints, and what it leaves behind."""

import contextlib
import csv
import re
import resource
import shlex
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from configs import chosen, shortened
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from pictures import pixels, pngs, psnr
from PIL import Image
from program import SHORT, TINY, made, process, refused, run
from tiny_networks import Tiny

import featviz
from featviz.config.build import build
from featviz.config.compose import config_dir, group_options
from featviz.images.base import Image as Parametrization
from featviz.results.folder import read_rows

BARE = (*SHORT[:-2], "logger=none", "callbacks=none")
QUICK = (*BARE, *SHORT[-2:])
METHOD = ("image", "transforms", "regularizers", "gradients", "projections", "schedule", "optimizer", "lr_schedule")
GROUPS = {
    folder.name: group_options(folder.name)
    for folder in sorted(config_dir().iterdir())
    if folder.is_dir() and folder.name not in ("hydra", "experiment", "debug")
}
OPTIONS = [(group, option) for group, options in GROUPS.items() for option in options]
DESIGNED = "model layer filter recipe seed steps size activation start_activation status seconds image"


# the run folder


def test_the_run_folder_is_as_designed() -> None:
    folder = made(*SHORT, "filters=[0,13]", "seed=4")
    assert re.fullmatch(r"outputs/visualize/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", folder.as_posix())
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    images = {"images/second/0000.png", "images/second/0013.png"}
    sheets = {"grid_second.png", "response_matrix_second.png"}
    assert {name for name in found if name.endswith(".png")} == images | sheets
    assert {"results.csv", "config.yaml"} < found
    assert any(name.startswith("checkpoints/") for name in found)
    assert any(name.startswith("tensorboard/events.out.tfevents") for name in found)
    with (folder / "results.csv").open(newline="") as file:
        assert set(next(csv.reader(file))) >= set(DESIGNED.split())
    rows = read_rows(folder)
    assert [(row["filter"], row["image"], row["seed"], row["status"]) for row in rows] == [
        (0, "images/second/0000.png", 4, "ok"),
        (13, "images/second/0013.png", 4, "ok"),
    ]
    for row in rows:
        with Image.open(folder / row["image"]) as image:
            text = image.text  # type: ignore[attr-defined]
            assert image.size == (48, 48)
        told = {name: text[name] for name in ("model", "layer", "filter", "recipe", "seed", "activation")}
        assert told == {name: str(row[name]) for name in told}  # type: ignore[literal-required]
        assert text["Software"] == f"featviz {featviz.__version__}"


@pytest.mark.parametrize(
    ("logger", "left"),
    [
        ("none", set()),
        ("csv", {"csv"}),
        ("tensorboard", {"tensorboard"}),
        ("[tensorboard,csv]", {"csv", "tensorboard"}),
    ],
)
def test_loggers_leave_what_they_should(logger: str, left: set[str]) -> None:
    folder = made(*SHORT, f"logger={logger}", "callbacks.log.numbers_every=1")
    assert {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."} == {
        "images",
        "responses",
        "checkpoints",
        *left,
    }
    if "csv" in left:
        with (folder / "csv" / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["step"] for row in rows] == ["1", "2", "3"]
        assert {"activation/second/0000", "activation/second/0001", "lr", "size"} < set(rows[0])
    if "tensorboard" in left:
        assert len(list((folder / "tensorboard").glob("events.out.tfevents*"))) == 1


# the same again


def test_a_command_and_a_seed_make_the_same_bytes_and_another_seed_others() -> None:
    one, again, other = (pngs(made(*QUICK, f"seed={s}", output=name)) for s, name in ((5, "a"), (5, "b"), (6, "c")))
    assert one == again
    assert one.keys() == other.keys()
    # not for the seed in the PNG's text alone
    assert all(psnr(pixels_of(one[name]), pixels_of(other[name])) < 60 for name in one)


def pixels_of(content: bytes) -> torch.Tensor:
    Path("picture.png").write_bytes(content)
    return pixels(Path("picture.png"))


def test_a_filter_gets_the_same_picture_alone_and_among_eight() -> None:
    strong = (*QUICK, "schedule.steps=12", "optimizer.lr=0.05")
    together = made(*strong, "filters=0-7", output="together")
    alone = made(*strong, "filters=5", output="alone")
    picture = pixels(alone / "images/second/0005.png")
    assert psnr(picture, pixels(together / "images/second/0004.png")) < 40
    assert psnr(picture, pixels(together / "images/second/0005.png")) >= 40


def test_a_run_is_repeated_by_the_command_that_its_configuration_names() -> None:
    Path("it's a folder, odd=1 #2").mkdir()
    with contextlib.chdir("it's a folder, odd=1 #2"):
        folder = made(*BARE, "recipe=fg91_2019", "image.init.high=0.7", "schedule.stages=[[40,2],[48,2]]")
        (command,) = [line for line in (folder / "config.yaml").read_text().splitlines() if "--config-path" in line]
        python, m, name, *arguments = shlex.split(command.removeprefix("# "))
        assert [python, m, name] == ["python", "-m", "featviz"]
        again = made(*arguments, output="again")
        assert pngs(again) == pngs(folder)
        written, same = (OmegaConf.load(path / "config.yaml") for path in (folder, again))
        written.output = same.output
        assert written == same
        other = made(*arguments, "seed=1", output="other")  # and it is a configuration like any other
        assert pngs(other) != pngs(folder)


# configurations of one's own


def test_configurations_of_ones_own() -> None:
    files = {
        "nets.py": "from tiny_networks import Tiny\n\nclass Mine(Tiny):\n    pass\n",
        "mine/recipe/soft.yaml": """\
# @package _global_
defaults:
  - olah2017
  - override /schedule: octaves
  - override /optimizer: careful
recipe:
  name: soft
schedule:
  number: 2
""",
        "mine/optimizer/careful.yaml": "defaults: [adamw, _self_]\nlr: 0.003\n",
        "mine/model/mine.yaml": """\
_target_: featviz.models.sources.own.load
target: nets.Mine
weights: random
size: 48
stages: {layer3: second}
seed: ${seed}
""",
        "mine/experiment/both.yaml": """\
# @package _global_
name: both
defaults:
  - override /model: mine
  - override /recipe: soft
layer: layer3
filters: [0, 1]
schedule: {size: 40, steps: 2}
""",
    }
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    quick = ("--config-dir", "mine", "logger=none", "callbacks=none")
    folder = made(*quick, "+experiment=both")
    assert folder.parent == Path("outputs/both")
    rows = read_rows(folder)
    assert [row["filter"] for row in rows] == [0, 1]
    assert {(row["model"], row["recipe"], row["layer"], row["module"], row["size"], row["steps"]) for row in rows} == {
        ("Mine", "soft", "layer3", "second", 40, 2)
    }
    assert OmegaConf.load(folder / "config.yaml").optimizer == {
        "_target_": "torch.optim.AdamW",
        "_partial_": True,
        **chosen("optimizer=adamw").optimizer,
        "lr": 0.003,
    }
    pieces = made(*quick, *SHORT[-2:], "model=mine", "layer=layer3", "filters=0", "recipe=soft", output="pieces")
    assert [row["recipe"] for row in read_rows(pieces)] == ["soft"]
    assert "unknown recipe 'sof'; nearest: soft" in refused(*quick, "recipe=sof")


# what a command means


def test_a_recipe_presets_the_groups() -> None:
    cfg = chosen("recipe=fg91_2019")
    assert cfg.recipe.name == "fg91_2019"
    assert (cfg.image.bound, cfg.image.space, cfg.transforms) == ("none", "model", {})
    assert (len(cfg.schedule.stages), cfg.schedule.stages[0], cfg.schedule.blur) == (12, [56, 20], 5)
    assert (cfg.optimizer.lr, cfg.optimizer.weight_decay) == (0.1, 1e-6)
    assert chosen() == chosen("recipe=olah2017")


@pytest.mark.parametrize("recipe_first", [True, False])
def test_settings_on_the_command_line_win_over_the_recipes_wherever_they_stand(recipe_first: bool) -> None:
    typed = ["optimizer.lr=0.3", "schedule.blur=3", "redirect_steps=3", "image.space=picture"]
    cfg = chosen(*(["recipe=fg91_2019", *typed] if recipe_first else [*typed, "recipe=fg91_2019"]))
    assert (cfg.optimizer.lr, cfg.schedule.blur, cfg.redirect_steps, cfg.image.space) == (0.3, 3, 3, "picture")
    assert (cfg.schedule.stages[0], cfg.image.bound) == ([56, 20], "none")  # the others are still the recipe's


@pytest.mark.parametrize("recipe", GROUPS["recipe"])
def test_groups_on_the_command_line_win_over_the_recipes(recipe: str) -> None:
    """In mixtures: a setting of the recipe's for its own choice would be one too many for another."""
    changed = [group for group in METHOD if group in OmegaConf.load(config_dir() / "recipe" / f"{recipe}.yaml")]
    for at in range(max((len(GROUPS[group]) for group in changed), default=1)):
        mixture = {group: GROUPS[group][at % len(GROUPS[group])] for group in METHOD}
        cfg = chosen(f"recipe={recipe}", *(f"{group}={option}" for group, option in mixture.items()))
        for group, option in mixture.items():
            assert set(cfg[group]) == set(plain(group, option)), option


def test_the_start_of_a_recipes_pixels_can_be_another() -> None:
    for recipe in ("deepdream", "yosinski2015", "fg91_2019"):
        cfg = chosen(f"recipe={recipe}", "image/init=normal")
        assert cfg.image.init == {"_target_": "featviz.images.init.Normal", "mean": 0.5, "std": 0.01}
        assert cfg.image.bound == "none"
    assert chosen("image=pixel", "image/init=data_mean").image.init._target_ == "featviz.images.init.DataMean"


@cache
def plain(group: str, option: str) -> DictConfig:
    """What an option says where no recipe changes it."""
    return chosen("recipe=plain", f"{group}={option}")[group]


@pytest.mark.parametrize("at", range(max(len(options) for options in GROUPS.values())))
def test_every_option_composes_and_its_targets_exist(at: int) -> None:
    """In so many mixtures every option of every group comes at least once."""
    mixture = {group: options[at % len(options)] for group, options in GROUPS.items()}
    cfg = chosen(*(f"{group}={option}" for group, option in mixture.items()))
    assert cfg.recipe.name == mixture["recipe"]
    targets = targets_of(OmegaConf.to_container(cfg))
    for group, option in mixture.items():
        file = OmegaConf.load(config_dir() / group / f"{option}.yaml")
        assert set(targets_of(OmegaConf.to_container(file))) <= set(targets), (group, option)
    for target in set(targets):
        assert callable(get_object(target)), target


def targets_of(node: object) -> list[str]:
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own = [node["_target_"]] if isinstance(node, dict) and "_target_" in node else []
    return own + [target for child in below for target in targets_of(child)]


ROWS = max(len(GROUPS[group]) for group in METHOD if group != "transforms")


@pytest.mark.parametrize("at", range(ROWS))
def test_options_go_together(at: int) -> None:
    """In ``ROWS`` mixtures every option comes at least once; what needs pixels is refused where there are none."""
    mixture = {group: GROUPS[group][at % len(GROUPS[group])] for group in METHOD if group != "transforms"}
    Image.new("RGB", (60, 50), (200, 90, 30)).save("photo.png")
    if mixture["image"].startswith("photo"):
        mixture["image.path"] = "photo.png"
    typed = [f"{name}={value}" for name, value in mixture.items()]
    cfg = chosen(*typed)
    small = shortened(40, cfg.schedule)
    if not of_pixels(cfg) and wants_pixels(cfg):
        assert "image=pixel" in refused(*BARE, *typed, *small)
        assert not list(Path().rglob("results.csv"))
        typed += ["projections=none", "gradients=none", *["schedule.blur=null"] * ("blur" in cfg.schedule)]
    folder = made(*BARE, *typed, *small, "restarts=0", output="made")
    rows = read_rows(folder)
    assert [(row["filter"], row["status"] in ("ok", "dead")) for row in rows] == [(0, True), (1, True)]
    for row in rows:
        assert pixels(folder / row["image"]).shape == (row["size"], row["size"], 3)


def of_pixels(cfg: DictConfig) -> bool:
    image = build(cfg.image, "image")(size=16, generators=[torch.Generator()], mean=[0.5] * 3, std=[0.2] * 3)
    return type(image).project is not Parametrization.project


def wants_pixels(cfg: DictConfig) -> bool:
    gradients = [build(node, "gradients") for node in cfg.gradients.values()]
    return bool(cfg.projections or cfg.schedule.get("blur") or any(getattr(g, "of_pixels", False) for g in gradients))


def test_paths_are_relative_to_where_one_stands(tmp_path: Path) -> None:
    Path("weights").mkdir()
    torch.save(Tiny().state_dict(), "weights/net.pth")
    folder = made(*QUICK, "model.weights=weights/net.pth", output="here/below")
    assert (tmp_path / folder / "results.csv").exists()
    assert read_rows(folder)[0]["weights"].endswith("weights/net.pth")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "weights"]
    assert Path.cwd() == tmp_path


# debugging


def test_a_fast_run_wins_over_the_experiment_and_what_is_typed_over_both() -> None:
    folder = made("debug=fast", "experiment=photo", *TINY, "layer=[first]", "logger=none", output="out")
    assert folder.parent == Path("out/debug")
    (row,) = read_rows(folder)[:1]
    assert (row["size"], row["steps"]) == (64, 2)
    folder = made("debug=fast", *TINY, "layer=first", "schedule.steps=1", "name=mine", output="typed")
    assert [(row["filter"], row["size"], row["steps"]) for row in read_rows(folder)] == [(0, 64, 1)]
    assert folder.parent == Path("typed/mine")


def test_the_profiler_says_where_the_time_went() -> None:
    folder = made(*QUICK, "debug=profiler")
    assert "run_training_epoch" in (folder / "fit-profile.txt").read_text()


# several runs


def test_a_multirun_has_a_folder_for_each_job_and_a_summary() -> None:
    outcome = run("-m", *QUICK, "layer=first,second", "optimizer.lr=0.01,0.1", "output=sweeps")
    assert outcome.status == 0, outcome
    (sweep,) = Path("sweeps/visualize").iterdir()
    jobs = sorted(path for path in sweep.iterdir() if path.is_dir())
    swept = [("first", "0.01"), ("first", "0.1"), ("second", "0.01"), ("second", "0.1")]
    for at, (job, (layer, lr)) in enumerate(zip(jobs, swept, strict=True)):
        assert job.name.startswith(f"{at}_")
        assert {f"layer={layer}", f"optimizer.lr={lr}"} <= set(job.name.partition("_")[2].split(","))
        assert "output=" not in job.name
        assert {row["layer"] for row in read_rows(job)} == {layer}
    with (sweep / "summary.csv").open(newline="") as file:
        rows = [(row["job"], row["layer"], row["optimizer.lr"], row["filter"]) for row in csv.DictReader(file)]
    assert rows == [(job.name, *chosen, n) for job, chosen in zip(jobs, swept, strict=True) for n in "01"]
    with Image.open(sweep / "summary.png") as image:
        assert image.width > 2 * 48
        assert image.height > 4 * 48
    assert re.search(r"^Summary: sweeps/visualize/\S+/summary.png and .csv \(4 of 4 runs", outcome.out, re.M)
    again = made("--config-path", str(jobs[3].resolve()), "--config-name", "config", output="again")
    assert pngs(again) == pngs(jobs[3])


@pytest.mark.process
def test_a_multirun_with_many_settings() -> None:
    many = ["model.mean=[0.485,0.456,0.406]", "model.std=[0.229,0.224,0.225]", f"model.name={'long' * 20}"]
    done = process("-m", *QUICK, *many, "layer=first,second")
    assert done.status == 0
    assert "Traceback" not in done.err  # nor where the first job fails before torch is imported


def test_a_multirun_whose_sign_comes_after_the_settings() -> None:
    assert run(*QUICK, "-m", "layer=first,second").status == 0


def test_a_run_is_repeated_from_a_relative_folder() -> None:
    folder = made(*QUICK)
    assert pngs(made("--config-path", str(folder), "--config-name", "config", output="again")) == pngs(folder)


def test_an_older_runs_configuration_that_lacks_a_setting() -> None:
    folder = made(*QUICK)
    file = folder / "config.yaml"
    file.write_text(re.sub("^batch_size: .*\n", "", file.read_text(), flags=re.M))
    line = refused("--config-path", str(folder.resolve()), "--config-name", "config", "output=again")
    assert "batch_size" in line


# what is printed


def cells(printed: str) -> list[dict[str, str]]:
    head, *rows = [
        [cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in printed.splitlines() if line[0] in "│┃"
    ]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_table_of_layers() -> None:
    outcome = run(*TINY, "task=layers")
    assert outcome.status == 0
    assert "Tiny (random weights): 3 x 48 x 48 px" in outcome.out
    rows = {row["layer"]: row for row in cells(outcome.out)}
    assert list(rows) == ["first", "bn", "act", "second", "pair", "last", "unused"]
    expected = {"layer": "second", "type": "Conv2d", "output": "[1, 20, 12, 12]", "filters": "20", "stride": "4"}
    assert {name: rows["second"][name] for name in expected} == expected
    assert (rows["pair"]["output"], rows["pair"]["filters"]) == ("a tuple", "")
    assert [rows["unused"]["calls"], rows["first"]["calls"]] == ["0", "1"]


def test_the_table_of_the_default_models_layers_names_its_stages() -> None:
    outcome = run("task=layers")
    rows = cells(outcome.out)
    assert {row["stage"]: (row["layer"], row["stride"]) for row in rows if row["stage"]} == {
        "layer1": ("blocks.1.1", "4"),
        "layer2": ("blocks.2.1", "8"),
        "layer3": ("blocks.4.2", "16"),
        "layer4": ("blocks.6.0", "32"),
    }
    assert all(row["layer"] and row["type"] and "…" not in "".join(row.values()) for row in rows)
    assert len(rows) > 100
    assert outcome.err == ""


@pytest.mark.process
@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["--cfg", "job", "+experiment=layer4_sweep"]])
def test_help_and_configuration_come_at_once(arguments: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = process(*arguments, PYTHONPROFILEIMPORTTIME="1")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.status == 0
    imported = {line.rpartition("|")[2].strip() for line in done.err.splitlines() if line.startswith("import time:")}
    assert "featviz.config.compose" in imported
    assert not {"torch", "lightning", "numpy", "PIL"} & imported
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    if arguments == ["--help"]:
        words = set(re.split(r"[\s,:]+", done.out))
        assert {*GROUPS, *(option.rpartition("/")[2] for _, option in OPTIONS), "layer4_sweep", "profiler"} <= words
    else:
        shown = yaml.safe_load(done.out)
        assert {*GROUPS, "layer", "filters", "seed"} <= set(shown)


@pytest.mark.process
def test_without_a_terminal_there_is_one_line_of_progress_and_nothing_of_lightnings() -> None:
    # the name of a terminal must not bring control sequences into a pipe, nor one of few letters an error
    done = process(*SHORT, "trainer=cpu", TERM="xterm-256color", FORCE_COLOR="", PYTHONIOENCODING="ascii")
    assert done.status == 0, done
    (folder,) = Path("outputs/visualize").iterdir()
    assert done.out.splitlines() == [
        "Tiny (random weights): its pictures say nothing about a trained network",
        "Tiny: 1 of 1 batch norms folded, channels last in memory, not compiled, on cpu with 1 thread in float32",
        f"{folder.resolve()}: 2 ok",
    ]
    (line,) = done.err.splitlines()
    assert line.startswith("second filter 0 to 1 ")
    assert re.search(r" 3/3 48 px  activation -?\d", line)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.out + done.err)
