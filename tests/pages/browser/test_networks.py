"""Several networks on one site: their addresses name them."""

from pathlib import Path

from browser import Browser


def test_networks_of_one_name_are_told_apart(started: Browser, two_networks: Path) -> None:
    browser = Browser(started.chrome, two_networks)
    browser.open()
    assert browser.texts("nav.links a") == ["made_up · 30e91a81", "made_up · c0ffee00"]
    browser.all("nav.links a")[1].click()
    browser.wait_for("#m1~")
    assert "c0ffee00" in browser.text(".heading")
    browser.click(".layer-row a")
    browser.wait_for("#m1~layer1")
    browser.one(".grid a").click()
    browser.wait_for("#m1~layer1/0")
    assert browser.texts(".named .caption") == ["made_up · 30e91a81"]
    browser.click(".section-head a.button")
    browser.wait_for("#compare/m1~layer1/0,m0~layer1/0")
    assert browser.complaints() == []


def test_units_of_two_networks_are_compared(started: Browser, two_networks: Path) -> None:
    browser = Browser(started.chrome, two_networks)
    browser.open("#compare/m0~layer1/2,m1~layer1/2")
    assert browser.texts(".compare thead a:not(.drop)") == ["layer1 / 2", "layer1 / 2"]
    links = [link.get_attribute("href").split("#")[1] for link in browser.all(".compare thead a:not(.drop)")]
    assert links == ["m0~layer1/2", "m1~layer1/2"]
