"""Pictures with labels as HTML that needs nothing else: what a notebook shows of a result."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

from featviz.errors import printable
from featviz.results.sheets import LARGEST_OF_MANY, WARNING, Cell, fit

SHARP = 2  # px of the picture for one of the page's, for screens with many
GRID = "display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start"
FIGURE = f"margin:0;width:{LARGEST_OF_MANY}px;font:12px/1.4 system-ui,sans-serif;overflow-wrap:anywhere"
WORD = "display:flex;align-items:center;justify-content:center;background:#8883"


def html_grid(cells: Sequence[Cell], title: str = "", more: int = 0) -> str:
    """A title and labelled tiles, which wrap where the page is narrow.

    Args:
        cells: the tiles; their labels and words are escaped.
        title: above them.
        more: how many tiles are left out, which is said.
    """
    parts = [f'<div style="font:14px/2 system-ui,sans-serif">{_text(title)}</div>' if title else ""]
    parts += [f'<div style="{GRID}">', *map(_figure, cells), "</div>"]
    parts += [f"<div>and {more} more</div>" if more else ""]
    return "".join(parts)


def picture_uri(picture: Image.Image) -> str:
    """A picture as the address of an image: WebP, which is a tenth of a PNG."""
    content = io.BytesIO()
    picture.convert("RGB").save(content, "WEBP", quality=85, method=4)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"


def _figure(cell: Cell) -> str:
    style = f"{FIGURE};color:{WARNING}" if cell.warn else FIGURE
    caption = f"<figcaption>{_text(cell.label)}</figcaption>" if cell.label else ""
    return f'<figure style="{style}">{_tile(cell)}{caption}</figure>'


def _tile(cell: Cell) -> str:
    if isinstance(cell.tile, Image.Image):
        picture = fit(cell.tile, SHARP * LARGEST_OF_MANY)
        size = f'width="{picture.width // SHARP}" height="{picture.height // SHARP}"'
        return f'<img src="{picture_uri(picture)}" {size} alt="{escape(printable(cell.label))}">'
    side = f"width:{LARGEST_OF_MANY}px;height:{LARGEST_OF_MANY}px"
    return f'<div style="{WORD};{side}">{_text(cell.tile or "")}</div>'


def _text(text: str) -> str:
    return "<br>".join(escape(printable(line)) for line in text.split("\n"))
