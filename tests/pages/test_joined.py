"""Several runs on one site: joined by their networks, linked or copied."""

import shutil
from pathlib import Path

from run_folders import (
    details,
    layer_data,
    picture_row,
    site_data,
    write_exemplars,
    write_run,
)

from featviz.pages import write_site

OTHER = "ffee0000ffee0000"


def test_recipes_and_exemplars_of_one_network_are_joined(tmp_path: Path) -> None:
    one, two = write_run(tmp_path / "one"), write_run(tmp_path / "two", [picture_row(2), picture_row(5)])
    three = write_exemplars(tmp_path / "three", units=(0, 7))
    write_site([one, two, three], tmp_path / "site")
    site = site_data(tmp_path / "site")
    assert len(site["models"]) == 1
    assert [run["label"] for run in site["runs"]] == ["one", "two", "three"]
    assert [run["folder"] for run in site["runs"]] == ["../one", "../two", "../three"]
    data = layer_data(tmp_path / "site")
    assert data["units"] == [0, 1, 2, 5, 7]
    assert list(zip(data["pictures"]["unit"], data["pictures"]["run"], strict=True)) == [
        *((0, 0), (1, 0), (2, 0)),
        *((2, 1), (5, 1)),
    ]
    assert data["exemplar_sprites"]["unit"] == [0, 0, 7, 7]
    assert [one["image"] for one in details(tmp_path / "site", 7)["exemplars"]] == [
        "../three/photos/000001.jpg",
        "../three/photos/000002.jpg",
    ]
    assert site["notes"] == []


def test_different_weights_of_one_name_are_told_apart_and_said(tmp_path: Path) -> None:
    one, two = write_run(tmp_path / "one"), write_run(tmp_path / "two", network=OTHER)
    write_site([one, two], tmp_path / "site")
    site = site_data(tmp_path / "site")
    assert [(model["name"], model["checksum"]) for model in site["models"]] == [
        ("small", "00112233aabbccdd"),
        ("small", OTHER),
    ]
    assert [run["model"] for run in site["runs"]] == ["m0", "m1"]
    (note,) = site["notes"]
    assert note.startswith("2 networks of different weights are called small: ")
    assert OTHER in note


def test_runs_that_do_not_say_their_weights_are_not_mixed_with_those_that_do(tmp_path: Path) -> None:
    known, old, older = (write_run(tmp_path / name) for name in ("known", "old", "older"))
    (old / "manifest.json").unlink()
    (older / "manifest.json").unlink()
    write_site([known, old, older], tmp_path / "site")
    site = site_data(tmp_path / "site")
    assert [run["model"] for run in site["runs"]] == ["m0", "m1", "m1"]
    assert any("2 runs of small (pretrained) do not say the checksum" in note for note in site["notes"])


def test_the_jobs_of_a_sweep_are_its_runs(tmp_path: Path) -> None:
    for number in (0, 2, 10):
        write_run(tmp_path / f"sweep/{number}_lr={number}")
    write_site([tmp_path / "sweep"], tmp_path / "sweep")
    assert [run["label"] for run in site_data(tmp_path / "sweep")["runs"]] == ["0_lr=0", "2_lr=2", "10_lr=10"]


def test_runs_are_linked_or_copied(tmp_path: Path) -> None:
    run = write_exemplars(tmp_path / "run")
    write_site([run], tmp_path / "linked")
    write_site([run], tmp_path / "copied", copy=True)
    assert not list((tmp_path / "linked").rglob("*.jpg"))
    shutil.rmtree(run)
    for folder, there in (("linked", False), ("copied", True)):
        for one in details(tmp_path / folder, 0)["exemplars"]:
            for name in ("image", "patch", "map"):
                assert (tmp_path / folder / one[name]).is_file() == there


def test_what_lies_inside_the_folder_is_never_copied(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    write_site([run], run, copy=True)
    assert not (run / "report/runs").exists()
