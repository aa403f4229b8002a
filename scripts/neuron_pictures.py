"""Makes the pictures of docs/neuroscience.md by the commands that stand there.

python scripts/neuron_pictures.py
"""

from __future__ import annotations

import math
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from arguments import answer_help
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "neuroscience.md"
SHEETS = ("mei", "mdi", "vei")
SHAPE, NEURONS, SEED = (36, 64), 8, 3

sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from neurons import gabors  # noqa: E402


def main(folder: Path) -> None:
    """Write the page's files and the neurons' weights into a folder, and run its commands there."""
    text = PAGE.read_text()
    for name, content in re.findall(r"```(?:python|yaml)\n# ([\w/]+\.\w+)\n(.*?)```", text, re.S):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    filters = {name: gabors(NEURONS, SHAPE, phase, SEED) for name, phase in (("even", 0.0), ("odd", -math.pi / 2))}
    torch.save({f"{name}.weight": values for name, values in filters.items()}, folder / "encoder.pt")
    commands = re.findall(r"```\npython -m featviz (.*?)```", text, re.S)
    for sheet, typed in zip(SHEETS, commands, strict=True):
        settings = [*shlex.split(typed.replace("\\\n", " ")), f"hydra.run.dir={sheet}", "logger=none", "report=none"]
        subprocess.run([sys.executable, "-m", "featviz", *settings], cwd=folder, check=True)
        picture = Image.open(folder / sheet / "grid_output.png")
        picture.convert("L").save(ROOT / "docs" / "images" / f"neuroscience_{sheet}.png", optimize=True)


if __name__ == "__main__":
    answer_help(__doc__)
    with tempfile.TemporaryDirectory() as path:
        main(Path(path))
