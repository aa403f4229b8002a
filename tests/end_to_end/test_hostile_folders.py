"""Folders that strangers have made: whatever stands in them is data. Nothing is run, and nothing is written outside."""

import contextlib
import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import HOSTILE, MARK
from PIL import Image
from program import SHORT, made, refused, run

from featviz.config.messages import PrintableFormatter
from featviz.errors import FeatvizError
from featviz.pages import write_site
from featviz.photos.files import find_photos, read_photo
from featviz.photos.saved_pass import SavedPass
from featviz.photos.tables import read_exemplars, read_statistics
from featviz.results.completion import damaged
from featviz.results.files import from_csv_cell, write_table
from featviz.results.folder import RunFolder
from featviz.results.sweep import summarize
from featviz.runs.exemplar_comparison import ExemplarComparison
from featviz.runs.inputs import read_inputs
from featviz.runs.resume import finished_rows
from featviz.runs.same_settings import read_config
from featviz.runs.shards import find_runs, read_parts
from featviz.tasks.figure import figure

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
        ("  name: margin", "  name: margin\n  also:\n    _target_: os.mkdir\n    path: PWN"),
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


def photos_of(folder: Path) -> None:
    for path in find_photos(folder):
        with contextlib.suppress(FeatvizError):  # it would be skipped
            read_photo(path)


def checkpoints_of(folder: Path) -> None:
    for path in (folder / "checkpoints").iterdir():
        SavedPass(path, {}).load()


#: What each task does with a folder before it makes anything.
READERS: dict[str, Callable[[Path], object]] = {
    "a run that goes on": lambda folder: finished_rows(RunFolder(folder), damaged(folder) or ()),
    "its configuration": lambda folder: read_config(folder, "resume"),
    "what went in": read_inputs,
    "a merge": lambda folder: read_parts(find_runs([str(folder)], Path("into"))),
    "photos of exemplars": ExemplarComparison,
    "photos": photos_of,
    "checkpoints": checkpoints_of,
    "a sweep": lambda folder: summarize(folder.parent),
    "pages": lambda folder: write_site([folder], folder / "pages", copy=True),
    "a figure": lambda folder: figure(folder, "0-1"),
    "levels of photos": lambda folder: (read_exemplars(folder), read_statistics(folder)),
}


@pytest.mark.parametrize("spoil", HOSTILE.values(), ids=HOSTILE)
def test_no_reader_runs_writes_or_swallows_anything(spoil: Callable[[Path], object]) -> None:
    """Each says in one line what is wrong, or takes the folder as data; a gigabyte of memory does."""
    folder = Path("shards/a")
    (folder / "checkpoints").mkdir()
    spoil(folder)
    before, names = peak_memory(reset=True), {path for path in Path().rglob("*") if "a" not in path.parts}
    for read in READERS.values():
        assert "\n" not in told(read, folder)
    after = {path for path in Path().rglob("*") if "a" not in path.parts}
    assert after - names <= {Path("shards/summary.csv"), Path("shards/summary.png")}
    assert not (folder / MARK).exists()
    assert peak_memory() - before < 2**30


def told(read: Callable[[Path], object], folder: Path) -> str:
    """What a reader says of a folder that it cannot use."""
    try:
        read(folder)
    except FeatvizError as error:
        return str(error)
    return ""


def peak_memory(reset: bool = False) -> int:
    """The most bytes that this process has held, from now on where it is reset; 0 where there is no /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
