"""Makes the pictures of docs/microscope.md: real runs of the default network, and Chromium that looks at their pages.

python scripts/screenshots.py               # all of it: photos, runs, pictures; half an hour on two cores
python scripts/screenshots.py FOLDER        # keeps photos and runs in FOLDER, and goes on with those that are there

It needs chromium, chromedriver and selenium (make browser). Photos are squares cut out of those that come with
scikit-image, scikit-learn and matplotlib.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import skimage.data
import sklearn.datasets
from PIL import Image

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
LAYERS = "layer=[layer1,layer2,layer3,layer4]"
FILTERS = "filters=0-23"
STEPS = 128
RUNS = {
    "clear": ["recipe=clear", LAYERS, FILTERS, f"schedule.steps={STEPS}", "callbacks=none"],
    "olah2017": ["recipe=olah2017", LAYERS, FILTERS, f"schedule.steps={STEPS}"],
    "exemplars": ["task=exemplars", LAYERS, FILTERS],
}
PHOTO_FOLDERS = (
    (Path(skimage.data.__file__).parent, "astronaut.png chelsea.png coffee.png motorcycle_left.png rocket.jpg"),
    (Path(skimage.data.__file__).parent, "hubble_deep_field.jpg retina.jpg grass.png gravel.png brick.png coins.png"),
    (Path(sklearn.datasets.__file__).parent / "images", "china.jpg flower.jpg"),
    (Path(matplotlib.get_data_path()) / "sample_data", "grace_hopper.jpg"),
)
SIDE = 256  # px, of a square that is cut out


def main(folder: Path) -> None:
    """Make what is missing in the folder, and the pictures of the page."""
    photos = folder / "photos"
    if not photos.is_dir():
        write_photos(photos)
    for name, settings in RUNS.items():
        if not (folder / name).is_dir():
            data = [f"data={photos}"] if name == "exemplars" else []
            run(*settings, *data, "logger=none", "report=none", f"hydra.run.dir={folder / name}")
    run("task=report", f"runs=[{','.join(str(folder / name) for name in RUNS)}]", f"into={folder / 'site'}")


def run(*settings: str) -> None:
    """Call the program."""
    print("python -m featviz", *settings, flush=True)
    subprocess.run([sys.executable, "-m", "featviz", *settings], check=True)


def write_photos(folder: Path) -> None:
    """Squares of all photos at two scales, side by side and half over each other."""
    folder.mkdir(parents=True)
    for source, names in PHOTO_FOLDERS:
        for name in names.split():
            with Image.open(source / name) as photo:
                for number, square in enumerate(squares(photo.convert("RGB"))):
                    square.save(folder / f"{Path(name).stem}_{number:02d}.jpg", quality=92)


def squares(photo: Image.Image) -> Iterator[Image.Image]:
    """The largest squares of a photo, and those of half their side."""
    for share in (1, 0.5):
        side = int(min(photo.size) * share)
        for top in range(0, photo.height - side + 1, max(1, side // 2)):
            for left in range(0, photo.width - side + 1, max(1, side // 2)):
                yield photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))


if __name__ == "__main__":
    if {"-h", "--help"} & {*sys.argv}:
        print(__doc__)
        sys.exit()
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
