import csv
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from refusals import assert_refused, refusal_of

import featviz
from featviz.results import files as results
from featviz.results.completion import begin
from featviz.results.files import file_name
from featviz.results.folder import RunFolder, read_rows
from featviz.results.rows import COLUMNS, Row, heading
from featviz.results.tensors import quantize


def row(number: int, **other: Any) -> Row:
    values: dict[str, Any] = {
        "model": "resnet34",
        "weights": "random",
        "layer": "layer4",
        "module": "layer4.2",
        "filter": number,
        "variant": 0,
        "objective": "channel",
        "recipe": "olah2017",
        "seed": 3,
        "steps": 16,
        "size": 8,
        "activation": 1.25 + number,
        "start_activation": 0.1,
        "status": "ok",
        "reason": "",
        "seconds": 0.5,
        "image": "",
    }
    return cast(Row, values | other)


def pictures(count: int, channels: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, channels, 8, 6, generator=torch.Generator().manual_seed(seed))


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
    return image


def levels(path: Path) -> torch.Tensor:
    array = torch.from_numpy(np.array(opened(path))).float() / 255
    return array[None] if array.ndim == 2 else array.permute(2, 0, 1)


def test_quantized_pictures_are_those_in_the_png(tmp_path: Path) -> None:
    given = pictures(2) * 1.4 - 0.2
    quantized = quantize(given)
    saved = RunFolder(tmp_path).save_chunk(given, [row(0), row(17)])
    assert [r["image"] for r in saved] == ["images/layer4/0000.png", "images/layer4/0017.png"]
    for picture, r in zip(quantized, saved, strict=True):
        assert torch.equal(levels(tmp_path / r["image"]), picture)
    assert torch.equal(quantize(quantized), quantized)
    assert (quantized - given.clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6


def test_quantize_keeps_what_is_not_finite_visible() -> None:
    assert quantize(torch.tensor([torch.nan, torch.inf, -torch.inf])).isnan().all()
    assert quantize(torch.tensor([0.5], dtype=torch.float16)).dtype == torch.float32


def test_png_text_says_what_the_picture_is(tmp_path: Path) -> None:
    r = row(5, weights="gewichte/ä 网.pt", activation=0.1 + 0.2)
    RunFolder(tmp_path).save_chunk(pictures(1), [r])
    text = opened(tmp_path / "images/layer4/0005.png").info
    told = {name: str(r[name]) for name in COLUMNS if name not in ("reason", "seconds", "image")}  # type: ignore[literal-required]
    assert {name: str(value) for name, value in text.items()} == told | {"Software": f"featviz {featviz.__version__}"}


def test_equal_pictures_give_equal_bytes(tmp_path: Path) -> None:
    for name, seconds in (("a", 1.0), ("b", 2.0)):
        RunFolder(tmp_path / name).save_chunk(pictures(1), [row(0, seconds=seconds)])
    first, second = ((tmp_path / name / "images/layer4/0000.png").read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (4, "RGB"), (7, "RGB")])
def test_any_number_of_channels(tmp_path: Path, channels: int, mode: str) -> None:
    given = pictures(1, channels)
    RunFolder(tmp_path).save_chunk(given, [row(0)])
    path = tmp_path / "images/layer4/0000.png"
    shown = 1 if mode == "L" else 3
    assert opened(path).mode == mode
    assert torch.equal(levels(path), quantize(given)[0, :shown])
    assert path.with_suffix(".npy").exists() == (channels not in (1, 3))
    if channels not in (1, 3):
        assert torch.equal(torch.from_numpy(np.load(path.with_suffix(".npy"))), quantize(given)[0])


def test_an_array_does_not_outlive_its_picture(tmp_path: Path) -> None:
    for channels, names in ((4, ["0000.npy", "0000.png"]), (3, ["0000.png"])):
        RunFolder(tmp_path).save_chunk(pictures(1, channels), [row(0)])
        assert sorted(p.name for p in (tmp_path / "images/layer4").iterdir()) == names


def test_variants_stand_side_by_side(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    saved = folder.save_chunk(pictures(3), [row(7), row(7, variant=1), row(7, variant=2)])
    assert [Path(r["image"]).name for r in saved] == ["0007.png", "0007_1.png", "0007_2.png"]
    folder.save_chunk(pictures(1), [row(7, variant=1, activation=9.0)])
    assert [r["activation"] for r in read_rows(tmp_path)] == [8.25, 9.0, 8.25]


@pytest.mark.parametrize("channels", [1, 3])
def test_opacity_becomes_the_alpha_channel(tmp_path: Path, channels: int) -> None:
    alpha = torch.linspace(0, 1, 48).view(1, 1, 8, 6)
    (saved,) = RunFolder(tmp_path).save_chunk(pictures(1, channels), [row(0)], alpha)
    with Image.open(tmp_path / saved["image"]) as image:
        assert image.mode == ("LA" if channels == 1 else "RGBA")
        np.testing.assert_array_equal(np.array(image)[..., -1], quantize(alpha)[0, 0] * 255)


def test_rows_come_back_with_their_types(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    rows = [row(0, activation=0.1 + 0.2), row(12345, reason='odd, "quoted"\nreason', status="dead")]
    saved = folder.save_chunk(pictures(2), rows)
    assert read_rows(folder.path) == read_rows(folder.path / "results.csv") == saved
    header = (folder.path / "results.csv").read_text().splitlines()[0]
    assert header == (
        "model,weights,layer,module,filter,variant,objective,recipe,seed,steps,size,activation,start_activation,"
        "status,reason,seconds,image"
    )


def test_chunks_add_up_and_newer_rows_replace(tmp_path: Path) -> None:
    RunFolder(tmp_path).save_chunk(pictures(2), [row(0), row(1)])
    RunFolder(tmp_path).save_chunk(pictures(2), [row(1, activation=9.0), row(1, layer="layer3")])
    found = [(r["layer"], r["filter"], r["activation"]) for r in read_rows(tmp_path)]
    assert found == [("layer4", 0, 1.25), ("layer4", 1, 9.0), ("layer3", 1, 2.25)]
    with (tmp_path / "results.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 4


def test_several_at_once_lose_no_row_and_leave_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is removed must not let two in."""
    (tmp_path / "locks").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "locks"))

    def save(writer: int) -> None:
        for at in range(8):
            RunFolder(tmp_path / "run").save_chunk(pictures(1), [row(writer * 100 + at)])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(save, range(6)))
    assert sorted(r["filter"] for r in read_rows(tmp_path / "run")) == [
        w * 100 + at for w in range(6) for at in range(8)
    ]
    assert not list((tmp_path / "locks").iterdir())


def test_what_a_killed_process_was_writing_is_removed_and_what_others_write_stays(tmp_path: Path) -> None:
    nobody = 2**22 + 1  # above Linux's highest
    mine, other = (tmp_path / f"images/.a.png.{process}.part" for process in (os.getpid(), nobody))
    mine.parent.mkdir()
    mine.touch()
    other.touch()
    begin(tmp_path)
    assert list(tmp_path.rglob(".*")) == [mine]


def test_not_finite_has_a_row_and_no_picture(tmp_path: Path) -> None:
    given = pictures(2)
    RunFolder(tmp_path).save_chunk(given, [row(0), row(1)])
    given[1, 0, 2, 2] = torch.nan
    RunFolder(tmp_path).save_chunk(given, [row(0), row(1, status="nan", activation=float("nan"))])
    last = read_rows(tmp_path)[1]
    assert (last["status"], last["image"]) == ("nan", "")
    assert np.isnan(last["activation"])
    assert [p.name for p in (tmp_path / "images/layer4").iterdir()] == ["0000.png"]


def test_a_kill_while_writing_leaves_the_older_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.save_chunk(pictures(1), [row(0)])
    before = (tmp_path / "results.csv").read_bytes()

    def killed(_file: int) -> None:  # what is written is not on the disk yet
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        results.write_table(tmp_path / "results.csv", COLUMNS, [row(0), row(1)])
    assert (tmp_path / "results.csv").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "results.csv"]


def test_grids_one_for_each_layer(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    given = pictures(3)
    given[2] = torch.nan
    folder.save_chunk(given, [row(4), row(0, status="dead"), row(2, status="nan")])
    folder.save_chunk(pictures(1, 1), [row(0, layer="layer3", module="layer3")])
    paths = folder.write_grids()
    assert [p.name for p in paths] == ["grid_layer4.png", "grid_layer3.png"]
    before = [p.read_bytes() for p in paths]
    assert [p.read_bytes() for p in RunFolder(tmp_path).write_grids()] == before


def test_heading_says_what_is_shared() -> None:
    assert heading([row(0)]) == "resnet34 (random weights), layer4 (layer4.2), olah2017"
    other = row(1, recipe="other", layer="layer4.2", weights="pretrained")
    assert heading([other]) == "resnet34, layer4.2, other"
    assert heading([row(0), row(1, recipe="other")]) == "resnet34 (random weights), layer4 (layer4.2)"
    assert heading([row(0, weights="a/b.pt")]).startswith("resnet34 (weights b.pt)")


def test_config_is_written(tmp_path: Path) -> None:
    RunFolder(tmp_path / "new" / "run").write_config("seed: 0\n")
    assert (tmp_path / "new/run/config.yaml").read_text() == "seed: 0\n"


def test_file_names_are_safe_and_apart() -> None:
    assert file_name("layer4.2.conv2") == "layer4.2.conv2"
    odd = [
        "",
        ".",
        "..",
        "../up",
        "a/b",
        "a_b",
        "a b",
        "a:b",
        "aux",
        "AUX.1",
        "x" * 300,
        "x" * 299,
        "schicht_ä",
    ]
    names = [file_name(layer) for layer in odd]
    assert len(set(names)) == len(odd)
    for name in names:
        assert 0 < len(name) < 100
        assert not set(name) & set('/\\:*?"<>| ')
        assert name not in (".", "..", "aux", "AUX.1")


def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        folder = RunFolder(path)
        assert_refused(partial(folder.write_config, ""), "", str(path / "config.yaml"), "")
        error = refusal_of(partial(folder.save_chunk, pictures(1), [row(0)]))
        assert str(error.got).startswith(str(path))


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    assert_refused(lambda: read_rows(tmp_path / "results.csv"), "", str(tmp_path / "results.csv"), "")
    (tmp_path / "results.csv").write_text("model,layer\nresnet34,layer4\n")
    columns = f"the columns {','.join(COLUMNS)}"
    assert_refused(lambda: read_rows(tmp_path), "", str(tmp_path / "results.csv"), columns)


@pytest.mark.parametrize("content", [b"model,\xff\n1,2\n", b"model\n" + b"x" * 200_000 + b"\n"])
def test_a_damaged_table_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "results.csv").write_bytes(content)
    columns = f"the columns {','.join(COLUMNS)}"
    assert_refused(lambda: read_rows(tmp_path), "", str(tmp_path / "results.csv"), columns)


def test_a_table_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    saved = RunFolder(tmp_path).save_chunk(pictures(1), [row(0)])
    table = tmp_path / "results.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    assert read_rows(tmp_path) == saved
