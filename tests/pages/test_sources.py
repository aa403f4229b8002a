"""What runs are called where several are shown."""

from pathlib import Path

import pytest
from run_folders import write_config

from featviz.pages.run_folder import read_run
from featviz.pages.sources import labels_of

STAMPS = ("2026-01-01_00-00-00", "2026-01-02_00-00-00_2")


@pytest.mark.parametrize(
    ("folders", "labels"),
    [
        (["some/where"], ["visualize"]),
        (["one", "two"], ["one", "two"]),
        (["a/run", "b/run"], ["a/run", "b/run"]),
        (["a/run", "b/run", "b/other"], ["a/run", "b/run", "other"]),
        ([f"visualize/{STAMPS[0]}", "other"], ["visualize", "other"]),
        ([f"visualize/{stamp}" for stamp in STAMPS], list(STAMPS)),
    ],
)
def test_as_little_as_tells_them_apart(folders: list[str], labels: list[str], tmp_path: Path) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        write_config(tmp_path / folder, "visualize")
    assert labels_of([read_run(tmp_path / folder) for folder in folders]) == labels
