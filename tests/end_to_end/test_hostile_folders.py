"""Folders that strangers have made: whatever stands in them is data. Nothing is run, and nothing is written outside."""

import csv
import shutil
from pathlib import Path

import pytest
from PIL import Image
from program import SHORT, made, refused, run

from featviz.config.messages import PrintableFormatter
from featviz.results.files import from_csv_cell, write_table

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return made(*SHORT, "logger=none").resolve()


@pytest.fixture(autouse=True)
def _copied(a_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(a_run, "shards/a")


CONFIG, TABLE = Path("shards/a/config.yaml"), Path("shards/a/results.csv")


def changed(path: Path, *pairs: str) -> None:
    text = path.read_text()
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


@pytest.mark.parametrize(
    "pairs",
    [
        ("target: tiny_networks.Tiny", "target: subprocess.check_output", "kwargs: {}", "kwargs: {args: [touch, PWN]}"),
        ("target: tiny_networks.Tiny", "target: no_such_module.Thing"),
        ("_target_: featviz.models.sources.own.load", "_target_: os.mkdir\n  path: PWN"),
        ("  name: channel", "  name: channel\n  also:\n    _target_: os.mkdir\n    path: PWN"),
        ("logger: {}", "logger:\n  mine:\n    _target_: os.mkdir\n    path: PWN"),
        ("_target_: lightning.Trainer", "_target_: os.mkdir\n  path: PWN"),
        ("recipe:", "more: ${oc.env:HOME}\nrecipe:"),
    ],
)
def test_a_merge_neither_builds_nor_calls_what_a_configuration_names(pairs: tuple[str, ...]) -> None:
    changed(CONFIG, *pairs)
    outcome = run("task=merge", "runs=shards", "into=whole", "logger=none")
    assert outcome.status == 0, outcome
    assert not Path("PWN").exists()
    assert len(list(Path("whole").rglob("000?.png"))) == 2
    assert str(Path.home()) not in Path("whole/config.yaml").read_text().replace(str(Path.cwd()), "")


@pytest.mark.parametrize("name", ["../.bashrc", "../x.png", "/etc/passwd", "images/../../x.png", "config.yaml"])
def test_what_a_table_names_outside_is_neither_read_nor_written(name: str) -> None:
    Image.new("RGB", (4, 4)).save("shards/x.png")
    Path("shards/.bashrc").write_text("touch PWN")
    changed(TABLE, "images/second/0000.png", name)
    before = sorted(Path().rglob("*"))
    line = refused("task=merge", "runs=shards/a", "into=deep/whole", "logger=none")
    assert "file in its folder" in line
    assert [path for path in sorted(Path().rglob("*")) if path not in before and "deep" not in path.parts] == []
    assert "file in its folder" in refused(*SHORT, "logger=none", "resume=shards/a")


def test_links_that_lead_outside() -> None:
    Image.new("RGB", (4, 4)).save("secret.png")
    Path("shards/a/images/second/0000.png").unlink()
    Path("shards/a/images/second/0000.png").symlink_to(Path("secret.png").resolve())
    assert "does not lie in it" in refused("task=merge", "runs=shards/a", "into=whole", "logger=none")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", "[a, b]\nversion: 1"),
        ("config.yaml", "version: 1\na: " + "[" * 3000),
        ("config.yaml", "version: 1\na: &a [x]\nb: *a"),
        ("manifest.json", "[" * 100000),
        ("manifest.json", '{"network": "x", "sizes": 1, "layers": [{"name": ["x"]}]}'),
        ("manifest.json", "null"),
        ("results.csv", "image\n../x.png\n"),
        ("responses/second.npy", "\x93NUMPY"),
    ],
)
def test_what_is_damaged_is_one_line(name: str, content: str) -> None:
    Path("shards/a", name).write_text(content, encoding="latin-1")
    line = refused("task=merge", "runs=shards/a", "into=whole", "logger=none")
    assert "cannot read" in line or "holds no configuration" in line


def test_a_picture_of_another_format_is_not_read() -> None:
    Path("shards/a/images/second/0001.png").write_text("%!PS-Adobe-3.0 EPSF-3.0")
    outcome = run("task=merge", "runs=shards/a", "into=whole", "logger=none")
    assert outcome.status == 0
    assert "missing: second filter 1" in outcome.out
    assert not Path("whole/images/second/0001.png").exists()


def test_cells_that_a_spreadsheet_would_compute(tmp_path: Path) -> None:
    texts = ["=cmd|' /C calc'!A0.png", "+1+1", "-2+3", "@SUM(A1)", "\tx", "'=x", "plain", "-0.5", "'quoted'", "a=b"]
    write_table(tmp_path / "t.csv", ["a", "b"], [{"a": text, "b": -1.5} for text in texts])
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [from_csv_cell(row["a"]) for row in rows] == texts
    assert [row["a"] for row in rows][6:] == ["plain", "-0.5", "'quoted'", "a=b"]  # numbers stay
    assert all(row["a"].startswith("'") for row in rows[:6])
    assert {row["b"] for row in rows} == {"-1.5"}


def test_log_lines_and_markup() -> None:
    import logging

    record = logging.LogRecord("x", logging.INFO, "", 0, "skipped %s", ("a\n\x1b[31m.png",), None)
    assert PrintableFormatter("%(message)s").format(record) == r"skipped a\x0a\x1b[31m.png"


def test_markup_in_a_name_is_shown() -> None:
    outcome = run("task=layers", *SHORT[:4], "model.name='[/red] [bold]x'")
    assert outcome.status == 0, outcome
    assert "[/red] [bold]x" in outcome.out
