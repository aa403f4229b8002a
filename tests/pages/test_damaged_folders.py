"""What is damaged or lies elsewhere is left out and named; what is no run, or is somebody else's, is refused."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from refusals import refusal_of
from run_folders import (
    all_files,
    details,
    layer_data,
    picture_row,
    site_data,
    write_exemplars,
    write_picture,
    write_run,
)

from featviz.errors import FeatvizError
from featviz.pages import write_site


def remove(path: Path) -> str:
    path.unlink()
    return "is missing"


def cut(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:-30])
    return "is damaged"


def empty(path: Path) -> str:
    path.write_bytes(b"")
    return "is damaged"


def replace_by_text(path: Path) -> str:
    path.write_text("<svg onload=alert(1)>")
    return "is damaged"


@pytest.mark.parametrize("damage", [remove, cut, empty, replace_by_text])
def test_a_damaged_picture_is_shown_as_missing_and_named(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = write_run(tmp_path)
    words = damage(run / "images/layer1/0001.png")
    write_site([run], run)
    assert layer_data(run)["pictures"]["status"] == ["ok", "missing", "ok"]
    assert layer_data(run)["pictures"]["sprite"] == [0, -1, 0]
    (problem,) = site_data(run)["runs"][0]["problems"]
    assert problem.startswith(f"images/layer1/0001.png {words}")


def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    Image.new("1", (60_000, 10)).save(run / "images/layer1/0001.png")
    write_site([run], run)
    assert layer_data(run)["pictures"]["status"][1] == "missing"


def test_missing_photos_patches_and_maps_are_empty(tmp_path: Path) -> None:
    run = write_exemplars(tmp_path)
    for name in ("photos/000001.jpg", "patches/layer1/0000_01.png", "maps/layer1/0000_01.png"):
        (run / name).unlink()
    write_site([run], run)
    first, second = details(run, 0)["exemplars"]
    assert (first["image"], first["patch"], first["map"], first["sprite"], first["box"]) == ("", "", "", -1, None)
    assert second["map"] == "maps/layer1/0000_02.png"
    named = {"patches/layer1/0000_01.png is missing", "photos/000001.jpg is missing"}
    assert set(site_data(run)["runs"][0]["problems"]) == named


def test_of_many_missing_files_the_first_are_named(tmp_path: Path) -> None:
    run = write_run(tmp_path, [picture_row(number) for number in range(30)])
    shutil.rmtree(run / "images")
    write_site([run], run)
    problems = site_data(run)["runs"][0]["problems"]
    assert len(problems) == 21
    assert problems[-1] == "and 10 more files"


@pytest.mark.parametrize("name", ["config.yaml", ".hydra/overrides.yaml", "manifest.json", "network.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"- - -\n  a", b"[1, 2]"])
def test_other_damaged_files_leave_the_pictures(name: str, content: bytes, tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (run / name).write_bytes(content)
    write_site([run], run)
    assert layer_data(run)["units"] == [0, 1, 2]


def test_a_cut_table_shows_the_lines_that_are_whole(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    text = (run / "results.csv").read_text()
    (run / "results.csv").write_text(text[:-40])
    write_site([run], run)
    assert layer_data(run)["units"] == [0, 1]
    assert "results.csv is damaged" in site_data(run)["runs"][0]["problems"][0]


def test_a_run_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (run / "results.csv").unlink()
    write_site([run], run)
    site = site_data(run)
    assert (site["models"][0]["name"], site["models"][0]["layers"]) == ("small", [])


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(FeatvizError) as refused:
        write_site([tmp_path / "photos"], tmp_path / "site")
    assert refused.value.setting == "runs"
    assert not (tmp_path / "site").exists()


def test_a_page_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("<html>my home page</html>")
    with pytest.raises(FeatvizError) as refused:
        write_site([run], tmp_path / "site")
    assert refused.value.setting == "into"
    assert all_files(tmp_path / "site") == {"index.html": b"<html>my home page</html>"}


def test_a_file_is_no_folder_for_pages(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (tmp_path / "site").write_text("mine")
    error = refusal_of(lambda: write_site([run], tmp_path / "site"))
    assert str(error.got).startswith(str(tmp_path / "site"))


@pytest.mark.parametrize("part", ["report", "report/data", "report/sprites"])
def test_nothing_is_written_through_links_that_lead_out_of_the_folder(part: str, tmp_path: Path) -> None:
    run, outside = write_run(tmp_path / "run"), tmp_path / "outside"
    (outside / "data").mkdir(parents=True)
    (outside / "data/m0_l0_old.js").write_text("not ours")
    (run / part).parent.mkdir(parents=True, exist_ok=True)
    (run / part).symlink_to(outside, target_is_directory=True)
    before = all_files(outside)
    with pytest.raises(FeatvizError):
        write_site([run], run)
    assert all_files(outside) == before


def test_a_picture_behind_a_link_out_of_the_run_is_missing(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    write_picture(tmp_path / "private.png")
    (run / "images/layer1/0001.png").unlink()
    (run / "images/layer1/0001.png").symlink_to(tmp_path / "private.png")
    write_site([run], tmp_path / "site", copy=True)
    assert layer_data(tmp_path / "site")["pictures"]["status"] == ["ok", "missing", "ok"]
