"""Photos of every kind that cameras and the web hand out."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from refusals import assert_refused, refusal_of

from featviz.photos import files
from featviz.photos.files import distinct_names, find_photos, fit_photo, load_photo, read_photo, readable_photos
from featviz.results.files import png, write_table
from featviz.results.sheets import table_sheet

RED = (200, 30, 40)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def halves(mode: str = "RGB") -> Image.Image:
    """40 x 20 px: left red, right blue."""
    image = Image.new("RGB", (40, 20), RED)
    image.paste((30, 40, 200), (20, 0, 40, 20))
    return image.convert(mode)


@pytest.mark.parametrize(("mode", "name"), [("CMYK", "a.jpg"), ("P", "a.png"), ("RGBA", "a.webp"), ("RGB", "a.bmp")])
def test_colors_come_through(tmp_path: Path, mode: str, name: str) -> None:
    image = read_photo(save(halves(mode), tmp_path / name, **({"lossless": True} if name.endswith("webp") else {})))
    assert (image.mode, image.size) == ("RGB", (40, 20))
    assert np.abs(np.array(image, int)[10, 5] - RED).max() < 35  # the palette has 216 colors


def test_exif_turns_it_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees clockwise
    image = read_photo(save(halves(), tmp_path / "a.jpg", exif=exif, quality=95))
    assert image.size == (20, 40)
    assert np.abs(np.array(image, int)[5, 10] - RED).max() < 20


def test_what_is_transparent_shows_gray(tmp_path: Path) -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert read_photo(save(image, tmp_path / "a.png")).getpixel((1, 1)) == (128, 128, 128)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint16, 65535), (np.int32, 65535), (np.float32, 1.0)])
def test_more_than_eight_bits_are_scaled_not_cut_off(tmp_path: Path, dtype: type, white: float) -> None:
    values = np.array([[0, white / 2], [white / 4, white]], dtype)
    image = read_photo(save(Image.fromarray(values), tmp_path / "a.tif"))
    assert np.abs(np.array(image, int)[..., 0] - [[0, 127], [64, 255]]).max() <= 1


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, (0, 255, 0))]
    path = save(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert np.abs(np.array(read_photo(path), int)[2, 2] - RED).max() < 12


@pytest.mark.parametrize(("channels", "shape"), [(3, (3, 16, 16)), (1, (1, 16, 16)), (4, (4, 16, 16))])
def test_the_center_is_cut_out_at_the_network_s_size(channels: int, shape: tuple[int, ...]) -> None:
    tensor = fit_photo(halves(), 16, channels)
    assert tuple(tensor.shape) == shape
    assert (tensor.min() >= 0, tensor.max() <= 1) == (True, True)
    if channels == 3:
        assert (tensor[:, 8, 2] * 255 - torch.tensor(RED)).abs().max() < 2
        assert tensor[2, 8, 13] > tensor[0, 8, 13]


def test_a_small_photo_is_enlarged(tmp_path: Path) -> None:
    assert load_photo(save(Image.new("L", (5, 3), 100), tmp_path / "a.png"), 32).shape == (3, 32, 32)


def test_folders_are_read_in_order_with_their_subfolders(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.jpg", "a.PNG", "sub/c.jpeg"):
        save(halves(), tmp_path / name)
    (tmp_path / "notes.txt").touch()
    assert [path.name for path in find_photos(tmp_path)] == ["a.PNG", "b.jpg", "c.jpeg"]
    assert find_photos([tmp_path / "b.jpg", str(tmp_path / "sub")]) == [tmp_path / "b.jpg", tmp_path / "sub/c.jpeg"]


def test_a_missing_photo_names_the_nearest(tmp_path: Path) -> None:
    save(halves(), tmp_path / "chelsea.png")
    assert_refused(lambda: read_photo(tmp_path / "chelse.png"), "photo", "chelse.png", "chelsea.png")
    assert_refused(lambda: read_photo(tmp_path / "nowhere" / "x.png"), "photo", "x.png", "")


def test_a_text_file_is_no_photo(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not a picture")
    assert_refused(lambda: read_photo(tmp_path / "a.jpg"), "photo", tmp_path / "a.jpg", "")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_photo_cut_short(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    content = save(Image.fromarray(noise), tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    assert_refused(lambda: read_photo(tmp_path / name), "photo", tmp_path / name, "")


@pytest.mark.parametrize("side", [7100, 20000])
def test_a_huge_photo_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    path = save(Image.new("1", (side, side)), tmp_path / "a.png")
    got = side * side / 1e6 if side == 7100 else path
    assert_refused(lambda: read_photo(path), "photo", got, "at most 50 megapixels")


def test_a_folder_without_photos(tmp_path: Path) -> None:
    assert_refused(lambda: find_photos(tmp_path / "photos"), "photo", "photos", "")
    (tmp_path / "photos").mkdir()
    error = refusal_of(lambda: find_photos(tmp_path / "photos"))
    assert (error.setting, error.got) == ("photo", tmp_path / "photos")
    assert error.expected.startswith("files ending in .avif")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_other_formats_are_not_read_whatever_they_are_called(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow hands PostScript to another program."""
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/STARTED\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    halves().save(tmp_path / "eps", "EPS")
    (tmp_path / "eps").rename(tmp_path / name)
    assert_refused(lambda: read_photo(tmp_path / name), "photo", tmp_path / name, "")
    assert not (tmp_path / "STARTED").exists()


def test_a_narrow_photo_of_many_pixels(tmp_path: Path) -> None:
    save(Image.new("L", (1, 60_000)), tmp_path / "a.png")
    assert_refused(lambda: read_photo(tmp_path / "a.png"), "photo", tmp_path / "a.png", "")


@pytest.mark.parametrize(
    ("values", "black", "white"),
    [
        (np.linspace(0, 4095, 4096).reshape(64, 64).astype(np.uint16), 0, 4095),
        (np.linspace(0, 300, 4096).reshape(64, 64).astype(np.float32), 0, 300),
        (np.linspace(-1, 1, 4096).reshape(64, 64).astype(np.float32), -1, 1),
        (np.linspace(0, 200, 4096).reshape(64, 64).astype(np.float32), 0, 255),
    ],
    ids=["12 bit", "to 300", "below zero", "to 255"],
)
def test_the_range_of_many_bits_is_read_off_and_told(
    values: np.ndarray, black: float, white: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files._TOLD.clear()
    levels = np.array(read_photo(save(Image.fromarray(values), tmp_path / "a.tif")), int)[..., 0]
    assert np.abs(levels - (values.astype(float) - black) * 255 / (white - black)).max() <= 0.51
    assert f"{black:g} is taken for black and {white:g} for white" in caplog.text


def test_the_range_in_a_file_s_own_words(tmp_path: Path) -> None:
    dark = np.full((4, 4), 1000, np.uint16)
    Image.fromarray(dark).save(tmp_path / "a.tif", tiffinfo={281: 4095})
    assert read_photo(tmp_path / "a.tif").getpixel((0, 0)) == (62, 62, 62)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused(bad: float, tmp_path: Path) -> None:
    values = np.ones((8, 8), np.float32)
    values[0, 0] = bad
    path = save(Image.fromarray(values), tmp_path / "a.tif")
    assert_refused(lambda: read_photo(path), "photo", path, "")


def test_all_endings_linked_folders_and_no_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "data/cat").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for name in ("data/a.jfif", "data/b.JPE", "data/cat/c.mpo", "elsewhere/d.jpg", "data/._a.jpg", "data/.hidden.png"):
        halves().save(tmp_path / name, "JPEG")
    (tmp_path / "data/dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/cat/loop").symlink_to(tmp_path / "data")
    (tmp_path / "data/broken.jpg").symlink_to("nowhere")
    found = [str(path.relative_to(tmp_path / "data")) for path in find_photos(tmp_path / "data")]
    assert found == ["a.jfif", "b.JPE", "cat/c.mpo", "dog/d.jpg"]
    assert all(read_photo(tmp_path / "data" / name).size == (40, 20) for name in found)


def test_a_bad_file_of_a_folder_is_skipped_and_named_itself_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(halves(), tmp_path / "good.jpg")
    for name, content in {"empty.jpg": b"", "page.png": b"<html>", "x\x1b[31m.png": b"x"}.items():
        (tmp_path / name).write_bytes(content)
    assert readable_photos(tmp_path) == [tmp_path / "good.jpg"]
    assert caplog.text.count("skipped: ") == 3
    assert "\x1b" not in caplog.text
    page = tmp_path / "page.png"
    assert_refused(lambda: readable_photos([tmp_path / "good.jpg", page]), "photo", page, "")
    (tmp_path / "good.jpg").unlink()
    assert_refused(lambda: readable_photos(tmp_path), "photo", tmp_path, "")


def test_heic_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    assert_refused(lambda: read_photo(tmp_path / "a.heic"), "photo", tmp_path / "a.heic", "")


def test_names_that_tell_files_apart() -> None:
    paths = [Path("c/cat/001.jpg"), Path("c/dog/001.jpg"), Path("c/dog/001.png"), Path("c/x.jpg")]
    assert distinct_names(paths) == ["cat/001.jpg", "dog/001.jpg", "001.png", "x.jpg"]
    assert distinct_names([Path("a.jpg"), Path("a.jpg")]) == ["a.jpg", "a.jpg"]


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    save(halves(), tmp_path / "a.jpg")
    shutil.move(tmp_path / "a.jpg", os.path.join(os.fsencode(tmp_path), b"caf\xe9.jpg"))
    (path,) = readable_photos(tmp_path)
    write_table(tmp_path / "t.csv", ["photo"], [{"photo": str(path)}])
    assert os.fsencode(path.name) in (tmp_path / "t.csv").read_bytes()
    png(halves(), {"model": path.name})  # type: ignore[typeddict-item]
    assert table_sheet([[halves()]], [path.name], [path.name], path.name).width > 40


def test_a_folder_that_is_not_there_gets_near_names_only(tmp_path: Path) -> None:
    for name in ("photos_2023", "photos_2024", "else", "x"):
        (tmp_path / name).mkdir()
    error = refusal_of(lambda: find_photos(tmp_path / "photos_2025"))
    assert (error.setting, set(error.nearest)) == ("photo", {"photos_2023", "photos_2024"})
    error = refusal_of(lambda: find_photos(tmp_path / "nothere"))
    assert (error.got, error.nearest) == ("nothere", ())


def test_a_phones_photo_is_read(tmp_path: Path) -> None:
    """Where the extra is installed; without it, one line says what to install."""
    pillow_heif = pytest.importorskip("pillow_heif")
    ramp = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[:, None], 64, 1)
    photo = Image.fromarray(np.stack([ramp, ramp.T, 255 - ramp], 2))
    pillow_heif.from_pillow(photo).save(tmp_path / "a.HEIC", quality=100)
    shutil.copy(tmp_path / "a.HEIC", tmp_path / "b.heif")
    assert [path.name for path in find_photos(tmp_path)] == ["a.HEIC", "b.heif"]
    for path in find_photos(tmp_path):
        read = np.asarray(read_photo(path)).astype(int)
        assert read.shape == (64, 64, 3)
        assert np.abs(read - np.asarray(photo)).mean() < 4
    (tmp_path / "c.heic").write_bytes((tmp_path / "a.HEIC").read_bytes()[:300])
    assert_refused(lambda: read_photo(tmp_path / "c.heic"), "photo", tmp_path / "c.heic", "")
