"""Makes the pictures of docs/sweeps.md: a sweep of nine jobs, and Chromium that looks at it in TensorBoard.

python scripts/tensorboard_pictures.py               # the sweep takes some minutes on two cores
python scripts/tensorboard_pictures.py FOLDER        # keeps the sweep in FOLDER, and goes on with one that is there

It needs chromium, chromedriver and selenium (make browser).
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arguments import run_in_folder
from PIL import Image
from selenium import webdriver
from selenium.webdriver import Chrome

IMAGES = Path(__file__).parents[1] / "docs/images"
SWEEP = ["layer=layer2,layer3,layer4", "optimizer.lr=0.02,0.05,0.12", "filters=0-3"]
SHORT = ["schedule.steps=160", "schedule.size=96", "callbacks.log.pictures_every=20", "report=none", "relations=false"]
PORT = 16006
LOADING = 20  # seconds, until TensorBoard has read the sweep and drawn a page

# name: address, width and height of the window, the text of what is clicked first
SHOTS = {
    "images": ("#images&tagFilter=%5Elayer4", 1100, 760, ""),
    "scalars": ("#scalars&tagFilter=%5Eactivation", 1360, 760, ""),
    "hparams": ("#hparams", 1360, 600, "PARALLEL COORDINATES VIEW"),
}
#: Clicks on what has a text of its own, in shadow trees as well.
CLICK = """
const below = (one) => (one.shadowRoot ? all(one.shadowRoot) : []);
const all = (root) => [...root.querySelectorAll("*")].flatMap((one) => [one, ...below(one)]);
const texts = (one) => [...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
const own = (one) => texts(one).map((node) => node.textContent.trim()).join("");
const found = all(document).find((one) => own(one).toUpperCase() === arguments[0]);
found?.click();
return Boolean(found);
"""


def main(folder: Path) -> None:
    """Make the sweep, unless it is there, and the pictures."""
    sweep = folder.resolve() / "sweep"
    if not (sweep / "summary.csv").is_file():
        command = [sys.executable, "-m", "featviz", "-m", *SWEEP, *SHORT, f"hydra.sweep.dir={sweep}"]
        print(*command[1:], flush=True)
        subprocess.run(command, check=True)
    with tensorboard(sweep) as address, chromium() as chrome:
        for name, (place, width, height, text) in SHOTS.items():
            shoot(chrome, address + place, (width, height), text).save(
                IMAGES / f"tensorboard_{name}.png", optimize=True
            )


@contextmanager
def tensorboard(sweep: Path) -> Iterator[str]:
    """The address of a TensorBoard that shows a sweep."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", sweep.name, "--port", str(PORT)]
    process = subprocess.Popen(command, cwd=sweep.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://localhost:{PORT}/"
    try:
        for _ in range(120):
            try:
                with urllib.request.urlopen(address):
                    break
            except OSError:
                time.sleep(1)
        time.sleep(LOADING)
        yield address
    finally:
        process.terminate()
        process.wait()


@contextmanager
def chromium() -> Iterator[Chrome]:
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(option)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield chrome
    finally:
        chrome.quit()


def shoot(chrome: Chrome, address: str, size: tuple[int, int], text: str) -> Image.Image:
    """What a window of this size shows, once what has this text was clicked."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    chrome.get("about:blank")
    chrome.get(address)
    time.sleep(LOADING)
    if text:
        assert chrome.execute_script(CLICK, text), f"TensorBoard shows no {text}"
        time.sleep(LOADING / 2)
    return Image.open(io.BytesIO(chrome.get_screenshot_as_png())).convert("RGB")


if __name__ == "__main__":
    run_in_folder(main, __doc__)
