"""Light and dark, narrow windows, and readers who do not see or point."""

import pytest
from axe import axe_source
from browser import Browser, Keys

PAGES = {
    "network": "",
    "layer": "#layer3?status=ok,dead",
    "side by side": "#layer3?show=each",
    "all": "#all",
    "unit": "#layer2/5",
    "dead unit": "#layer2/13",
    "compare": "#compare/layer2/5,layer3/6@r1,layer1/13",
    "atlas": "#atlas/layer3@1.4.4",
    "nowhere": "#layer9",
}


def background(browser: Browser) -> int:
    """How bright the page is, 0 to 255."""
    color = browser.js("return getComputedStyle(document.body).backgroundColor")
    return int(color.removeprefix("rgb(").split(",")[0])


def test_dark_follows_the_system_until_it_is_switched(browser: Browser) -> None:
    browser.open()
    assert background(browser) > 200
    browser.prefer("prefers-color-scheme", "dark")
    assert background(browser) < 50
    browser.click(".tools button")
    assert background(browser) > 200
    browser.open("#layer2", dark=True)
    assert background(browser) > 200  # it is remembered
    browser.click(".tools button")
    assert background(browser) < 50


@pytest.mark.parametrize("width", [360, 800])
@pytest.mark.parametrize("page", PAGES)
def test_no_page_scrolls_sideways(browser: Browser, page: str, width: int) -> None:
    browser.open(PAGES[page], width=width, height=700)
    assert browser.js("return document.documentElement.scrollWidth") <= width


def test_nothing_moves_once_it_is_shown(browser: Browser) -> None:
    browser.open("#layer2/5")
    browser.wait(
        lambda: browser.js("return [...document.images].every((one) => one.complete || one.loading === 'lazy')")
    )
    script = """const done = arguments[0];
        new PerformanceObserver((list) => done(list.getEntries().reduce((sum, one) => sum + one.value, 0)))
            .observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done(0), 300);"""
    assert browser.chrome.execute_async_script(script) < 0.02


def test_without_motion_nothing_fades(browser: Browser) -> None:
    browser.open("#layer2/5")
    browser.prefer("prefers-reduced-motion", "reduce")
    assert browser.js("return getComputedStyle(document.querySelector('.heat')).transitionDuration") in ("0s", "1e-05s")


@pytest.fixture(scope="session")
def axe() -> str:
    return axe_source()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing(browser: Browser, axe: str, page: str, dark: bool) -> None:
    browser.open(PAGES[page], dark=dark)
    browser.js(axe)
    script = """const [options, done] = arguments;
        axe.run(document, options).then(done, (error) => done({violations: [String(error)]}));"""
    only = {"runOnly": ["color-contrast"]} if dark else {}  # nothing else differs in the dark
    found = browser.chrome.execute_async_script(script, only)["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found] == []


def test_keyboards_reach_the_content_first(browser: Browser) -> None:

    browser.open("#layer2")
    browser.press(Keys.TAB)
    assert browser.js("return document.activeElement.textContent") == "Skip to the content"
    outline = browser.js("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
