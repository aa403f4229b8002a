"""The atlas."""

from pathlib import Path

from browser import ActionChains, Browser, Keys
from run_folders import write_atlas

from featviz.pages import write_site


def scale(browser: Browser) -> float:
    return float(browser.one("canvas").get_attribute("data-scale") or 1)


def test_a_cell_leads_to_photos_units_and_classes(browser: Browser) -> None:
    browser.open("#atlas/layer3")
    browser.click("canvas")
    assert browser.texts(".atlas-side h2") == ["Photos", "Strongest units", "Classes"]
    assert browser.address.startswith("#atlas/layer3@1.")
    assert len(browser.all(".atlas-photos img")) == 6
    assert "In standard deviations" in browser.text(".atlas-side")
    browser.one(".atlas-side .tile").click()
    browser.wait(lambda: browser.all(".unit-heading"))


def test_zooming_shows_finer_cells(browser: Browser) -> None:
    browser.open("#atlas/layer3")
    for _ in range(3):
        browser.click(".zooms button")
    assert scale(browser) > 3
    assert browser.one("canvas").get_attribute("data-level") == "2"
    browser.all(".zooms button")[2].click()
    assert scale(browser) == 1
    browser.wheel("canvas", -400)
    assert scale(browser) > 2
    assert browser.js("return scrollY") == 0


def test_dragging_moves_the_map(browser: Browser) -> None:
    browser.open("#atlas/layer3")
    browser.click(".zooms button")
    ActionChains(browser.chrome).drag_and_drop_by_offset(browser.one("canvas"), 80, 0).perform()
    assert browser.address == "#atlas/layer3"  # no cell was chosen by it


def test_keys_choose_a_cell(browser: Browser) -> None:
    browser.open("#atlas/layer3")
    browser.one("canvas").send_keys(Keys.ARROW_RIGHT)
    first = browser.address
    browser.press(Keys.ARROW_RIGHT)
    level, column, row = first.split("@")[1].split(".")
    assert browser.address == f"#atlas/layer3@{level}.{int(column) + 1}.{row}"
    assert f"Column {int(column) + 2}" in browser.text("#status")


def test_a_link_shows_a_cell(browser: Browser) -> None:
    browser.open("#atlas/layer3@2.3.12")
    assert browser.text(".atlas-side").startswith("Column 4, row 13")
    assert browser.one("canvas").get_attribute("data-level") == "2"


def test_a_link_to_a_cell_that_there_is_not_says_so(browser: Browser) -> None:
    browser.open("#atlas/layer3@1.99.99")
    assert browser.text(".atlas-side .notice") == "There is no cell at this address."


def test_a_layer_without_an_atlas_says_how_to_make_one(browser: Browser) -> None:
    browser.open("#atlas/layer1")
    assert "task=atlas" in browser.text(".empty")


def test_a_network_leads_to_an_atlas_of_a_layer_without_pictures(started: Browser, tmp_path: Path) -> None:
    run = write_atlas(tmp_path / "atlas")
    browser = Browser(started.chrome, write_site([run], run))
    browser.open()
    assert browser.texts(".layer-row p")[-1] == "an atlas"
    browser.click(".layer-row a")
    browser.wait(lambda: browser.all("canvas"))
