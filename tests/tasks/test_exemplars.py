"""The real photos that filters answer to most, and made pictures beside them."""

import csv
import os
import re
import shutil
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from events import events_of
from PIL import Image
from program import PLAIN, ROOT, SHORT, TINY, made, refused, run
from tiny_networks import Tiny
from torch import Tensor

import featviz
from featviz.errors import FeatvizError
from featviz.models.receptive_field import ReceptiveField, Span
from featviz.photos.exemplars import box_in_photo
from featviz.photos.files import fit_photo, load_photo, read_photo
from featviz.photos.stream import PhotoStream, evenly_spaced
from featviz.results.files import write_table
from featviz.results.folder import read_rows
from featviz.runs.exemplar_comparison import FilterStatistics

TASK = (*TINY, "task=exemplars", "data=photos", "layer=second", "filters=[0,1,7]")
SCRIPT = ROOT / "scripts/bench_exemplars.py"
NAMES = [f"{at:03d}.png" for at in range(70)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 photos of smooth noise, of which number 65 is number 3 again; wider than high, or higher than wide."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for at, name in enumerate(NAMES):
        blocks = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
        photo = blocks.resize((60, 50) if at % 2 else (96, 130), Image.Resampling.BICUBIC)
        photo.save(folder / name, compress_level=1)
    (folder / "065.png").write_bytes((folder / "003.png").read_bytes())
    return folder


@pytest.fixture(autouse=True)
def _stand_beside_their_copies(photos: Path) -> None:
    shutil.copytree(photos, "photos")


def tiny() -> featviz.Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return featviz.Model("tiny", Tiny(), (0.45,), (0.25,), 48, "given")


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def by_hand(model: featviz.Model, layer: str, files: list[Path]) -> Tensor:
    """Feature maps (photos, filters, h, w), one photo after the other, by a hook."""
    caught: list[Tensor] = []
    handle = model.network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: caught.append(out.clone()))
    with torch.no_grad():
        for file in files:
            model.network((load_photo(file, 48) - 0.45)[None] / 0.25)
    handle.remove()
    return torch.cat(caught)


@pytest.mark.parametrize("by", ["mean", "max"])
def test_the_strongest_and_the_spread_are_those_of_all_feature_maps_at_once(by: str) -> None:
    model, files = tiny(), [Path("photos", name) for name in NAMES]
    found = featviz.exemplars(model, "photos", "second", "all", k=5, by=by)
    maps = by_hand(model, "second", files)
    figures = {"mean": maps.mean((2, 3)).numpy(), "max": maps.amax((2, 3)).numpy()}
    for number in range(20):
        mine = [one for one in found.strongest if one.filter == number]
        wanted = np.argsort(-figures[by][:, number].round(4), kind="stable")[:5]
        assert [one.photo.name for one in mine] == [NAMES[at] for at in wanted]
        assert [one.rank for one in mine] == [1, 2, 3, 4, 5]
        for one, at in zip(mine, wanted, strict=True):
            assert (one.row, one.column) == divmod(int(maps[at, number].argmax()), maps.shape[3])
            assert one.mean == pytest.approx(figures["mean"][at, number], abs=1e-4)
            assert one.max == pytest.approx(figures["max"][at, number], abs=1e-4)
    for spread_ in found.statistics:
        values = figures[spread_.figure][:, spread_.filter]
        assert spread_.photos == 70
        np.testing.assert_allclose((spread_.mean, spread_.std), (values.mean(), values.std()), atol=1e-4)
        wanted = np.quantile(values, np.arange(101) / 100, method="inverted_cdf")
        np.testing.assert_allclose(spread_.percentiles, wanted, atol=1e-4)


def test_of_equal_photos_the_earlier_file_wins() -> None:
    found = featviz.exemplars(tiny(), "photos", "second", "all", k=70)
    for number in range(20):
        mine = [one for one in found.strongest if one.filter == number]
        first, second = ([one.photo.name for one in mine].index(name) for name in ("003.png", "065.png"))
        assert second == first + 1
        assert mine[first].mean == mine[second].mean  # bit by bit, in batches apart


def test_more_asked_for_than_there_are() -> None:
    found = featviz.exemplars(tiny(), ["photos/003.png", "photos/004.png"], "second", [2], k=9)
    assert [one.rank for one in found.strongest] == [1, 2]


def test_a_patch_is_what_the_strongest_position_depends_on() -> None:
    """Changing the photo outside the patch does not change the activation there; changing it inside does."""
    model = tiny()
    (one, *_) = featviz.exemplars(model, "photos", "second", [3], k=1).strongest
    photo = np.array(read_photo(one.photo))
    left, top, right, bottom = one.box
    outside = np.full_like(photo, 90)
    outside[top:bottom, left:right] = photo[top:bottom, left:right]
    inside = photo.copy()
    inside[top:bottom, left:right] = 90

    def there(pixels: np.ndarray) -> float:
        maps = featviz.activations(model, fit_photo(Image.fromarray(pixels), 48)[None], "second")["second"]
        return maps[0, 3, one.row, one.column].item()

    assert there(photo) == pytest.approx(one.max, abs=1e-4)
    assert there(outside) == pytest.approx(one.max, rel=0.15)  # the resampling looks a little past the border
    assert abs(there(inside) - one.max) > 0.3 * abs(one.max)
    assert one.patch().size == (right - left, bottom - top)
    np.testing.assert_array_equal(np.array(one.patch()), photo[top:bottom, left:right])


BOXES = {
    "as large": ((48, 48), (2, 3), (7, 3, 18, 14)),
    "clipped": ((48, 48), (0, 0), (0, 0, 6, 6)),
    "twice as large": ((96, 96), (2, 3), (14, 6, 36, 28)),
    "wide: the middle is shown": ((96, 48), (2, 3), (31, 3, 42, 14)),
    "high, clipped to what is shown": ((48, 96), (0, 0), (0, 24, 6, 30)),
    "smaller": ((24, 24), (2, 3), (3, 1, 9, 7)),
}


@pytest.mark.parametrize(("photo", "position", "box"), BOXES.values(), ids=BOXES)
def test_boxes(photo: tuple[int, int], position: tuple[int, int], box: tuple[int, ...]) -> None:
    span = Span(11, 4, -5)
    assert box_in_photo(ReceptiveField(span, span), position, 48, photo) == box


def test_a_layer_that_sees_everything_shows_the_square() -> None:
    assert box_in_photo(ReceptiveField(None, None), (0, 0), 48, (100, 60)) == (20, 0, 80, 60)


@pytest.mark.end_to_end
def test_the_files_of_a_run() -> None:
    folder = made(*TASK, "layer=first,second", "filters=0-2", "k=4")
    rows = table(folder / "exemplars.csv")
    assert [(row["layer"], row["filter"], row["rank"]) for row in rows] == [
        (layer, str(number), str(rank)) for layer in ("first", "second") for number in range(3) for rank in range(1, 5)
    ]
    for row in rows:
        left, top, right, bottom = (int(row[side]) for side in ("left", "top", "right", "bottom"))
        with Image.open(row["photo"]) as photo, Image.open(folder / row["patch"]) as patch:
            np.testing.assert_array_equal(np.array(patch), np.array(photo.crop((left, top, right, bottom))))
        with Image.open(folder / row["image"]) as whole:
            assert whole.size in {(60, 50), (96, 130)}
    values = [float(row["mean"]) for row in rows]
    assert all(values[at : at + 4] == sorted(values[at : at + 4], reverse=True) for at in range(0, 24, 4))
    statistics = table(folder / "statistics.csv")
    assert len(statistics) == 2 * 3 * 2
    assert {row["photos"] for row in statistics} == {"70"}
    assert not (folder / "skipped.csv").exists()
    for layer in ("first", "second"):
        with Image.open(folder / f"exemplars_{layer}.png") as sheet:
            assert sheet.width > 4 * 100


@pytest.mark.end_to_end
def test_many_filters_get_several_sheets() -> None:
    folder = made(*TASK, "filters=all", "k=1", "model.target=tiny_networks.Wide", "layer=first,second,last")
    assert sorted(path.name for path in folder.glob("exemplars_*.png")) == [
        f"exemplars_{name}.png" for name in ("first", "last", "second")
    ]
    folder = made(*TASK, "filters=all", "k=1", "layer=bn", "model.target=tiny_networks.Broad", output="other")
    assert sorted(path.name for path in folder.glob("exemplars_*.png")) == [
        "exemplars_bn_01.png",
        "exemplars_bn_02.png",
    ]


@pytest.mark.end_to_end
def test_what_cannot_be_read_is_skipped_counted_and_named() -> None:
    Path("photos/sub").mkdir()
    Path("photos/text.jpg").write_text("no picture")
    cut = Path("photos/010.png").read_bytes()
    Path("photos/sub/cut.png").write_bytes(cut[: len(cut) // 2])
    Path("photos/notes.txt").write_text("no photo, and not named as one")
    gray = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(gray).save("photos/sixteen.png")
    frames = [Image.new("RGB", (50, 50), color) for color in ("red", "blue")]
    frames[0].save("photos/animated.gif", save_all=True, append_images=frames[1:])
    outcome = run(*TASK, "output=outputs")
    assert outcome.status == 0, outcome
    assert "2 photos skipped:" in outcome.out
    assert "text.jpg is no picture that can be read" in outcome.out
    assert "cut.png is damaged or cut short" in outcome.out
    (folder,) = Path("outputs").glob("*/*")
    assert [Path(row["photo"]).name for row in table(folder / "skipped.csv")] == ["cut.png", "text.jpg"]
    assert {row["photos"] for row in table(folder / "statistics.csv")} == {"72"}


def test_the_first_frame_and_sixteen_bits_are_shown_as_photos_are() -> None:
    frames = [Image.new("RGB", (50, 50), color) for color in ("red", "blue")]
    frames[0].save("animated.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(np.full((64, 64), 32768, np.uint16)).save("sixteen.png")
    files = [Path("animated.gif"), Path("sixteen.png"), Path("photos/000.png")]
    (batch,) = PhotoStream(files, 48, batch_size=4)
    assert batch.numbers == [0, 1, 2]
    assert batch.sizes == [(50, 50), (64, 64), (96, 130)]
    for at, file in enumerate(files):
        assert torch.equal(batch.pictures[at], load_photo(file, 48))
    assert batch.pictures[0, :, 5, 5].tolist() == [1, 0, 0]


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(channels: int) -> None:
    (batch,) = PhotoStream([Path("photos/000.png")], 32, channels, batch_size=2)
    assert torch.equal(batch.pictures[0], load_photo("photos/000.png", 32, channels))
    assert batch.pictures.shape == (2, channels, 32, 32)


@pytest.mark.end_to_end
def test_a_photo_smaller_than_the_input_is_told() -> None:
    Image.new("RGB", (20, 30), "red").save("photos/small.png")
    assert "1 photos are smaller than 48 px" in run(*TASK, "output=outputs").out


def test_photos_come_in_order_whoever_is_read_first() -> None:
    stream = PhotoStream([Path("photos", name) for name in NAMES], 48, batch_size=8, threads=7)
    numbers = [number for batch in stream for number in batch.numbers]
    assert numbers == list(range(70))
    assert [number for batch in stream for number in batch.numbers] == numbers  # and again


class Slow(PhotoStream):
    """Notes what is being read while nobody asks for more."""

    started = 0

    def _read(self, file: Path) -> object:
        self.started += 1
        return super()._read(file)


def test_reading_goes_on_while_the_network_is_at_work_but_not_without_end() -> None:
    stream = Slow([Path("photos", name) for name in NAMES], 48, batch_size=8, threads=2)
    batches: Iterator[object] = iter(stream)
    next(batches)
    deadline = time.monotonic() + 10
    while stream.started < 8 + 16 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert 8 + 16 <= stream.started <= 8 + 16 + 2
    batches.close()  # type: ignore[attr-defined]


def test_a_limit_takes_photos_from_all_over() -> None:
    files = [Path(str(at)) for at in range(10)]
    assert [int(str(file)) for file in evenly_spaced(files, 4)] == [0, 2, 5, 7]
    assert evenly_spaced(files, None) == evenly_spaced(files, 99) == files
    found = featviz.exemplars(tiny(), "photos", "second", [0], k=9, limit=7)
    assert found.statistics[0].photos == 7
    assert {one.photo.name for one in found.strongest} == {f"{at:03d}.png" for at in range(0, 70, 10)}


@pytest.mark.end_to_end
def test_activations_that_are_not_finite() -> None:
    program = ("model=own", "model.target=tiny_networks.Breaks", "model.weights=random", "model.size=48")
    task = (*program, "task=exemplars", "data=photos", "layer='1'")
    assert "none of 70 photos can be used; the first: photo photos/000.png gives activations that are not finite" in (
        refused(*task, "filters=[0,1]")
    )
    folder = made(*task, "filters=[0,2]", output="other")
    assert len(table(folder / "statistics.csv")) == 4


BAD = {
    "data=empty": "folder empty holds no photo",
    "data=nowhere": "there is no photo or folder 'nowhere'",
    "data=texts": "none of 2 photos can be used; the first: photo texts/a.jpg is no picture that can be read",
    "layer=first,secnd": "unknown layer 'secnd'; nearest: second",
    "filters=[99]": "filter 99 is out of range: second has 20 filters",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize(("argument", "words"), BAD.items())
def test_bad_input_is_one_line_and_nothing_is_written(argument: str, words: str) -> None:
    Path("empty").mkdir()
    Path("texts").mkdir()
    for name in ("a.jpg", "b.png"):
        Path("texts", name).write_text("no picture")
    assert words in refused(*TASK, argument)
    assert not list(Path("outputs").rglob("*.csv"))


@pytest.mark.end_to_end
def test_data_is_missing() -> None:
    arguments = [argument for argument in TASK if not argument.startswith("data=")]
    assert "data" in refused(*arguments)


@pytest.fixture(scope="module")
def exemplars(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("exemplars"))
        return made(*TASK, f"data={photos}", "k=3", output="photo_runs").resolve()


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
    assert "natural_second" in events_of(folder / "0_optimizer.lr=0.01").Tags()["images"]
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
    "exemplars=photos": "photos is no folder of task=exemplars: it has no statistics.csv",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize(("argument", "words"), OTHERS.items())
def test_exemplars_of_something_else_are_refused(exemplars: Path, argument: str, words: str) -> None:
    assert words in refused(*SHORT, f"exemplars={exemplars}", argument)
    assert not list(Path("outputs").rglob("*.png"))


@pytest.mark.process
def test_memory_does_not_grow_with_the_number_of_photos() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), "memory", "photos=600"]
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    (few, _, peak_of_few, _), (many, _, peak_of_many, _) = (line.split() for line in told.splitlines())
    assert (few, many) == ("150", "600")
    # MB; the feature maps alone of 450 more photos would be 45
    assert float(peak_of_many) - float(peak_of_few) < 20


@pytest.mark.end_to_end
def test_other_weights_under_the_same_name_are_another_run() -> None:
    torch.save(Tiny().state_dict(), "w.pt")
    task = ("model=own", "model.target=tiny_networks.Tiny", "model.weights=w.pt", "model.size=48", *TASK[len(TINY) :])
    assert run(*task, "hydra.run.dir=there").status == 0
    before = Path("there/exemplars.csv").read_bytes()
    assert run(*task, "resume=there").status == 0
    torch.save(Tiny().state_dict(), "w.pt")
    assert "holds a run with other contents of the network's weights" in refused(*task, "resume=there")
    assert Path("there/exemplars.csv").read_bytes() == before
    assert not Path("there/checkpoints/photos.ckpt").exists()


ODD = {
    "filter=x": ("exemplars.csv", "filter", "x", "holds what is no number"),
    "mean=x": ("exemplars.csv", "mean", "x", "holds what is no number"),
    "by=nope": ("exemplars.csv", "by", "nope", "unknown by 'nope'; there are: mean, max"),
    "patch outside": ("exemplars.csv", "patch", "../x.png", "is no .png file in its folder"),
    "figure=nope": ("statistics.csv", "figure", "nope", "unknown figure 'nope'; there are: mean, max"),
    "only one figure": ("statistics.csv", "figure", "max", "was made without filter 0 of second"),
    "std=nan": ("statistics.csv", "std", "nan", "has a number that is not finite"),
    "p50=inf": ("statistics.csv", "p50", "inf", "has a number that is not finite"),
    "p0=999": ("statistics.csv", "p0", "999", "has percentiles that do not rise"),
}


@pytest.mark.parametrize(("name", "column", "value", "words"), ODD.values(), ids=ODD)
def test_tables_with_odd_values_are_told_before_anything_is_made(
    name: str, column: str, value: str, words: str, tmp_path: Path
) -> None:
    featviz.exemplars(tiny(), "photos", "second", [0], k=2, output=tmp_path / "found")
    rows = table(tmp_path / "found" / name)
    write_table(tmp_path / "found" / name, list(rows[0]), [{**row, column: value} for row in rows])
    fast = ["schedule.steps=1", "schedule.size=48", f"exemplars={tmp_path / 'found'}"]
    with pytest.raises(FeatvizError, match=re.escape(words)):
        featviz.visualize(tiny(), layer="second", filters=[0], overrides=fast, output=tmp_path / "made")
    assert not (tmp_path / "made").exists()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims these sides, and has nothing behind."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize("content", [b"", b"no picture", png_header(50_000, 50_000)], ids=["empty", "text", "bomb"])
def test_a_patch_that_cannot_be_shown_is_missing(content: bytes, tmp_path: Path) -> None:
    featviz.exemplars(tiny(), "photos", "second", [0], k=2, output=tmp_path / "found")
    (first, *_) = (tmp_path / "found/patches/second").iterdir()
    first.write_bytes(content)
    fast = ["schedule.steps=1", "schedule.size=48", f"exemplars={tmp_path / 'found'}"]
    featviz.visualize(tiny(), layer="second", filters=[0], overrides=fast, output=tmp_path / "made")
    assert (tmp_path / "made/natural_second.png").is_file()
