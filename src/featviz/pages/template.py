"""``index.html``: the template with style, module and data in it, and a policy that allows nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from featviz.pages.encoding import to_json
from featviz.pages.modules import joined_modules

STATIC = Path(__file__).parent / "static"
TEMPLATE = "index.html.j2"


def render_index(site: Mapping[str, Any]) -> bytes:
    """The page of a site's data; equal data give equal bytes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style, module = _style(), joined_module()
    environment = Environment(
        loader=FileSystemLoader(STATIC), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    text = environment.get_template(TEMPLATE).render(
        title=site["title"],
        policy=policy(module, style),
        style=Markup(style),
        module=Markup(module),
        site=Markup(to_json(site)),
    )
    return text.encode()


def policy(module: str, style: str) -> str:
    """The content security policy: this module, this style, and scripts and pictures from beside the page."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {_hash(module)}",
            f"style-src {_hash(style)}",
            "img-src 'self' data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


@cache
def joined_module() -> str:
    """The page's module."""
    return joined_modules(STATIC)


@cache
def _style() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(STATIC.glob("*.css")))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
