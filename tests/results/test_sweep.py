import csv
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hydra.types import RunMode
from omegaconf import OmegaConf
from PIL import Image
from processes import forked_module
from program import Outcome
from refusals import assert_refused

from featviz.config import sweeps as sweep
from featviz.config.sweeps import FAILURE, SweepSummary, finish_sweeps
from featviz.results import folder as folders
from featviz.results.folder import RunFolder
from featviz.results.rows import COLUMNS, Row
from featviz.results.sweep import read_jobs, summarize

APP = """
import hydra
from omegaconf import DictConfig

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(cfg: DictConfig) -> None:
    import torch
    from featviz.results.folder import RunFolder
    if cfg.lr == "bad":
        raise ValueError("bad lr")
    row = {"model": "m", "weights": "random", "layer": "layer4", "module": "layer4", "filter": 1}
    row |= {"variant": 0, "objective": "channel"}
    row |= {"recipe": "r", "seed": 0, "steps": 1, "size": 8, "activation": 1.0, "start_activation": 0.0, "status": "ok"}
    row |= {"reason": "", "seconds": 0.1, "image": ""}
    folder = hydra.core.hydra_config.HydraConfig.get().runtime.output_dir
    RunFolder(folder).save_chunk(torch.zeros(1, 3, 8, 8), [row])

try:
    main()
finally:
    from featviz.config.sweeps import finish_sweeps
    finish_sweeps()
"""
CONFIG = """
lr: 0.1
hydra:
  run: {dir: alone}
  sweep: {dir: "${now:%Y}_sweep"}
  callbacks: {summary: {_target_: featviz.config.sweeps.SweepSummary}}
"""


def row(number: int, **other: Any) -> Row:
    texts = dict.fromkeys(("model", "weights", "layer", "module", "objective", "recipe", "reason", "image"), "")
    values: dict[str, Any] = {**texts, **dict.fromkeys(("seed", "steps", "size"), 8), "filter": number, "variant": 0}
    values |= {"model": "resnet34", "weights": "random", "layer": "layer4", "module": "layer4", "recipe": "r"}
    values |= {"activation": 2.5, "start_activation": 0.5, "seconds": 0.1, "status": "ok"}
    return cast(Row, values | other)


def job(folder: Path, overrides: list[str], rows: list[Row]) -> None:
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {text}\n" for text in overrides) or "[]\n")
    if rows:
        RunFolder(folder).save_chunk(torch.rand(len(rows), 3, 8, 8), rows)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def sheet_size(folder: Path) -> tuple[int, int]:
    with Image.open(folder / "summary.png") as image:
        return image.size


def test_summary_has_a_row_for_each_run_and_filter(tmp_path: Path) -> None:
    job(tmp_path / "0", ["model=resnet34", "optimizer.lr=0.01"], [row(0), row(5)])
    job(tmp_path / "1", ["model=resnet34", "optimizer.lr=0.05", "+blur=[1,2]"], [row(0)])
    job(tmp_path / "2", ["model=resnet34", "optimizer.lr=9"], [])
    summarize(tmp_path)
    rows = table(tmp_path)
    assert list(rows[0]) == ["job", "optimizer.lr", "blur", *COLUMNS]
    assert [(r["job"], r["optimizer.lr"], r["blur"], r["filter"]) for r in rows] == [
        ("0", "0.01", "", "0"),
        ("0", "0.01", "", "5"),
        ("1", "0.05", "[1,2]", "0"),
    ]
    assert all((tmp_path / r["image"]).exists() for r in rows)
    assert sheet_size(tmp_path)[0] > 2 * 256


def test_columns_are_filters_only_where_the_lines_share_them(tmp_path: Path) -> None:
    for i, numbers in enumerate(((0, 5, 7), (0, 5, 8), (0, 5, 9))):
        job(tmp_path / "shared" / str(i), [f"x={i}"], [row(number) for number in numbers])
    for i, numbers in enumerate(((0, 5, 7), (1, 3), (2, 4, 9))):
        job(tmp_path / "own" / str(i), [f"layer=layer{i}"], [row(n, layer=f"layer{i}") for n in numbers])
    for name in ("shared", "own"):
        summarize(tmp_path / name)
    shared, own = sheet_size(tmp_path / "shared"), sheet_size(tmp_path / "own")
    assert shared[0] > 5 * 256
    assert 3 * 256 < own[0] < 4 * 256
    assert own[1] > shared[1]  # each label names its filter in a line of its own


def test_failures_are_told_in_order_once_and_not_those_of_an_earlier_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {"runtime": {"cwd": str(tmp_path)}, "sweep": {"dir": "sweep"}, "sweeper": {"_target_": "mine.Sweeper"}}
    config = OmegaConf.create({"hydra": own})
    for number in (1, 9, 10):
        job(tmp_path / "sweep" / str(number), [f"x={number}"], [])
    (tmp_path / "sweep" / "1" / FAILURE).write_text("job 1 failed: the first time")
    SweepSummary().on_multirun_start(config)
    for number in (10, 9):
        (tmp_path / "sweep" / str(number) / FAILURE).write_text(f"job {number} failed")
    finish_sweeps()
    assert capsys.readouterr().err.splitlines() == ["featviz: job 9 failed", "featviz: job 10 failed"]
    assert not list(tmp_path.rglob(FAILURE))


def test_what_differs_is_told_though_one_run_alone_has_results(tmp_path: Path) -> None:
    job(tmp_path / "0", ["optimizer.lr=0.01"], [row(0)])
    job(tmp_path / "1", ["optimizer.lr=0.05"], [])
    summarize(tmp_path)
    assert [r["optimizer.lr"] for r in table(tmp_path)] == ["0.01"]


def test_an_override_that_the_results_have_is_not_repeated(tmp_path: Path) -> None:
    job(tmp_path / "0", ["layer=layer3", "model=a"], [row(0, layer="layer3")])
    job(tmp_path / "1", ["layer=layer4", "model=b"], [row(0)])
    summarize(tmp_path)
    assert list(table(tmp_path)[0]) == ["job", "override.model", *COLUMNS]


def test_jobs_are_in_order_and_may_lie_deeper(tmp_path: Path) -> None:
    for name in ("10", "9", "lr=0.1/x=2", "lr=0.1/x=10", "1"):
        job(tmp_path / name, [f"x={len(name)}"], [row(0)])
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("[]\n")
    assert [j.name for j in read_jobs(tmp_path)] == ["1", "9", "10", "lr=0.1/x=2", "lr=0.1/x=10"]


def test_runs_with_several_layers_get_a_row_for_each(tmp_path: Path) -> None:
    both = [row(0), row(0, layer="layer3", status="dead"), row(1, status="nan", activation=float("nan"))]
    job(tmp_path / "0", [], both[:1])
    summarize(tmp_path)
    one = sheet_size(tmp_path)[1]
    job(tmp_path / "1", [], both)
    summarize(tmp_path)
    assert sheet_size(tmp_path)[1] > one + 2 * 256


def test_large_sweeps_stay_a_sheet_that_can_be_opened(tmp_path: Path) -> None:
    for number in range(70):
        job(tmp_path / str(number), [f"seed={number}"], [row(number)])
    summarize(tmp_path)
    width, height = sheet_size(tmp_path)
    assert width * height < 50_000_000
    assert len(table(tmp_path)) == 70


def test_nothing_is_written_where_no_run_has_results(tmp_path: Path) -> None:
    job(tmp_path / "0", ["task=layers"], [])
    summarize(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0"]


def test_an_unreadable_table_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job(tmp_path / "0", [], [row(0)])
    (tmp_path / "0" / "results.csv").write_text("odd\n1\n")
    monkeypatch.setattr(sweep, "_UNFINISHED", [(tmp_path, 0, None)])
    sweep.finish_sweeps()
    assert capsys.readouterr().out.startswith("No summary: cannot read ")


def test_ctrl_c_while_pages_are_written_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    job(tmp_path / "0", [], [row(0)])
    monkeypatch.setattr(sweep, "write_pages", interrupted)
    monkeypatch.setattr(sweep, "_UNFINISHED", [(tmp_path, 0, None)])
    with pytest.raises(SystemExit) as ended:
        sweep.finish_sweeps()
    assert ended.value.code == 130
    assert (tmp_path / "summary.csv").is_file()


@pytest.mark.process
def test_import_is_light() -> None:
    heavy = "{'torch', 'numpy', 'PIL', 'lightning'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"import sys, featviz.results.sweep; assert not {heavy}"], check=True)


def run_app(folder: Path, *arguments: str) -> Outcome:
    (folder / "app.py").write_text(APP)
    (folder / "config.yaml").write_text(CONFIG)
    return forked_module(folder, "app", *arguments)


@pytest.mark.process
@pytest.mark.parametrize(("values", "code", "count"), [("1,2", 0, "2 of 2"), ("1,bad,3", 1, "2 of 3")])
def test_in_a_hydra_multirun(tmp_path: Path, values: str, code: int, count: str) -> None:
    done = run_app(tmp_path, "-m", f"lr={values}")
    assert done.status == code, done.err
    (sweep,) = tmp_path.glob("*_sweep")
    told = [line for line in done.out.splitlines() if line.startswith("Summary: ")]
    assert told == [f"Summary: {sweep.name}/summary.png and .csv ({count} runs have results)"]
    assert [r["lr"] for r in table(sweep)] == [value for value in values.split(",") if value != "bad"]
    assert sheet_size(sweep)[1] > 2 * 256


@pytest.mark.process
def test_a_single_run_gets_no_summary(tmp_path: Path) -> None:
    done = run_app(tmp_path)
    assert done.status == 0, done.err
    assert not list(tmp_path.rglob("summary.*"))
    assert "Summary" not in done.out


@pytest.mark.parametrize("content", [b"- [", b"\xff\xfe\x00", b"3"])
def test_a_damaged_file_of_overrides_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    job(tmp_path / "0", [], [row(0)])
    file = tmp_path / "0/.hydra/overrides.yaml"
    file.write_bytes(content)
    assert_refused(lambda: read_jobs(tmp_path), "", str(file), "a list" if content == b"3" else "")


def test_after_each_job_only_its_own_table_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, read_rows = list[str](), folders.read_rows

    def counted(path: Path) -> list[Row]:
        reads.append(path.name)
        return read_rows(path)

    monkeypatch.setattr(folders, "read_rows", counted)
    summary = SweepSummary()
    mode = {"mode": RunMode.MULTIRUN, "runtime": {"cwd": str(tmp_path)}, "sweep": {"dir": "sweep"}}
    config = OmegaConf.create({"hydra": mode})
    for number in range(5):
        job(tmp_path / f"sweep/{number}", [f"lr={number}"], [row(1), row(2)])
        summary.on_job_end(config, None)
        assert len(table(tmp_path / "sweep")) == 2 * (number + 1)
    assert reads == ["0", "1", "2", "3", "4"]
    RunFolder(tmp_path / "sweep/2").save_chunk(torch.rand(1, 3, 8, 8), [row(3)])  # a job that is run again
    del reads[5:]  # what it reads itself
    summary.on_job_end(config, None)
    assert reads[5:] == ["2"]
    assert len(table(tmp_path / "sweep")) == 11
