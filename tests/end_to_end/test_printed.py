"""What the program prints."""

import re
import resource
from pathlib import Path

import pytest
import yaml
from configs import GROUPS
from processes import Forked
from program import SHORT, TINY, process, run


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
    assert list(rows) == ["first", "bn", "act", "second", "pair", "pair[0]", "pair[1]", "last", "unused"]
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
        assert {
            *GROUPS,
            *(option.rpartition("/")[2] for options in GROUPS.values() for option in options),
            "layer4_sweep",
            "profiler",
        } <= words
    else:
        shown = yaml.safe_load(done.out)
        assert {*GROUPS, "layer", "filters", "seed"} <= set(shown)


@pytest.mark.process
def test_without_a_terminal_there_is_one_line_of_progress_and_nothing_of_lightnings() -> None:
    """And without timm, which networks of one's own do not need."""
    # the name of a terminal must not bring control sequences into a pipe, nor one of few letters an error
    first = "import sys; sys.modules['timm'] = None; sys.stdout.reconfigure(encoding='ascii')"
    short = (*SHORT, "schedule.size=48", "recipe=olah2017", "trainer=cpu")  # by which these pictures move
    done = Forked(*short, first=first, TERM="xterm-256color", FORCE_COLOR="").wait()
    assert done.status == 0, done
    (folder,) = Path("outputs/visualize").iterdir()
    assert done.out.splitlines() == [
        "Tiny takes pictures of 3 x 48 x 48, mean 0, std 1",
        "Tiny (random weights): its pictures say nothing about a trained network",
        "Tiny: 1 of 1 batch norms folded, channels last in memory, not compiled, on cpu with 1 thread in float32",
        f"{folder.resolve()}: 2 ok",
    ]
    (line,) = done.err.splitlines()
    assert line.startswith("second filter 0 to 1 ")
    assert re.search(r" 3/3 48 px  activation -?\d", line)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.out + done.err)
