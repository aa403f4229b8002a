"""How fast the pages of a site are in Chromium: the first picture after opening, sorting, filtering and scrolling.

python scripts/bench_report_browser.py            # made-up sites: a layer of 512 units, and 20,000 units in 40 layers
python scripts/bench_report_browser.py FOLDER     # the first layer and all units of a site, FOLDER/index.html

It needs chromium, chromedriver and selenium (make browser).
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from arguments import answer_help

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/helpers"))

from browser import Browser, start_chromium
from made_up_site import MadeUpSite

ROUNDS = 7

FIRST_PICTURE = """
const seen = () => {
  const thumb = document.querySelector(".grid .thumb");
  const file = thumb && getComputedStyle(thumb).backgroundImage.slice(5, -2);
  if (!file) return requestAnimationFrame(seen);
  const image = new Image();
  image.src = file;
  image.decode().then(() => requestAnimationFrame(() => { window.firstPicture = performance.now(); }));
};
requestAnimationFrame(seen);
"""  # ms from the start of navigation to the frame in which a picture of the grid is drawn

UNTIL_DRAWN = """
const [change, done] = [new Function(arguments[0]), arguments[arguments.length - 1]];
const began = performance.now();
change();
requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
"""

SORT = """const select = document.querySelector(".toolbar select");
const keys = [...select.options].map((option) => option.value).filter((key) => key !== "number");
select.value = keys[(keys.indexOf(select.value) + 1) % keys.length];
select.dispatchEvent(new Event("change"));"""
FILTER = "document.querySelector('.chip').click()"
SEARCH = """const field = document.querySelector("input[type=search]");
field.value = field.value === "1" ? "12" : "1";
field.dispatchEvent(new Event("input"));"""
SCROLL = """const done = arguments[arguments.length - 1];
const times = [];
let last = performance.now();
const step = () => {
  scrollBy(0, 400);
  const now = performance.now();
  times.push(now - last);
  last = now;
  if (times.length < 90) requestAnimationFrame(step);
  else done(times.slice(5).sort((one, other) => one - other));
};
requestAnimationFrame(step);"""


def main(folder: Path | None) -> None:
    """Measure a site, or the made-up ones, and print the medians."""
    chrome = start_chromium(shutil.which("chromium") or "chromium", shutil.which("chromedriver") or "chromedriver")
    try:
        if folder:
            measure(Browser(chrome, (folder / "index.html").resolve()), first_layer(folder), "#all")
            return
        with tempfile.TemporaryDirectory() as made:
            layer = MadeUpSite(Path(made, "layer"), units=512, layers=1).write()
            measure(Browser(chrome, layer), "#layer1")
            network = MadeUpSite(Path(made, "network"), units=500, layers=40).write()
            measure(Browser(chrome, network), "#all")
    finally:
        chrome.quit()


def first_layer(folder: Path) -> str:
    """The address of the first layer that the network's page shows."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="site">(.*?)</script>', text, re.DOTALL)
    if not found:
        sys.exit(f"{folder}/index.html is no page of featviz")
    layers: list[dict[str, Any]] = json.loads(found[1])["models"][0]["layers"]
    layer = next(layer for layer in layers if layer["file"])
    return f"#{(layer['names'] or [layer['module']])[0]}"


def measure(browser: Browser, *addresses: str) -> None:
    """Print how long everything takes on some pages of a site."""
    for address in addresses:
        first = median(opening(browser, address) for _ in range(ROUNDS))
        units = browser.text(".total")
        print(f"{browser.index.parent.name}{address}, {units}: first picture {first:.0f} ms", end="", flush=True)
        browser.click(".toolbar > button")
        for name, change in {"sort": SORT, "filter": FILTER, "search": SEARCH}.items():
            times = [browser.chrome.execute_async_script(UNTIL_DRAWN, change) for _ in range(ROUNDS + 1)][1:]
            print(f", {name} {median(times):.0f} ms (at most {max(times):.0f})", end="", flush=True)
        browser.open(address)
        frames = browser.chrome.execute_async_script(SCROLL)
        print(f"; a frame of scrolling {median(frames):.0f} ms, 95 % below {frames[int(0.95 * len(frames))]:.0f}")


def opening(browser: Browser, address: str) -> float:
    """Milliseconds from opening to the first picture of a grid."""
    command = "Page.addScriptToEvaluateOnNewDocument"
    script = browser.chrome.execute_cdp_cmd(command, {"source": FIRST_PICTURE})
    browser.open(address)
    seen = float(browser.wait(lambda: browser.js("return window.firstPicture")))
    browser.chrome.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    return seen


if __name__ == "__main__":
    answer_help(__doc__)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
