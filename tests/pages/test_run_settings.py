"""What a run was made with, as pages show it."""

from pathlib import Path
from typing import Any

import pytest
from run_folders import write_config

from featviz.pages.run_settings import RunSettings, read_settings


def read(folder: Path, typed: str | None = None, task: str = "visualize", **config: Any) -> RunSettings:
    write_config(folder, task, **config)
    overrides = folder / ".hydra/overrides.yaml"
    if typed is None:
        overrides.unlink()
    else:
        overrides.write_text(typed)
    problems = list[str]()
    settings = read_settings(folder, problems)
    assert problems == []
    return settings


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("- layer=layer3\n- filters=0-7\n", "python -m featviz layer=layer3 filters=0-7"),
        ("- output=/home/me/outputs\n- resume=outputs/a\n- seed=1\n", "python -m featviz seed=1"),
        ("- hydra.run.dir=here\n- +experiment=photo\n", "python -m featviz +experiment=photo"),
        ("- filters=[goldfish,'tabby cat']\n", "python -m featviz 'filters=[goldfish,'\"'\"'tabby cat'\"'\"']'"),
        ("- name=$(rm -rf ~)\n", "python -m featviz 'name=$(rm -rf ~)'"),
        ('- "name=a\\u202Eb\\n"\n', "python -m featviz 'name=a\\u202eb\\x0a'"),
        ("- task=merge\n- runs=a\n", 'python -m featviz --config-path "$PWD" --config-name config'),
        (None, 'python -m featviz --config-path "$PWD" --config-name config'),
    ],
)
def test_the_command_is_what_was_typed_but_for_where_the_run_lies(
    typed: str | None, command: str, tmp_path: Path
) -> None:
    assert read(tmp_path, typed).command == command


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("- layer=layer3\n", ""),
        ("- model=own\n- model.target=nets.Odd\n- seed=1\n", "model=own model.target=nets.Odd"),
        ('- "model.weights=a b.ckpt"\n- +model.kwargs.depth=3\n', "'model.weights=a b.ckpt' +model.kwargs.depth=3"),
        ("- task=merge\n- runs=a\n", None),
        (None, None),
    ],
)
def test_what_names_the_network(typed: str | None, words: str | None, tmp_path: Path) -> None:
    assert read(tmp_path, typed).network_words == words


def test_a_network_that_only_its_caller_has_has_no_command(tmp_path: Path) -> None:
    assert read(tmp_path, model={"name": "Mine", "weights": "given"}).command == ""


def test_settings_are_flat_and_say_nothing_twice(tmp_path: Path) -> None:
    transforms = {"jitter": {"_target_": "featviz.transforms.Jitter", "pixels": 8, "fill": None}}
    shown = dict(
        read(tmp_path, transforms=transforms, filters=[0, 3], fold=True, logger={"csv": {"name": "x"}}).settings
    )
    assert shown == {
        "model": "load",
        "model.name": "small",
        "model.weights": "pretrained",
        "optimizer": "Adam",
        "optimizer.lr": "0.05",
        "layer": "layer1",
        "seed": "0",
        "recipe.name": "olah2017",
        "transforms.jitter": "Jitter",
        "transforms.jitter.pixels": "8",
        "filters": "[0,3]",
        "fold": "true",
    }


def test_exemplars_show_what_they_go_by(tmp_path: Path) -> None:
    settings = read(tmp_path, task="exemplars", data="photos", k=9)
    names = {name.partition(".")[0] for name, _ in settings.settings}
    assert names == {"model", "layer", "data", "k", "seed"}
    assert settings.recipe == ""


@pytest.mark.parametrize("config", [{"seed": 2**70}, {"seed": "x"}, {"recipe": 3}, {"task": []}, {"name": {"a": 1}}])
def test_settings_of_the_wrong_kind_are_left_out(config: dict[str, Any], tmp_path: Path) -> None:
    assert read(tmp_path, **config).seed == 0


def test_long_values_are_cut(tmp_path: Path) -> None:
    values = dict(read(tmp_path, filters=list(range(1000)), name="n" * 5000).settings)
    assert max(map(len, values.values())) < 250
