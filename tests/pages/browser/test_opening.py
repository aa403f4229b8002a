"""A site opens from the disk, shows what it was given as text, and asks nobody else for anything."""

import pytest
from browser import Browser
from made_up_site import CLASSES, TITLE

EVERY_PAGE = ["", "#layer3", "#layer2/5", "#layer1/13", "#all", "#compare/layer2/5,layer3/6@r1", "#atlas/layer3"]


def test_it_opens_with_the_network_off(browser: Browser) -> None:
    browser.open()
    assert browser.chrome.title == f"made_up | {TITLE}"
    assert browser.text("h1") == "made_up"
    assert browser.js("return navigator.onLine") is False
    assert browser.texts(".layer-row h2") == ["layer1", "layer2", "layer3"]


def test_all_that_it_asks_for_lies_in_its_folder(browser: Browser) -> None:
    browser.requests()
    for address in EVERY_PAGE:
        browser.open(address)
        browser.wait(lambda: browser.js("return [...document.images].every((image) => image.complete)"))
    asked = [url for url in browser.requests() if url != "about:blank"]
    folder = browser.index.parent.as_uri()
    assert len(asked) > 20
    assert [url for url in asked if not url.startswith((f"{folder}/", "data:"))] == []


@pytest.mark.parametrize("address", EVERY_PAGE)
def test_all_pictures_are_there(browser: Browser, address: str) -> None:
    browser.open(address)
    broken = "return [...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)"
    assert browser.js(broken) == []


def test_markup_in_names_is_shown_as_text(browser: Browser) -> None:
    browser.open("#layer3/5")
    assert browser.text(".badge") == CLASSES[5]
    assert browser.text(".path .home") == TITLE
    assert browser.all("#bar i, .badge b, .tile b b") == []


def test_nothing_can_be_run_in_it_that_is_not_its_own(browser: Browser) -> None:
    browser.open()
    browser.js(
        """const script = document.createElement("script");
        script.textContent = "window.intruded = true";
        document.head.append(script);
        const picture = document.createElement("img");
        picture.src = "https://example.org/pixel.png";
        document.body.append(picture);"""
    )
    browser.wait(lambda: browser.js("return document.images[document.images.length - 1].complete"))
    assert browser.js("return window.intruded") is None
    assert all("Content Security Policy" in complaint for complaint in browser.complaints())


@pytest.mark.parametrize(("address", "title"), [("#layer9", "Not found"), ("#layer9/3", "Not found")])
def test_an_address_of_nothing_says_so(browser: Browser, address: str, title: str) -> None:
    browser.open(address)
    assert browser.text("h1") == title
    assert "layer9" in browser.text("main")


def test_a_unit_that_is_not_there_leads_to_its_layer(browser: Browser) -> None:
    browser.open("#layer2/999")
    browser.click("main .empty a")
    browser.wait_for("#layer2")


def test_data_that_is_missing_is_named(browser: Browser) -> None:
    file = browser.index.parent / "report/data/m0_l0.js"
    kept = file.rename(file.with_suffix(".kept"))
    try:
        browser.open("#layer1")
        assert "report/data/m0_l0.js is missing" in browser.text("main")
        browser.open("#all")
        assert "report/data/m0_l0.js is missing" in browser.text("main")
        assert browser.text(".total") == "80 units"
    finally:
        kept.rename(file)
    assert all("ERR_FILE_NOT_FOUND" in complaint for complaint in browser.complaints())
