"""``--help``: all settings of each task with their comments; ``--version``."""

from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import pytest
from hydra.utils import get_class
from program import run

from featviz.config import help as help_module
from featviz.config.compose import compose_default, group_options
from featviz.config.help import settings_of_tasks


@pytest.mark.parametrize("task", group_options("task"))
def test_each_setting_of_a_task_is_listed(task: str) -> None:
    schema = compose_default([f"task={task}"]).task.get("settings")
    names = {field.name for field in fields(get_class(schema))} if schema else set()
    listed = {line.split(":")[0].strip().split(".")[0] for line in settings_of_tasks().splitlines()}
    assert names <= listed | {"task"}


def test_what_is_below_a_setting_and_what_has_a_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "config.yaml").write_text("defaults:\n  - model: x\n\nseed: 0 # of draws\nname: ${task.name}\n")
    (tmp_path / "task/own.yaml").write_text(
        "# Own\ntask:\n  name: own\n  size: 3 # px: #1\nsearch:\n  a:\n    b: [1]\n"
    )
    (tmp_path / "task/plain.yaml").write_text("name: plain\n_target_: x\n")
    monkeypatch.setattr(help_module, "config_dir", lambda: tmp_path)
    lines = [" ".join(line.split()) for line in settings_of_tasks().splitlines()]
    assert lines[1:] == ["seed: 0 of draws", "", "Settings of task=own:", "task.size: 3 px: #1", "search.a.b: [1]"]


@pytest.mark.end_to_end
def test_help_is_printed_with_them() -> None:
    outcome = run("--help")
    assert outcome.status == 0
    assert "search.study: ${name}" in outcome.out
    assert "filters: 0-7" in outcome.out
    assert "Settings of task=exemplars:" in outcome.out


@pytest.mark.end_to_end
def test_the_version_is_ours() -> None:
    assert run("--version").out == f"featviz {version('featviz')}\n"


@pytest.mark.end_to_end
def test_the_tab_key_completes_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    for line, wanted in (("featviz recipe=olah", "recipe=olah2017"), ("featviz lay", "layer=")):
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_POINT", str(len(line)))
        assert wanted in run("-sc", "query=bash").out.split()
