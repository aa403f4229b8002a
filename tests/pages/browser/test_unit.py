"""A unit's page."""

from pathlib import Path

import pytest
from browser import ActionChains, Browser, Keys
from PIL import Image
from run_folders import picture_row, write_exemplars, write_run

from featviz.pages import write_site
from featviz.results.film import animation


def test_arrow_keys_lead_to_neighbors(browser: Browser) -> None:
    browser.open("#layer2/5")
    browser.press(Keys.ARROW_RIGHT)
    browser.wait_for("#layer2/6")
    browser.press(Keys.ARROW_LEFT)
    browser.wait_for("#layer2/5")
    browser.press("u")
    browser.wait_for("#layer2")
    browser.press("n")
    browser.wait_for("")


def test_neighbors_are_those_of_the_grid_as_it_was_sorted(browser: Browser) -> None:
    browser.open("#layer2?sort=-gain")
    first, second = (name.split()[-1] for name in browser.units()[:2])
    browser.one(".grid a").click()
    browser.wait_for(f"#layer2/{first}")
    browser.press(Keys.ARROW_RIGHT)
    browser.wait_for(f"#layer2/{second}")


def test_all_there_is_of_a_unit(browser: Browser) -> None:
    browser.open("#layer2/5")
    assert browser.texts("h2") == [
        "Numbers",
        "Speaks for",
        "Strongest photos",
        "Answers to all photos",
        "Weakest photos",
        "From weakest to strongest",
        "Nearest units",
        "What feeds it",
        "How it was made",
    ]
    assert len(browser.all(".metric")) == 5
    assert len(browser.all(".strongest li")) == 9
    assert len(browser.all(".histogram rect")) == 40
    assert len(browser.all(".tenths img")) == 30
    assert len(browser.all(".feeds a[href^='#layer1/']")) == 20  # of the layer before
    assert browser.all(".missing") == []


def test_related_units_without_pictures_are_named(browser: Browser) -> None:
    browser.open("#layer2/5")
    assert len(browser.all(".related .strip-of-units")) == 6  # nearest by two, exciting and inhibiting by two
    assert browser.texts(".unpictured") == ["No picture of 43 (0.125)"]


def test_a_metric_says_where_it_stands(browser: Browser) -> None:
    browser.open("#layer2?sort=-robustness")
    browser.one(".grid a").click()
    browser.wait(lambda: browser.all(".metric"))
    robustness = next(text for text in browser.texts(".metric") if text.startswith("Robustness"))
    assert "The most of 37 units. The share of the activation" in robustness  # of 40, 2 are dead and one not finite


def test_a_dead_unit_says_so_and_what_can_be_made(browser: Browser) -> None:
    browser.open("#layer2/13")
    assert browser.text(".badge") == "dead"
    assert browser.text(".stage") == "dead"
    assert browser.all(".metric, .strongest") == []
    words = "model=made_up task=exemplars data=PHOTOS layer=layer2 'filters=[13]'"
    assert browser.text(".missing code") == f"python -m featviz {words}"


def test_of_a_unit_without_pictures_the_photos_come_first(started: Browser, tmp_path: Path) -> None:
    run = write_exemplars(tmp_path / "photos", units=(0, 1))
    browser = Browser(started.chrome, write_site([run], tmp_path / "site"))
    browser.open("#layer1/1")
    assert browser.all(".stage, .numbers") == []
    assert browser.texts("h2")[0] == "Strongest photos"
    assert browser.texts(".missing p") == ["A picture of what excites it most:"]
    assert browser.text(".missing code").startswith("python -m featviz model=small ")


def test_other_pictures_of_a_unit(browser: Browser) -> None:
    browser.open("#layer2/1")
    links = [link.get_attribute("href").split("#")[1] for link in browser.all(".filmstrip a")]
    assert links == ["layer2/1@r0", "layer2/1@r1", "layer2/1@r0?variant=0&negative"]
    before = browser.one(".stage img").get_attribute("src")
    browser.all(".filmstrip a")[1].click()
    browser.wait_for("#layer2/1@r1")
    assert browser.one(".stage img").get_attribute("src") != before
    assert browser.one(".filmstrip [aria-current]").get_attribute("href").endswith("@r1")
    browser.all(".filmstrip a")[2].click()
    browser.wait(lambda: "negative" in browser.text("figcaption"))
    assert "excites least" in browser.one(".stage img").get_attribute("alt")


def test_frames_from_start_to_end(browser: Browser) -> None:
    browser.open("#layer2/5")
    last = browser.one(".stage img").get_attribute("src")
    browser.choose(".frames input", "0")
    assert browser.one(".stage img").get_attribute("src").endswith("images/0000.png")
    assert browser.text(".frames output") == "step 0"
    browser.choose(".frames input", browser.one(".frames input").get_attribute("max"))
    assert browser.one(".stage img").get_attribute("src") == last
    assert browser.text(".frames output") == "step 512"


def test_frames_by_the_keyboard(browser: Browser) -> None:
    browser.open("#layer2/5")
    browser.js("document.querySelector('.frames input').focus()")
    browser.press(Keys.ARROW_LEFT)
    assert browser.text(".frames output") == "step 384"
    assert browser.one(".frames input").get_attribute("aria-valuetext") == "step 384 of 512"
    assert browser.js("return location.hash") == "#layer2/5"  # and not the unit before
    browser.press(Keys.HOME)
    assert browser.text(".frames output") == "step 0"


def test_a_film_moves_until_its_frames_are_asked_for(started: Browser, tmp_path: Path) -> None:
    run = write_run(tmp_path / "film", [picture_row(0)])
    frames = [Image.new("RGB", (24, 24), color) for color in ("red", "blue")]
    (run / "images/layer1/0000.webp").write_bytes(animation(frames))
    browser = Browser(started.chrome, write_site([run], run))
    browser.open("#layer1/0")
    film, button = browser.one(".stage img"), browser.one(".film-or-strip")
    assert film.get_attribute("src").endswith("images/layer1/0000.webp")
    for words, ending in (("Frames side by side", "0000.png"), ("Play the film", "0000.webp")):
        assert button.text == words
        button.click()
        browser.wait(lambda ending=ending: film.get_attribute("src").endswith(ending))


def test_the_command_can_be_copied(browser: Browser) -> None:
    browser.open("#layer2/5")
    browser.js("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    button = browser.all(".command button")[0]
    button.click()
    browser.wait(lambda: browser.text("#status") == "Copied")
    assert browser.js("return window.copied") == browser.texts(".command code")[0]


@pytest.mark.parametrize("way", ["hover", "focus", "switch"])
def test_heat_maps_over_photos(browser: Browser, way: str) -> None:
    browser.open("#layer2/5")
    opacity = "return Number(getComputedStyle(document.querySelector('.strongest .heat')).opacity)"
    assert browser.js(opacity) == 0
    if way == "switch":
        browser.click(".switcher [data-view=map]")
    elif way == "focus":
        browser.click(".switcher [data-view=photo]")
        browser.press(Keys.TAB * 3)
    else:
        ActionChains(browser.chrome).move_to_element(browser.one(".strongest button")).perform()
    browser.wait(lambda: browser.js(opacity) == 1)


def test_a_photo_opens_whole_with_the_place_of_its_patch(browser: Browser) -> None:
    browser.open("#layer2/5")
    browser.click(".strongest button")
    whole = browser.wait(lambda: browser.one("dialog .whole > img").size["width"] > 0 and browser.one(".whole"))
    box, frame = browser.one("dialog .box").rect, whole.rect
    assert box["width"] / frame["width"] == pytest.approx(100 / 240, abs=0.01)
    assert (box["x"] - frame["x"]) / frame["width"] == pytest.approx(60 / 240, abs=0.01)
    heat = browser.one("dialog .map").rect
    assert heat["width"] == pytest.approx(frame["height"], abs=1)  # the middle square, as the network is shown it
    ring = browser.one("dialog .ring").rect
    assert ring["x"] + ring["width"] / 2 - frame["x"] == pytest.approx(frame["width"] * 120 / 240, abs=1)
    assert ring["y"] + ring["height"] / 2 - frame["y"] == pytest.approx(frame["height"] * 45 / 180, abs=1)
    browser.press(Keys.ESCAPE)
    browser.wait(lambda: browser.all("dialog") == [])


def test_a_ring_in_a_patch_where_the_unit_fires(browser: Browser) -> None:
    browser.open("#layer2/5")
    opacity = "return getComputedStyle(document.querySelector('.strongest .ring')).opacity"
    assert browser.js(opacity) == "0"
    browser.click(".switcher [data-view=patch]")
    assert browser.js(opacity) == "1"
    patch, ring = browser.one(".strongest .layers").rect, browser.one(".strongest .ring").rect
    assert ring["x"] + ring["width"] / 2 - patch["x"] == pytest.approx(patch["width"] * 0.6, abs=1)
    assert ring["y"] + ring["height"] / 2 - patch["y"] == pytest.approx(patch["height"] * 0.25, abs=1)


def test_question_mark_tells_the_keys(browser: Browser) -> None:
    browser.open("#layer2/5")
    browser.press("?")
    assert "the unit before, the unit after" in browser.text("dialog")
    browser.press(Keys.ESCAPE)
    browser.wait(lambda: browser.all("dialog") == [])


@pytest.mark.parametrize(
    ("text", "address"), [("7", "#layer2/7"), ("layer3", "#layer3"), ("layer3/9", "#layer3/9"), ("fox", "#all?q=fox")]
)
def test_the_search_leads_on(browser: Browser, text: str, address: str) -> None:
    browser.open("#layer2/5")
    browser.press("/", text, Keys.ENTER)
    browser.wait_for(address)
