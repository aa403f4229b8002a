"""Tables of strangers: what is good in them is read, what is not is said."""

from collections.abc import Callable
from pathlib import Path

import pytest
from run_folders import picture_row, write_table

from featviz.pages.records import PictureRecord
from featviz.pages.tables import TableReader
from featviz.results.relation_rows import NearestRow

HEAD = "layer,module,filter,by,rank,other,value\n"
GOOD = "layer1,blocks.0,0,weights,1,2,0.5\n"


def read(folder: Path, content: str | bytes) -> tuple[list[NearestRow], list[str]]:
    (folder / "nearest.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    reader = TableReader(folder)
    return reader.records("nearest.csv", NearestRow), reader.problems


def test_fields_have_their_types(tmp_path: Path) -> None:
    records, problems = read(tmp_path, HEAD + GOOD)
    assert records == [NearestRow("layer1", "blocks.0", 0, "weights", 1, 2, 0.5)]
    assert problems == []


def test_a_table_that_is_not_there_is_no_problem(tmp_path: Path) -> None:
    reader = TableReader(tmp_path)
    assert (reader.records("nearest.csv", NearestRow), reader.json("network.json", 100)) == ([], None)
    assert reader.problems == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("layer1,blocks.0,0,weights,1,2\n", "6 cells in the place of 7"),
        ("layer1,blocks.0,x,weights,1,2,0.5\n", "'x'"),
        ("layer1,blocks.0,0,weights,1,2,high\n", "'high'"),
        ("layer1,blocks.0,99999999999999999999,weights,1,2,0.5\n", "too large"),
        (f"layer1,blocks.0,{'9' * 9999},weights,1,2,0.5\n", "too large"),
        ("layer1,blocks.0,0,wei", "4 cells in the place of 7"),  # cut short
    ],
)
def test_a_damaged_line_is_left_out_and_said(line: str, words: str, tmp_path: Path) -> None:
    records, (problem,) = read(tmp_path, HEAD + GOOD + line)
    assert len(records) == 1
    assert problem.startswith("nearest.csv is damaged (line 3: ")
    assert words in problem


def test_of_many_damaged_lines_the_first_is_said(tmp_path: Path) -> None:
    records, problems = read(tmp_path, HEAD + "x\n" * 5 + GOOD)
    assert len(records) == 1
    assert problems == ["nearest.csv is damaged (line 2: 1 cells in the place of 7, and 4 more)"]


@pytest.mark.parametrize("content", ["", "layer,module\nlayer1,blocks.0\n", b"\x00\x01\x02", b"\xff\xfe\n\xff"])
def test_what_is_no_such_table_has_no_lines(content: str | bytes, tmp_path: Path) -> None:
    records, problems = read(tmp_path, content)
    assert records == []
    assert len(problems) == (content != "")


def damage_by_folder(path: Path) -> None:
    path.mkdir()


def damage_by_link(path: Path) -> None:
    secret = path.parent.parent / "secret.csv"
    secret.write_text(HEAD + GOOD)
    path.symlink_to(secret)


@pytest.mark.parametrize("damage", [damage_by_folder, damage_by_link])
def test_what_is_no_file_of_the_folder_is_not_read(damage: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    damage(tmp_path / "run/nearest.csv")
    reader = TableReader(tmp_path / "run")
    assert reader.records("nearest.csv", NearestRow) == []
    assert len(reader.problems) == 1


@pytest.mark.parametrize("image", ["../../etc/passwd.png", "/etc/motd.png", "images/0000.exe", "..\\x.png"])
def test_pictures_outside_of_the_folder_are_refused(image: str, tmp_path: Path) -> None:
    write_table(tmp_path / "results.csv", [picture_row(0), picture_row(1, image=image)])
    reader = TableReader(tmp_path)
    assert [record.filter for record in reader.records("results.csv", PictureRecord)] == [0]
    assert len(reader.problems) == 1


def test_older_tables_lack_columns(tmp_path: Path) -> None:
    write_table(tmp_path / "results.csv", [{"layer": "layer1", "filter": 3, "image": "", "gain": 2.5}])
    ((record, rest),) = TableReader(tmp_path).records_and_rest("results.csv", PictureRecord)
    assert (record.filter, record.status, record.module) == (3, "ok", "")
    assert rest == {"gain": "2.5"}


def test_apostrophes_against_formulas_go_and_bytes_that_are_not_utf8_stay(tmp_path: Path) -> None:
    write_table(tmp_path / "results.csv", [picture_row(0, reason="=1+1"), picture_row(1, reason="caf\udce9")])
    records = TableReader(tmp_path).records("results.csv", PictureRecord)
    assert [record.reason for record in records] == ["=1+1", "caf\udce9"]


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b"1" * 200])
def test_damaged_json_is_said(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "network.json").write_bytes(content)
    reader = TableReader(tmp_path)
    assert reader.json("network.json", 150 if content[:1] == b"1" else 2**20) is None
    assert len(reader.problems) == 1
