"""Makes the pictures of docs/microscope.md: real runs of the default network, and Chromium that looks at their pages.

python scripts/screenshots.py               # photos, runs and pictures: twenty minutes on two cores
python scripts/screenshots.py FOLDER        # keeps photos and runs in FOLDER, and goes on with those that are there

It needs chromium, chromedriver and selenium (make browser). The photos are squares cut out of those that come with
scikit-image, scikit-learn and matplotlib.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import time
from pathlib import Path

from arguments import run_in_folder
from package_photos import write_photos
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/helpers"))

from browser import Browser, start_chromium  # noqa: E402

IMAGES = ROOT / "docs/images"
LAYERS, UNITS = "layer=[layer1,layer2,layer3,layer4]", "filters=0-23"
CLEAR = ["recipe=clear", "layer=layer3", UNITS, "schedule.steps=48", "frames=16", "logger=none"]
OLAH = ["recipe=olah2017", LAYERS, UNITS, "schedule.steps=128", "logger=none"]
ATLAS = ["layer=layer4", "atlas.layout=pca", "atlas.per_photo=4", "atlas.grid=6", "atlas.levels=2"]
SMALL = ["schedule.steps=48", "schedule.size=96", "logger=none"]
WIDE, NARROW = 1400, 360  # px, of windows

# name: address, height of the window, whether it is dark, what is clicked first, the heading that is scrolled to
SHOTS = {
    "network": ("", 900, False, "", ""),
    "layer": ("#layer3?sort=-robustness", 900, False, "", ""),
    "side_by_side": ("#layer3?show=each", 900, True, "", ""),
    "unit": ("#layer3/3", 2220, False, ".switcher [data-view=map]", ""),
    "related": ("#layer2/4", 1000, False, "", "Nearest units"),
    "atlas": ("#atlas/layer4@1.9.3", 1100, False, "", ""),
    "compare": ("#compare/layer3/3,layer3/4,layer3/6,layer4/2", 1200, True, "", ""),
}
NARROW_SHOTS = ("", "#layer3", "#layer3/3")
TO_HEADING = """
const found = [...document.querySelectorAll("h2")].find((one) => one.textContent === arguments[0]);
if (found) scrollTo(0, found.getBoundingClientRect().top + scrollY - 90);
document.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
"""


def main(folder: Path) -> None:
    """Make what is missing in the folder, and the pictures of the page."""
    folder = folder.resolve()
    if not (folder / "photos").is_dir():
        write_photos(folder / "photos")
    make(folder, "exemplars", "task=exemplars", "data=photos", LAYERS, UNITS)
    make(folder, "clear", *CLEAR, "exemplars=exemplars")
    make(folder, "olah2017", *OLAH)
    make(folder, "atlas", "task=atlas", "data=photos", *ATLAS, *SMALL)
    run(folder, "task=report", "runs=[clear,olah2017,exemplars,atlas]", "into=microscope")
    shoot(folder / "microscope/index.html")


def make(folder: Path, name: str, *settings: str) -> None:
    """Make a run that is not there, or go on with one that ended early."""
    if not (folder / name / "checksums.json").is_file():  # which is written last
        run(folder, *settings, "report=none", f"hydra.run.dir={name}")


def run(folder: Path, *settings: str) -> None:
    """Call the program in a folder, so that pages show commands as they are typed."""
    print("python -m featviz", *settings, flush=True)
    subprocess.run([sys.executable, "-m", "featviz", *settings], check=True, cwd=folder)


def shoot(index: Path) -> None:
    """Take the pictures of a site's pages."""
    chrome = start_chromium(shutil.which("chromium") or "chromium", shutil.which("chromedriver") or "chromedriver")
    try:
        browser = Browser(chrome, index)
        for name, (address, height, dark, click, heading) in SHOTS.items():
            save(picture(browser, address, WIDE, height, dark, click, heading), name)
        pages = [picture(browser, address, NARROW, 780, at == 1) for at, address in enumerate(NARROW_SHOTS)]
        save(side_by_side(pages), "narrow")
    finally:
        chrome.quit()


def picture(
    browser: Browser, address: str, width: int, height: int, dark: bool, click: str = "", heading: str = ""
) -> Image.Image:
    """What a window shows once all of it has come."""
    browser.open(address, width=width, height=height, dark=dark)
    if click:
        browser.click(click)
    browser.js(TO_HEADING, heading)
    browser.wait(lambda: browser.js("return [...document.images].every((image) => image.complete)"))
    time.sleep(1)  # what fades in has done so, and sprites are decoded
    with Image.open(io.BytesIO(browser.chrome.get_screenshot_as_png())) as shot:
        return shot.convert("RGB")


def side_by_side(pictures: list[Image.Image], gap: int = 40) -> Image.Image:
    """Pictures of one size in a row, on gray."""
    width, height = pictures[0].size
    row = Image.new("RGB", ((width + gap) * len(pictures) + gap, height + 2 * gap), "#8b8d90")
    for at, one in enumerate(pictures):
        row.paste(one, (gap + at * (width + gap), gap))
    return row


def save(shot: Image.Image, name: str) -> None:
    """Write a picture of the page."""
    path = IMAGES / f"microscope_{name}.webp"
    shot.save(path, quality=82, method=6)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    run_in_folder(main, __doc__)
