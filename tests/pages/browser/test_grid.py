"""The grid of a layer: sorted, filtered, searched, walked through by keys, and drawn only where it is seen."""

import json
from pathlib import Path

import pytest
from browser import Browser, Keys
from made_up_site import CLASSES, is_dead, is_weak
from run_folders import picture_row, write_exemplars, write_run

from featviz.pages import write_site

UNITS = range(40)


def column(browser: Browser, metric: str, layer: int = 1) -> dict[int, float]:
    """A metric of the units' first pictures, from the file that the page reads."""
    text = (browser.index.parent / f"report/data/m0_l{layer}.js").read_text()
    pictures = json.loads(text[text.index("{") : text.rindex("}") + 1])["pictures"]
    rows = zip(pictures["unit"], pictures["run"], pictures["metrics"][metric], pictures["status"], strict=True)
    first = {unit: (value, status) for unit, run, value, status in reversed(list(rows)) if run == 0}
    return {unit: value for unit, (value, _) in first.items() if value is not None}


def shown(browser: Browser) -> list[int]:
    return [int(text.split()[-1]) for text in browser.units()]


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("metric", ["activation", "robustness"])
def test_sorting(browser: Browser, metric: str, descending: bool) -> None:
    browser.open("#layer2", height=2400)
    browser.choose(".toolbar select", metric)
    if not descending:
        browser.click(".joined > button")
    numbers = column(browser, metric)
    order = sorted(numbers, key=numbers.__getitem__, reverse=descending)
    assert shown(browser)[: len(order)] == order
    assert set(shown(browser)[len(order) :]) == {unit for unit in UNITS if is_dead(unit)}  # without a number: last
    assert browser.address == f"#layer2?sort={'-' * descending}{metric}"


def test_a_status_filters(browser: Browser) -> None:
    browser.open("#layer2", height=2400)
    browser.click(".toolbar > button")
    chips = {chip.text.split()[0]: chip for chip in browser.all(".chip")}
    chips["weak"].click()
    assert shown(browser) == [unit for unit in UNITS if is_weak(unit)]
    chips["dead"].click()
    assert shown(browser) == [unit for unit in UNITS if is_weak(unit) or is_dead(unit)]
    assert chips["dead"].get_attribute("aria-pressed") == "true"


def test_a_range_filters(browser: Browser) -> None:
    browser.open("#layer2", height=2400)
    browser.click(".toolbar > button")
    browser.choose("[aria-label='Robustness: from']", "100")
    numbers = column(browser, "robustness")
    middle = (min(numbers.values()) + max(numbers.values())) / 2
    wanted = [unit for unit, value in sorted(numbers.items()) if value >= middle]
    browser.wait(lambda: shown(browser) == wanted)
    assert browser.text(".total") == f"{len(wanted)} of 40 units"
    assert browser.text("#status") == f"{len(wanted)} of 40 units"


def test_an_address_brings_order_and_filters_back(browser: Browser) -> None:
    browser.open("#layer2?sort=-gain&status=weak&q=1", height=2400)
    numbers = column(browser, "gain")
    wanted = [unit for unit in UNITS if is_weak(unit) and str(unit).startswith("1")]
    assert shown(browser) == sorted(wanted, key=numbers.__getitem__, reverse=True)
    assert browser.one("input[type=search]").get_attribute("value") == "1"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("3", [3, *range(30, 40)]),
        ("gold", [unit for unit in UNITS if unit % 6 == 0 or unit % 5 == 0]),
        ("שלום", [unit for unit in UNITS if unit % 6 == 5]),
        ("nothing like it", []),
    ],
)
def test_searching(browser: Browser, text: str, wanted: list[int]) -> None:
    browser.open("#layer3", height=2400)
    browser.press("/")
    browser.press(text)
    browser.wait(lambda: shown(browser) == wanted)
    assert browser.one(".empty").is_displayed() == (not wanted)


def test_enter_in_the_search_leads_to_what_was_found(browser: Browser) -> None:
    browser.open("#layer3")
    browser.press("/", "lighthouse", Keys.ENTER)
    assert browser.js("return document.activeElement.getAttribute('href')") == "#layer3/3"
    browser.press(Keys.ENTER)
    browser.wait_for("#layer3/3")
    assert browser.text(".badge") == CLASSES[3]


def test_dead_units_are_shown_as_dead(browser: Browser) -> None:
    browser.open("#layer2", height=2400)
    assert browser.text("a[href='#layer2/13'] .thumb") == "dead"


def test_runs_stand_side_by_side(browser: Browser) -> None:
    browser.open("#layer2", height=2400)
    browser.choose("label + label select, .toolbar > label select", "each")
    links = browser.js("return [...document.querySelectorAll('.grid .tile')].map((e) => e.getAttribute('href'))")
    assert links[:4] == ["#layer2/0@r0", "#layer2/0@r1", "#layer2/1@r0", "#layer2/1@r1"]
    assert browser.texts(".run-heads span")[:2] == ["0_recipe=olah2017", "1_recipe=clear"]
    browser.choose("label + label select, .toolbar > label select", "r1")
    assert browser.one(".grid .tile").get_attribute("href").endswith("#layer2/0@r1")


def test_the_size_of_thumbnails_is_kept(browser: Browser) -> None:
    browser.open("#layer2")
    width = browser.one(".cell").size["width"]
    browser.choose("[aria-label='Size of thumbnails']", "240")
    assert browser.one(".cell").size["width"] >= 240 > width
    browser.open("#layer3")
    assert browser.one(".cell").size["width"] >= 240


def test_keys_walk_through_the_grid(browser: Browser) -> None:
    browser.open("#layer2")
    browser.one(".grid a").send_keys(Keys.ARROW_RIGHT)
    columns = int(browser.one(".grid").get_attribute("aria-colcount"))

    def focused() -> str:
        return str(browser.js("return document.activeElement.getAttribute('href')"))

    assert focused() == "#layer2/1"
    browser.press(Keys.ARROW_DOWN)
    assert focused() == f"#layer2/{1 + columns}"
    browser.press(Keys.END)
    assert focused() == "#layer2/39"
    browser.press(Keys.HOME)
    assert focused() == "#layer2/0"
    assert (
        browser.js("return document.querySelectorAll('.grid a[tabindex=\"0\"], .grid a:not([tabindex])').length") == 1
    )


def test_focus_stays_on_a_unit_that_sorting_moves_and_scrolling_hides(browser: Browser) -> None:
    browser.open("#all", width=500, height=500)
    browser.one(".grid a").send_keys(Keys.ARROW_RIGHT)
    browser.js("scrollTo(0, document.body.scrollHeight)")
    browser.wait(lambda: "layer3" in browser.units()[-1])
    assert browser.js("return document.activeElement.getAttribute('href')") == "#layer1/1"
    browser.choose(".toolbar select", "gain")
    assert browser.js("return document.activeElement.getAttribute('href')") == "#layer1/1"


def test_only_what_is_seen_is_drawn(browser: Browser) -> None:
    browser.open("#all", width=700, height=600)
    assert browser.text(".total") == "120 units"
    assert len(browser.all(".cell")) < 60
    columns = int(browser.one(".grid").get_attribute("aria-colcount"))
    assert int(browser.one(".grid").get_attribute("aria-rowcount")) == -(-120 // columns)


def test_all_units_are_found_by_their_layer(browser: Browser) -> None:
    browser.open("#all?q=layer2", height=2400)
    assert browser.text(".total") == "40 of 120 units"
    assert all(name.startswith("layer2 ") for name in browser.units())


def test_going_back_leads_to_the_same_place(browser: Browser) -> None:
    browser.open("#all", width=500, height=500)
    browser.js("scrollTo(0, 900)")
    browser.wait(lambda: browser.js("return history.state?.scroll") == 900)
    browser.click("a[href='#layer1/20'], a[href='#layer1/22']")
    browser.wait(lambda: browser.all(".unit-heading"))
    browser.chrome.back()
    browser.wait_for("#all")
    assert browser.js("return scrollY") == 900


def test_of_a_run_without_a_picture_no_photo_is_shown(started: Browser, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "all"), write_run(tmp_path / "one", [picture_row(0)])]
    runs.append(write_exemplars(tmp_path / "photos", units=(0, 1, 5)))
    browser = Browser(started.chrome, write_site(runs, tmp_path / "site"))
    browser.open("#layer1?show=each")
    faces = [tile.get_attribute("class") for tile in browser.all(".grid .tile > .thumb")]
    # units 0, 1, 2 and 5, each by both runs: the last has photos alone
    assert ["none" in face for face in faces] == [False, False, False, True, False, True, True, True]
    browser.open("#layer1")
    assert browser.all(".grid .absent") == []
