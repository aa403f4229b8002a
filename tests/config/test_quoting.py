"""Names and paths reach the configuration as they were typed: alone, in lists, in sweeps, and from Python."""

import itertools
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from refusals import assert_refused

from featviz.config.arguments import hydra_arguments
from featviz.config.compose import compose_default, config_dir, folder_name, group_options, job_folder, resolved_yaml
from featviz.config.quoting import TEXT, keep_text, kind_of, literals, quoted, split_commas, unquoted
from featviz.config.signatures import read_arguments

LETTERS = [*"ab1.=,[](){}'\"\\$ :/~-éß😀#%!&*?+@|;_", "${", "${x}", "\\${", "epoch=9", "1e1", "null", "\t"]
#: What Hydra's grammar reads as something else, or not at all.
HARD = [
    "1.10", "0", "007", "1e1", ".5", "1_000", "2024_11_25", "0x10", "inf", "nan", "True", "off", "1-2", "-1",
    "epoch=9-step=100.ckpt", "my photo (1).jpg", "a[1].png", "x{1}.png", "it's.jpg", 'say "hi".png', "ünï.jpg",
    "😀.png", "a${b}.jpg", "a${",
    "$HOME", "back\\slash", "end\\", "#1.png", "50%.png", "a&b;c|d", "~user", "a: b", "*", "!x",
]  # fmt: skip
ONE = ["output", "model.weights", "layer", "data", "image.path", "objective.photo", "model.stages.layer1", "resume"]


def read_back(argument: str) -> object:
    """The value that Hydra and OmegaConf make of an argument."""
    override = OverridesParser.create().parse_override(argument)
    assert not override.is_sweep_override()
    return OmegaConf.to_container(OmegaConf.create({"it": override.value()}), resolve=True)["it"]


def jobs(argument: str) -> list[str]:
    """The values of a sweep's jobs."""
    override = OverridesParser.create().parse_override(argument)
    assert override.is_sweep_override()
    return [read_back(f"it={text}") for text in override.sweep_string_iterator()]


def test_every_text_survives_the_quotes() -> None:
    draw = random.Random(0)
    texts = ["".join(draw.choices(LETTERS, k=draw.randint(1, 9))) for _ in range(500)]
    for text in texts:
        assert read_back(f"it={quoted(text)}") == text
        assert unquoted(quoted(text)) == text


@pytest.mark.parametrize("setting", ONE)
def test_one_text(setting: str) -> None:
    for text in HARD:
        if "${" in text and setting in ("output", "resume"):
            assert_refused(partial(keep_text, f"{setting}={text}"), setting, text, "")
        else:
            assert read_back(keep_text(f"{setting}={text}")) == text, text
            assert keep_text(keep_text(f"{setting}={text}")) == keep_text(f"{setting}={text}")


@pytest.mark.parametrize("setting", ["layer", "data", "photo", "runs", "objective.photo"])
def test_several_texts(setting: str) -> None:
    plain = [text for text in HARD if "[" not in text and "{" not in text and "'" not in text]
    for first, second in itertools.pairwise(plain):
        for typed in (f"{first},{second}", f"[{first},{second}]"):
            assert read_back(keep_text(f"{setting}={typed}")) == [first, second]


def test_jobs_of_a_sweep() -> None:
    assert jobs(keep_text("layer=1.1,1.10", sweeps=True)) == ["1.1", "1.10"]
    assert jobs(keep_text("layer=[1.1,1.10],[0]", sweeps=True)) == [["1.1", "1.10"], ["0"]]
    assert jobs(keep_text("layer=choice(1.1,1.10)", sweeps=True)) == ["1.1", "1.10"]
    assert jobs(keep_text("model.weights=epoch=1.ckpt,epoch=2.ckpt", sweeps=True)) == ["epoch=1.ckpt", "epoch=2.ckpt"]
    assert hydra_arguments(["-m", "layer=1.1,b"]) == ["-m", "layer='1.1',b"]
    assert folder_name("layer='1.10',output='a/b'") == "layer=1.10,output=a_b"


def test_what_means_something_to_hydra_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOS", "/photos")
    assert read_back(keep_text("resume=null")) is None
    assert read_back(keep_text("layer='1.10'")) == "1.10"
    assert read_back(keep_text('layer="1.10"')) == "1.10"
    assert read_back(keep_text("data=${oc.env:PHOTOS}/cats (1)")) == "/photos/cats (1)"
    assert keep_text("name=${task.name}_2") == "name='${task.name}_2'"
    assert read_back(keep_text("model.stages={layer1:1.10,layer2:0}")) == {"layer1": "1.10", "layer2": "0"}
    assert keep_text("objective.vectors=[1.0,2.0]") == "objective.vectors=[1.0,2.0]"
    for other in ("seed=1", "optimizer.lr=0.10", "model.kwargs.depth=3", "~data", "filters=0-7", "layer="):
        assert keep_text(other) == other


def test_a_file_of_the_whole_name_is_one_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a,b.jpg", "[1,2].jpg", "[x]", "${seed}"):
        (tmp_path / name).touch()
        assert read_back(keep_text(f"data={name}")) == name
        assert read_back(keep_text(f"data={name}", sweeps=True)) == name


def test_from_python() -> None:
    cfg = compose_default(["layer=0,1.10", "output=2024_11_25", "model=own", "model.weights=epoch=9-step=100.ckpt"])
    assert (list(cfg.layer), cfg.output, cfg.model.weights) == (["0", "1.10"], "2024_11_25", "epoch=9-step=100.ckpt")
    cfg.layer = literals(["a${b", "1.10", "${seed}"])
    assert list(cfg.layer) == ["a${b", "1.10", "${seed}"]


def test_a_configuration_is_created_again_from_its_yaml() -> None:
    cfg = OmegaConf.create(literals({"photo": "a${b}.jpg", "layer": ["1.10", "x${"], "seed": 1}))
    again = OmegaConf.create(resolved_yaml(cfg))
    assert OmegaConf.to_container(again, resolve=True) == {"photo": "a${b}.jpg", "layer": ["1.10", "x${"], "seed": 1}


def test_commas_in_brackets_and_quotes_part_nothing() -> None:
    assert split_commas("a, [b,c],{d:e,f:g},'h,i',j(k,l)") == ["a", "[b,c]", "{d:e,f:g}", "'h,i'", "j(k,l)"]


#: Words to choose from, or settings of Lightning's.
CHOICES = {
    *("bound", "color", "space", "channel_order", "range", "display", "optimizer", "about", "mode"),
    *("save_dir", "version", "into"),  # the run's; a number; of a function that takes what was typed as into
    *("accelerator", "devices", "max_time", "model_registry", "profiler", "strategy", "val_check_interval"),
    "gradient_clip_algorithm",
}


def text_fields(node: Any, prefix: str) -> Iterator[str]:
    """The settings of a piece, and of those inside it, that take text by their annotations."""
    for name, value in node.items() if isinstance(node, dict) else ():
        yield from text_fields(value, f"{prefix}.{name}")
    arguments = read_arguments(node["_target_"]) if isinstance(node, dict) and "_target_" in node else None
    yield from (f"{prefix}.{name}" for name, kinds in arguments.kinds.items() if str in kinds) if arguments else ()


@pytest.mark.parametrize(
    "group", ["model", "image", "objective", "logger", "callbacks", "evidence", "schedule", "transforms", "trainer"]
)
def test_what_takes_text_is_kept_as_typed_or_is_a_choice_of_words(group: str) -> None:
    for option in group_options(group):
        node: Any = OmegaConf.to_container(OmegaConf.load(config_dir() / group / f"{option}.yaml")) or {}
        named = text_fields(node if "_target_" in node else node.get(group, node), group)
        assert not [name for name in named if kind_of(name) is None and name.rpartition(".")[2] not in CHOICES]


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("objective.level=5", 5),
        ("objective.level=-1.5e-3", -0.0015),
        ("objective.level=1_000", "1_000"),
        ("objective.photos_from=2024_11_25", "2024_11_25"),
        ("objective.other_layer=1.10", "1.10"),
        ("objective.terms.first.alike_at=0", "0"),
        ("objective.of.terms.second.photo=a=1.jpg", "a=1.jpg"),
        ("objective.against=1.10", "1.10"),
        ("objective.against=[1,2]", [1, 2]),
        ("objective.vectors=a[1].npy", "a[1].npy"),
        ("objective.vectors={a:[1,2],b:x.npy}", {"a": [1, 2], "b": "x.npy"}),
        ("objective.facets={layer1:1e3}", {"layer1": "1e3"}),
        ("objective.facets={layer1:[1,2]}", {"layer1": [1, 2]}),
        ("objective.facets.layer1=1e3", "1e3"),
        ("evidence.exemplars=1e3", "1e3"),
        ("model.members=[epoch=9.ckpt,1.10]", ["epoch=9.ckpt", "1.10"]),
        ("model.members=[{target: nets.A, size: 3}]", [{"target": "nets.A", "size": 3}]),
        ("logger.mlflow.experiment=1.10", "1.10"),
    ],
)
def test_paths_beside_numbers_and_lists(typed: str, value: object) -> None:
    assert read_back(keep_text(typed)) == value


@pytest.mark.parametrize("setting", ["output", "resume", "into", "hydra.run.dir"])
def test_folders_below_the_users_own(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me too")
    assert read_back(keep_text(f"{setting}=~/runs/1.10")) == "/home/me too/runs/1.10"
    assert read_back(keep_text(f"{setting}=~")) == "/home/me too"
    assert read_back(keep_text(f"{setting}=~x")) == "~x"
    assert read_back(keep_text(f"{setting}=a/~/b")) == "a/~/b"


def test_a_file_with_the_name_of_a_number_is_a_path() -> None:
    Path("1e3").mkdir()
    assert read_back(keep_text("objective.level=1e3")) == "1e3"
    assert read_back(keep_text("objective.level=1e4")) == 1e4


def test_every_setting_of_the_table_exists() -> None:
    """The last part of each name stands in some file of ``conf``, or is Hydra's, Lightning's or a logger's."""
    text = "\n".join(file.read_text() for file in config_dir().rglob("*.yaml"))
    for setting in TEXT:
        last = setting.rpartition(".")[2]
        assert last in ("*", "layer1") or f"{last}:" in text or setting.startswith(("logger.", "trainer.")), setting


@pytest.mark.parametrize(
    ("overrides", "folder"),
    [
        ("layer=layer4,optimizer.lr=0.02", "layer=layer4,lr=0.02"),
        ("image.size=64,schedule.size=128", "image.size=64,schedule.size=128"),
        ("image.size=64,schedule.size=128,optimizer.lr=1", "image.size=64,schedule.size=128,lr=1"),
        ("lr=1,optimizer.lr=2", "lr=1,optimizer.lr=2"),
        ("model.kwargs.depth=18", "depth=18"),
        ("layer='a.b=c'", "layer=a.b=c"),
        ("", ""),
    ],
)
def test_a_job_is_named_by_what_differs(overrides: str, folder: str) -> None:
    assert job_folder(overrides) == folder
