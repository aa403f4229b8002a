"""The comparison of units and runs."""

from browser import Browser
from made_up_site import METRICS


def test_units_are_chosen_by_boxes_and_by_a_key(browser: Browser) -> None:
    browser.open("#layer2")
    browser.all(".grid .choose")[2].click()
    browser.one("a[href='#layer2/4']").send_keys("x")
    assert browser.text("#chosen span") == "2 pictures chosen"
    browser.click("#chosen a")
    browser.wait_for("#compare/layer2/2,layer2/4")
    assert browser.texts(".compare thead a:not(.drop)") == ["layer2 / 2", "layer2 / 4"]
    browser.chrome.back()
    browser.wait_for("#layer2")
    browser.click("#chosen button")
    assert browser.all("#chosen section") == []


def test_a_link_shows_units_and_runs_side_by_side(browser: Browser) -> None:
    browser.open("#compare/layer2/5,layer2/5@r1,layer1/13")
    assert browser.texts(".compare thead .soft") == ["0_recipe=olah2017", "1_recipe=clear", "0_recipe=olah2017"]
    rows = browser.texts(".compare tbody th")
    metrics = [label for _, label, *_ in METRICS]
    assert rows == ["Picture", *metrics, "Strongest photos", "Speaks for"]
    pictures = [picture.get_attribute("src") for picture in browser.all(".compare tbody tr:first-child img")]
    assert len(set(pictures)) == 2
    assert browser.texts(".compare .absent") == ["dead"]


def test_a_column_can_be_dropped(browser: Browser) -> None:
    browser.open("#compare/layer2/5,layer3/6@r1")
    browser.click(".drop")
    browser.wait_for("#compare/layer3/6@r1")
    assert len(browser.all(".compare thead th")) == 1


def test_what_there_is_nothing_of_is_named(browser: Browser) -> None:
    browser.open("#compare/layer2/5,nowhere/3,layer2/9999")
    assert browser.text(".notice") == "There is nothing of nowhere/3, layer2/9999."
    assert len(browser.all(".compare thead th")) == 1
    assert browser.one("#chosen").value_of_css_property("display") == "none"


def test_nothing_to_compare_says_how(browser: Browser) -> None:
    browser.open("#compare/")
    assert "Choose units" in browser.text(".empty")
