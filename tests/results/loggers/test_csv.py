"""The table of scalars of a run that goes on."""

import csv
from pathlib import Path

import pytest

from featviz.results.loggers import CSV


def new(folder: Path) -> CSV:
    return CSV(str(folder), name="", version="csv")


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "csv/metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_earlier_lines_are_kept_with_new_columns_beside_them(tmp_path: Path) -> None:
    for step, name in ((1, "first"), (2, "first"), (3, "second")):
        logger = new(tmp_path)
        logger.log_metrics({name: step / 2}, step)
        logger.save()
    assert table(tmp_path) == [
        {"first": "0.5", "second": "", "step": "1"},
        {"first": "1.0", "second": "", "step": "2"},
        {"first": "", "second": "1.5", "step": "3"},
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["csv"]


def test_processes_that_share_the_table_overwrite_nothing(tmp_path: Path) -> None:
    loggers = [new(tmp_path) for _ in range(2)]
    for step, at in ((1, 0), (1, 1), (2, 0), (2, 1), (3, 0)):
        loggers[at].log_metrics({"loss": step / 2, f"filter {at}": float(at)}, step)
        loggers[at].save()
    read = [(row["step"], row["loss"], row["filter 0"], row["filter 1"]) for row in table(tmp_path)]
    assert read == [
        ("1", "0.5", "0.0", ""),
        ("1", "0.5", "", "1.0"),
        ("2", "1.0", "0.0", ""),
        ("2", "1.0", "", "1.0"),
        ("3", "1.5", "0.0", ""),
    ]


@pytest.mark.parametrize("content", ["", "step\n"])
def test_an_empty_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv/metrics.csv").write_text(content)
    logger = new(tmp_path)
    logger.log_metrics({"first": 2.0}, 2)
    logger.save()
    assert table(tmp_path) == [{"first": "2.0", "step": "2"}]
