"""``index.html``: one file with a policy that allows its own module and style, and nothing from elsewhere."""

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from typing import Any

import pytest

from featviz.pages.site_folder import HEAD, MARK
from featviz.pages.template import render_index

SITE: dict[str, Any] = {"title": "a </title><script>alert(1)</script> & b", "models": [], "notes": ["</script><b>"]}


@pytest.fixture(scope="module")
def page() -> str:
    return render_index(SITE).decode()


def hashes(kind: str, page: str) -> list[str]:
    texts = re.findall(rf"<{kind}>(.*?)</{kind.split()[0]}>", page, re.S)
    return [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts]


def policy(page: str) -> dict[str, list[str]]:
    (content,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    directives = (directive.split() for directive in unescape(content).split(";"))
    return {name: sources for name, *sources in directives}


def test_the_policy_allows_just_the_module_and_the_style_of_the_page(page: str) -> None:
    allowed = policy(page)
    assert hashes('script type="module"', page) == [source for source in allowed["script-src"] if source != "'self'"]
    assert hashes("style", page) == allowed["style-src"]
    assert allowed["default-src"] == ["'none'"]
    assert "'unsafe-inline'" not in str(allowed)


def test_nothing_in_it_is_from_elsewhere_or_runs_by_an_attribute(page: str) -> None:
    markup = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.S)
    assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", markup)
    assert not re.findall(r"<[^>]+\son\w+=", markup)
    assert not re.findall(r"<[^>]+\sstyle=", markup)


def test_texts_cannot_end_what_they_stand_in(page: str) -> None:
    assert "<script>alert" not in page
    assert "</script><b>" not in page
    assert page.count("<title>") == page.count("</title>") == 1


def test_it_says_whose_it_is(page: str) -> None:
    assert MARK in page.encode()[:HEAD]


def test_equal_data_give_equal_bytes(page: str) -> None:
    assert render_index(dict(SITE)) == page.encode()
