"""Drives Chromium: opens a page of a site, types and clicks as a reader does, and tells what the browser says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
Keys, ActionChains = webdriver.Keys, webdriver.ActionChains

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    # a mouse: headless Chromium has none, and says so to style sheets
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
)
OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
PATIENCE = 10  # seconds

Seen = TypeVar("Seen")


def start_chromium(chromium: str, driver: str) -> Chrome:
    """Chromium without a window and without a network."""
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.execute_cdp_cmd("Network.enable", {})
    chrome.execute_cdp_cmd("Network.emulateNetworkConditions", OFFLINE)
    return chrome


class Browser:
    """One browser that shows one site.

    Args:
        chrome: from ``start_chromium``.
        index: the site's index.html.
    """

    def __init__(self, chrome: Chrome, index: Path) -> None:
        self.chrome, self.index = chrome, index

    def open(self, address: str = "", width: int = 1400, height: int = 900, dark: bool = False) -> None:
        """Open the site anew, as by a double click, at an address such as ``#layer3``."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.prefer("prefers-color-scheme", "dark" if dark else "light")
        self.chrome.get("about:blank")
        self.chrome.get(self.index.as_uri() + address)
        self.wait(lambda: self.all("main h1"))

    def prefer(self, feature: str, value: str) -> None:
        """Set what the reader's system prefers."""
        features = {"features": [{"name": feature, "value": value}]}
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", features)

    def wait(self, condition: Callable[[], Seen]) -> Seen:
        """Wait until something is so; returns it."""
        end = time.monotonic() + PATIENCE
        while not (seen := condition()):
            assert time.monotonic() < end, f"not within {PATIENCE} s, at {self.address}"
            time.sleep(0.02)
        return seen

    def wait_for(self, address: str) -> None:
        """Wait until the page of an address is shown."""
        self.wait(lambda: self.js("return decodeURI(document.querySelector('main').dataset.address)") == address)

    @property
    def address(self) -> str:
        return str(self.js("return decodeURI(location.hash)"))

    def js(self, script: str, *arguments: Any) -> Any:
        return self.chrome.execute_script(script, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        return self.chrome.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return self.one(selector).text

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements like that, read at once."""
        return list(self.js("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", selector))

    def click(self, selector: str) -> None:
        self.one(selector).click()

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        ActionChains(self.chrome).send_keys(*keys).perform()

    def wheel(self, selector: str, pixels: int) -> None:
        """Turn the wheel over an element; down is positive."""
        box = self.one(selector).rect
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        event = {"type": "mouseWheel", "deltaX": 0, "deltaY": pixels, **place}
        self.chrome.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a select, or move a slider, as a reader does."""
        script = (
            "const [e, v] = arguments; e.value = v; for (const t of ['input', 'change']) e.dispatchEvent(new Event(t))"
        )
        self.js(script, self.one(selector), value)

    def units(self) -> list[str]:
        """The units of a grid that are drawn, in order, such as \"layer2 unit 5\"."""
        return self.texts(".grid .caption b")

    def requests(self) -> list[str]:
        """The addresses of all requests since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.chrome.get_log("performance")]
        return [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """What the console says since the last call."""
        return [entry["message"] for entry in self.chrome.get_log("browser")]
