"""What holds for the own files of pages: they are short, make neither markup nor code of texts, and name no address."""

import re
from pathlib import Path

import pytest

import featviz.pages.template

FILES = sorted(path for path in (Path(featviz.pages.template.__file__).parent / "static").iterdir())
MODULES = [path for path in FILES if path.suffix == ".js"]
LONGEST = 300
MARKUP_OR_CODE = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
NAMESPACE = "http://www.w3.org/2000/svg"  # a name, which nobody asks for


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_are_short_and_name_no_address(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", text.replace(NAMESPACE, "")) == []


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_texts_become_neither_markup_nor_code(file: Path) -> None:
    assert re.findall(MARKUP_OR_CODE, file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_modules_say_what_they_are_for(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("// ")
    exported = re.findall(r"^(.*)\nexport (?:async )?(?:function|class) (\w+)", text, re.MULTILINE)
    assert [name for before, name in exported if not before.endswith("*/")] == []
