"""Made pictures beside the real photos that their filters answer to."""

import shutil
import struct
import zlib
from functools import partial
from math import inf, nan
from pathlib import Path

import pytest
from events import events_of
from photo_folder import table, tiny
from PIL import Image
from program import PLAIN, SHORT, TINY, made, refused
from refusals import refusal_of

import featviz
from featviz.results.files import write_table
from featviz.results.folder import read_rows
from featviz.runs.exemplar_comparison import FilterStatistics

TASK = (*TINY, "task=exemplars", "data=photos", "layer=second", "filters=[0,1,7]")


pytestmark = pytest.mark.usefixtures("photos_here")


@pytest.fixture(scope="module")
def exemplars(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("exemplars"))
        return made(*TASK, f"data={photo_folder}", "k=3", output="photo_runs").resolve()


@pytest.mark.end_to_end
def test_made_pictures_beside_the_real_ones(exemplars: Path) -> None:
    folder = made(*SHORT, "filters=[1,7]", f"exemplars={exemplars}")
    usual = {row["filter"]: row for row in table(exemplars / "statistics.csv") if row["figure"] == "mean"}
    maps = [float(row["mean"]) for row in table(exemplars / "exemplars.csv") if row["filter"] == "1"]
    for row in read_rows(folder):
        real = usual[str(row["filter"])]
        assert (row["natural_mean"], row["natural_std"]) == (float(real["mean"]), float(real["std"]))
        assert row["natural_max"] == float(real["p100"])
        below = sum(float(real[f"p{percent}"]) <= row["activation"] for percent in range(1, 101))
        assert abs(row["percentile"] - below) <= 1
    assert read_rows(folder)[0]["natural_max"] == pytest.approx(max(maps), rel=1e-6)
    with Image.open(folder / "natural_second.png") as sheet:
        assert sheet.width > 4 * 200


@pytest.mark.end_to_end
def test_without_exemplars_there_are_no_columns_of_them() -> None:
    assert "percentile" not in table(made(*SHORT, *PLAIN) / "results.csv")[0]


@pytest.mark.end_to_end
def test_beside_real_ones_in_tensorboard_and_in_a_sweep(exemplars: Path) -> None:
    folder = made("-m", *SHORT, "filters=[1]", "optimizer.lr=0.01,0.05", f"exemplars={exemplars}")
    assert "natural_second" in events_of(folder / "0_lr=0.01").Tags()["images"]
    assert {"natural_max", "percentile"} <= set(table(folder / "summary.csv")[0])


@pytest.mark.parametrize(("value", "percentile"), [(-1, 0), (0, 40), (5, 45), (60, 100), (99, 100), (59.5, 99.5)])
def test_percentiles(value: float, percentile: float) -> None:
    values = (0.0,) * 41 + tuple(float(at) for at in range(1, 61))
    assert FilterStatistics(0, 1, values).percentile(value) == pytest.approx(percentile)


OTHERS = {
    "model.target=tiny_networks.Wide": "was made with model Tiny; this run's is Wide",
    "seed=5": "was made with other weights of Tiny",
    "layer=first": "was made with layer second; this run's is first",
    "filters=[1,2]": "was made without filter 2 of second; there are: 0, 1, 7",
    "objective=layer": "the pictures of objective=layer are not those of one filter each",
    "exemplars=nowhere": "there is no folder 'nowhere'",
    "exemplars=photos": "photos is no folder of task=exemplars: it has no exemplars.csv",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize(("argument", "words"), OTHERS.items())
def test_exemplars_of_something_else_are_refused(exemplars: Path, argument: str, words: str) -> None:
    assert words in refused(*SHORT, f"exemplars={exemplars}", argument)
    assert not list(Path("outputs").rglob("*.png"))


FOLDER, PERCENTILES = object(), object()  # stand for those of the run
ODD = {
    "filter=x": ("exemplars.csv", "filter", "x", "x"),
    "mean=x": ("exemplars.csv", "mean", "x", "x"),
    "by=nope": ("exemplars.csv", "by", "nope", "nope"),
    "patch outside": ("exemplars.csv", "patch", "../x.png", FOLDER),
    "figure=nope": ("statistics.csv", "figure", "nope", "nope"),
    "only one figure": ("statistics.csv", "figure", "max", 0),
    "std=nan": ("statistics.csv", "std", "nan", nan),
    "p50=inf": ("statistics.csv", "p50", "inf", inf),
    "p0=999": ("statistics.csv", "p0", "999", PERCENTILES),
}


@pytest.fixture(scope="module")
def found_once(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exemplars") / "found"
    featviz.exemplars(tiny(), photo_folder, "second", [0], k=2, output=folder)
    return folder


@pytest.fixture
def found(found_once: Path, tmp_path: Path) -> Path:
    """A copy of the folder of an exemplars' run."""
    return shutil.copytree(found_once, tmp_path / "found")


@pytest.mark.parametrize(("name", "column", "value", "got"), ODD.values(), ids=ODD)
def test_tables_with_odd_values_are_told_before_anything_is_made(
    name: str, column: str, value: str, got: object, found: Path, tmp_path: Path
) -> None:
    rows = table(found / name)
    write_table(found / name, list(rows[0]), [{**row, column: value} for row in rows])
    fast = ["schedule.steps=1", "schedule.size=48", f"exemplars={found}"]
    make = partial(featviz.visualize, tiny(), layer="second", filters=[0], overrides=fast, output=tmp_path / "made")
    error = refusal_of(make)
    assert error.setting == "exemplars"
    if got is PERCENTILES:
        assert isinstance(error.got, list)
        assert error.got[0] == 999
    else:
        assert repr(error.got) == repr(found if got is FOLDER else got)
    assert not (tmp_path / "made").exists()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims these sides, and has nothing behind."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize("content", [b"", b"no picture", png_header(50_000, 50_000)], ids=["empty", "text", "bomb"])
def test_a_patch_that_cannot_be_shown_is_missing(content: bytes, found: Path, tmp_path: Path) -> None:
    (first, *_) = (found / "patches/second").iterdir()
    first.write_bytes(content)
    fast = ["schedule.steps=1", "schedule.size=48", "evidence=none", f"exemplars={found}"]
    featviz.visualize(tiny(), layer="second", filters=[0], overrides=fast, output=tmp_path / "made")
    assert (tmp_path / "made/natural_second.png").is_file()
