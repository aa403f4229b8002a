"""What runs are called where several are shown."""

from pathlib import Path

import pytest
from run_folders import exemplar_row, write_config, write_exemplars, write_table

from featviz.pages.run_folder import read_run
from featviz.pages.sources import labels_of, sources_of

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


def test_photos_are_called_as_below_the_folder_that_all_share(tmp_path: Path) -> None:
    """Pages may be sent: they do not tell where the photos lay."""
    run = write_exemplars(tmp_path / "run", units=[0])
    names = ["/home/me/photos/cat/1.jpg", "/home/me/photos/dog/1.jpg", "/home/me/photos/2.jpg"]
    for table in ("weakest.csv", "tenths.csv"):
        (run / table).unlink()
    write_table(run / "exemplars.csv", [exemplar_row(0, rank + 1, photo=name) for rank, name in enumerate(names)])
    (source,) = sources_of([read_run(run)], tmp_path, copy=False)
    assert [source.photo_name(name) for name in names] == ["cat/1.jpg", "dog/1.jpg", "2.jpg"]
    assert source.photo_name("photos/1.jpg") == "photos/1.jpg"
