"""The site of a run: what is in its data, and that the same runs give the same bytes."""

from pathlib import Path

import pytest
from PIL import Image
from run_folders import (
    all_files,
    details,
    layer_data,
    picture_row,
    site_data,
    write_config,
    write_json,
    write_run,
    write_table,
)

from featviz.pages import write_site
from featviz.results.film import animation
from featviz.results.frames import write_frame

OTHER = "ffee0000ffee0000"
HOSTILE = [
    "<script>alert(1)</script>",
    "\"quoted\" & 'single'",
    "a/b\\c",
    "🐟 emoji",
    "שלום עולם",
    "\u202eturned",
    "\u2028",
]


def test_a_run_gets_its_pages_into_its_own_folder(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    before = all_files(run)
    index = write_site([run], run)
    assert index == run / "index.html"
    after = all_files(run)
    assert {name: content for name, content in after.items() if name in before} == before
    assert all(name == "index.html" or name.startswith("report/") for name in set(after) - set(before))
    site = site_data(run)
    assert site["title"] == "visualize"
    (layer,) = site["models"][0]["layers"]
    assert (layer["module"], layer["names"], layer["with_pictures"], layer["dead"]) == ("blocks.0", ["layer1"], 3, 0)
    (one,) = site["runs"]
    assert site["models"][0]["words"] == "model=small"
    assert (one["folder"], one["task"], one["recipe"], one["problems"]) == (".", "visualize", "olah2017", [])
    assert one["command"] == "python -m featviz model=small layer=layer1"
    assert ["optimizer.lr", "0.05"] in one["settings"]


def test_pictures_are_columns_of_equal_length(tmp_path: Path) -> None:
    rows = [picture_row(1), picture_row(0), picture_row(0, variant=1), picture_row(2, objective="negative")]
    rows[0]["size"], rows[1]["size"] = "36x64", "16x36x64"  # as those of oblong pictures and films
    run = write_run(tmp_path, rows)
    write_site([run], run)
    pictures = layer_data(run)["pictures"]
    metrics = pictures.pop("metrics")
    assert {len(column) for column in (*pictures.values(), *metrics.values())} == {4}
    assert pictures["unit"] == [0, 0, 1, 2]
    assert pictures["variant"] == [0, 1, 0, 0]
    assert pictures["negative"] == [0, 0, 0, 1]
    assert pictures["image"][1] == "images/layer1/0000_1.png"
    assert metrics["activation"] == [1.5, 1.5, 2.5, 3.5]


def test_metrics_are_described_and_numbers_that_are_none_are_null(tmp_path: Path) -> None:
    rows = [picture_row(0, natural_max=0.5, mine=7.0), picture_row(1, natural_max="nan", gain=1 / 3, mine="")]
    run = write_run(tmp_path, rows)
    write_site([run], run)
    metrics = layer_data(run)["pictures"]["metrics"]
    assert metrics["gain"] == [1.25, 0.333333]
    assert metrics["natural_max"] == [0.5, None]
    assert metrics["times_photo"] == [3.0, None]
    assert metrics["mine"] == [7.0, None]
    described = {metric["key"]: metric for metric in site_data(run)["metrics"]}
    assert set(described) == set(metrics)
    assert described["gain"]["better"] == "high"
    assert described["gain"]["meaning"]
    assert described["mine"]["label"] == "mine"


def test_frames_of_a_picture_are_listed_by_their_steps(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [picture_row(4, steps=512), picture_row(5)])
    for step in (256, 0):
        write_frame(run, "layer1", 4, 0, step, Image.new("RGB", (24, 24)))
    write_site([run], run)
    files = ["frames/layer1/0004/00000.webp", "frames/layer1/0004/00256.webp"]
    assert details(run, 4)["frames"] == {"0": {"steps": [0, 256], "files": files, "word": "step", "total": 512}}
    assert "frames" not in details(run, 5)
    write_site([run], tmp_path / "site", copy=True)
    copied = details(tmp_path / "site", 4)["frames"]["0"]["files"]
    assert all(
        (tmp_path / "site" / file).read_bytes() == (run / name).read_bytes()
        for file, name in zip(copied, files, strict=True)
    )


def test_a_frame_that_was_cut_short_is_left_out_and_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [picture_row(4)])
    for step in (0, 1):
        write_frame(run, "layer1", 4, 0, step, Image.new("RGB", (24, 24)))
    (run / "frames/layer1/0004/00001.webp").write_bytes(b"RIFF")
    write_site([run], run)
    assert details(run, 4)["frames"]["0"]["steps"] == [0]
    assert site_data(run)["runs"][0]["problems"] == ["frames/layer1/0004/00001.webp is damaged (cut short)"]


def test_a_film_lies_beside_the_strip_of_its_frames(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [picture_row(4), picture_row(5), picture_row(6)])
    write_site([run], run)
    assert "film" not in layer_data(run)["pictures"]
    frames = [Image.new("RGB", (24, 24), color) for color in ("red", "blue")]
    (run / "images/layer1/0005.webp").write_bytes(animation(frames))
    (run / "images/layer1/0006.webp").write_bytes(animation(frames)[:-1])
    write_site([run], tmp_path / "site", copy=True)
    _, film, damaged = layer_data(tmp_path / "site")["pictures"]["film"]
    assert (tmp_path / "site" / film).read_bytes() == animation(frames)
    assert damaged == ""
    assert site_data(tmp_path / "site")["runs"][0]["problems"] == ["images/layer1/0006.webp is damaged (cut short)"]


def test_dead_pictures_are_shown_as_dead(tmp_path: Path) -> None:
    rows = [picture_row(0, status="dead", reason="it does not move", image=""), picture_row(1, reason="weak: by 3")]
    run = write_run(tmp_path, rows)
    write_site([run], run)
    pictures = layer_data(run)["pictures"]
    assert (pictures["status"], pictures["weak"]) == (["dead", "ok"], [0, 1])
    assert (pictures["sprite"], pictures["image"][0]) == ([-1, 0], "")
    assert site_data(run)["models"][0]["layers"][0]["dead"] == 1


def test_pictures_of_no_unit_have_a_layer_of_their_own(tmp_path: Path) -> None:
    run = write_run(
        tmp_path, [picture_row(0), picture_row(0, objective="direction", layer="layer2", module="blocks.1")]
    )
    write_site([run], run)
    modules = [(layer["module"], layer["type"]) for layer in site_data(run)["models"][0]["layers"]]
    assert ("blocks.1 direction", "objective=direction") in modules


def test_layers_are_in_the_order_of_the_network(tmp_path: Path) -> None:
    run = write_run(tmp_path, [picture_row(0, layer="b", module="b"), picture_row(0, layer="layer1", module="a")])
    entry = {"names": [], "type": "Conv2d", "shape": [4, 8, 8], "stride": 2, "units": 4}
    layers = [{"module": name, **entry} for name in ("stem", "a", "b", "head")] + [{"module": 3}, "no layer"]
    write_json(run / "network.json", {"model": "big", "weights": "given", "network": OTHER, "layers": layers})
    write_site([run], run)
    (model,) = site_data(run)["models"]
    assert (model["name"], model["weights"], model["checksum"]) == ("big", "given", OTHER)
    assert [layer["module"] for layer in model["layers"]] == ["stem", "a", "b", "head"]
    assert [layer["file"] is None for layer in model["layers"]] == [True, False, False, True]
    assert model["layers"][1]["names"] == ["layer1"]
    assert [layer["name"] for layer in model["layers"]] == ["stem", "layer1", "b", "head"]
    assert model["layers"][0]["shape"] == [4, 8, 8]
    assert site_data(run)["runs"][0]["problems"] == ["network.json is damaged (2 of its layers)"]


@pytest.mark.parametrize("called", ["layer1", "blocks.0"])
def test_a_layer_is_called_as_its_runs_call_it(called: str, tmp_path: Path) -> None:
    run = write_run(tmp_path, [picture_row(0, layer=called)])
    entry = {"module": "blocks.0", "names": ["layer1"]}
    write_json(run / "network.json", {"model": "big", "weights": "given", "network": OTHER, "layers": [entry]})
    write_site([run], run)
    assert site_data(run)["models"][0]["layers"][0]["name"] == called


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        ({}, ["1 of 4 filters has no picture yet: resume=FOLDER goes on with the run"]),
        ({"shard": "0/2"}, []),
    ],
)
def test_a_run_that_was_ended_says_what_it_lacks(changed: dict[str, str], problems: list[str], tmp_path: Path) -> None:
    run = write_run(tmp_path)
    write_config(run, "visualize", **changed)
    write_json(run / "manifest.json", {"layers": [{"name": "layer1", "filters": [0, 1, 2, 9]}, "no layer", {}]})
    write_site([run], run)
    assert site_data(run)["runs"][0]["problems"] == problems


def test_units_of_a_photo_have_their_rank_on_it(tmp_path: Path) -> None:
    run = write_run(tmp_path, [picture_row(0), picture_row(1)])
    row = {"photo": "a.png", "layer": "layer1", "module": "blocks.0", "filter": 1, "mean": 0.5, "max": 2, "rank": 3}
    write_table(run / "top_filters.csv", [row, row | {"photo": "b.png", "mean": 0.25, "rank": 2}])
    write_site([run], run)
    metrics = layer_data(run)["pictures"]["metrics"]
    assert (metrics["photo_rank"], metrics["photo_mean"]) == ([None, 2], [None, 0.5])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_data(text: str, tmp_path: Path) -> None:
    rows = [picture_row(0, reason=text, recipe=text, model=text, **{"class": text})]
    run = write_run(tmp_path / "run", rows)
    index = write_site([run], run)
    page = index.read_bytes() + b"".join(path.read_bytes() for path in (run / "report/data").iterdir())
    assert b"<script>alert" not in page
    assert "\u202e".encode() not in page
    assert "\u2028".encode() not in page
    shown = text if text.isprintable() else text.encode("unicode_escape").decode()
    assert layer_data(run)["classes"] == [shown]
    assert layer_data(run)["pictures"]["reason"] == [shown]
    assert site_data(run)["models"][0]["name"] == shown


@pytest.mark.parametrize("name", ['<b> "q" & #1?', "100%", "🐟 שלום", "it's"])
def test_addresses_are_percent_encoded(name: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / name, [picture_row(0, image=f"images/{name}.png")])
    write_site([run], tmp_path / "site")
    (address,) = layer_data(tmp_path / "site")["pictures"]["image"]
    assert not set(address) & set("<>\"'& #?")
    from urllib.parse import unquote

    assert (tmp_path / "site" / unquote(address)).is_file()


def test_equal_runs_give_equal_bytes_wherever_they_lie(tmp_path: Path) -> None:
    made = []
    for name in ("2026-01-01_00-00-00", "2026-02-02_00-00-00"):
        run = write_run(tmp_path / name)
        write_site([run], run)
        made.append(all_files(run))
    assert made[0] == made[1]


def test_a_site_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    write_site([run], run)
    (run / "report/data/notes.txt").write_text("mine")
    first = all_files(run / "report")
    write_run(run, [picture_row(0), picture_row(9)])
    write_site([run], run)
    later = all_files(run / "report")
    assert layer_data(run)["units"] == [0, 9]
    assert set(first) & set(later) == {"data/notes.txt"}


def test_halves_of_files_that_a_kill_has_left_go(tmp_path: Path) -> None:
    run, gone = write_run(tmp_path), 2**22 + 1  # above the largest number of a process
    (run / "report/data").mkdir(parents=True)
    for name in (".index.html", "report/data/.m0_l0.js"):
        (run / f"{name}.{gone}.part").write_text("half")
    write_site([run], run)
    assert not list(run.rglob(".*.part"))


def test_what_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    write_site([run], run)
    times = {path: path.stat().st_mtime_ns for path in (run / "report").rglob("*.*")}
    write_site([run], run)
    assert {path: path.stat().st_mtime_ns for path in (run / "report").rglob("*.*")} == times
