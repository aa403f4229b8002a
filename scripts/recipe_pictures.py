"""Makes the pictures of docs/recipes.md by the very commands that stand there.

python scripts/recipe_pictures.py              # all of them: half an hour on two cores
python scripts/recipe_pictures.py maco2023 lucent
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from arguments import answer_help
from PIL import Image

from featviz.results.folder import read_rows

PAGE = Path(__file__).parents[1] / "docs/recipes.md"
SIDE = 192  # px, on the page


def commands() -> dict[str, list[str]]:
    """The page's commands by recipe, without ``python -m featviz``."""
    typed = [shlex.split(line)[3:] for line in re.findall(r"`(python -m featviz recipe=[^`]*)`", PAGE.read_text())]
    return {words[0].partition("=")[2]: words for words in typed}


def main(wanted: list[str]) -> None:
    """Make the pictures of these recipes, or of all."""
    found = commands()
    if unknown := sorted(set(wanted) - set(found)):
        sys.exit(f"no command on {PAGE.name} for {', '.join(unknown)}; there are: {', '.join(found)}")
    for recipe in wanted or found:
        with tempfile.TemporaryDirectory() as folder:
            run = [sys.executable, "-m", "featviz", *found[recipe], "logger=none", f"hydra.run.dir={folder}"]
            subprocess.run(run, check=True)
            (row,) = read_rows(Path(folder))
            print(f"{recipe}: {row['status']} {row['reason']}, {row['seconds']:.0f} s")
            put_on_page(Path(folder, row["image"]), PAGE.parent / f"images/recipes/{recipe}.jpg")


def put_on_page(picture: Path, path: Path) -> None:
    """Shrink a picture, on white where it is transparent, and save it as JPEG."""
    with Image.open(picture) as image:
        shown = Image.new("RGBA", image.size, "white")
        shown.alpha_composite(image.convert("RGBA"))
    shown.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(path, quality=85)


if __name__ == "__main__":
    answer_help(__doc__)
    main(sys.argv[1:])
