"""Small ES modules become one that can stand in a page."""

from pathlib import Path

import pytest

from featviz.pages.modules import joined_modules


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def test_each_comes_once_and_before_those_that_import_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        main='import { a } from "./a.js";\nimport {\n  b,\n  c,\n} from "./b.js";\nimport "./c.js";\na(b, c);\n',
        a='import { b } from "./b.js";\nexport function a() {}\n',
        b="export const b = 1, d = 2;\nexport class c {}\nexport async function* e() {}\n",
        c="let f = 0;\n",
    )
    joined = joined_modules(tmp_path)
    lines = [line for line in joined.splitlines() if line]
    assert lines == [
        "const b = 1, d = 2;",
        "class c {}",
        "async function* e() {}",
        "function a() {}",
        "let f = 0;",
        "a(b, c);",
    ]


def test_modules_that_import_each_other_are_joined(tmp_path: Path) -> None:
    write(tmp_path, main='import { a } from "./a.js";\nexport const m = a;\n')
    write(tmp_path, a='import { m } from "./main.js";\nexport const a = () => m;\n')
    assert joined_modules(tmp_path).split() == ["const", "a", "=", "()", "=>", "m;", "const", "m", "=", "a;"]


@pytest.mark.parametrize(
    ("main", "words"),
    [
        ('import { a } from "./a.js";\nconst a = 2;\n', "a.js and main.js both have a"),
        ('import { a } from "./a.js";\nfunction a() {}\n', "both have a"),
        ("export default 3;\n", "main.js has a statement that cannot be joined: export default 3;"),
        ('import * as a from "./a.js";\n', "cannot be joined"),
        ('import { a } from "https://elsewhere.org/a.js";\n', "cannot be joined"),
        ("const a = 1;\nexport { a };\n", "cannot be joined"),
    ],
)
def test_what_cannot_be_joined_is_refused(main: str, words: str, tmp_path: Path) -> None:
    write(tmp_path, main=main, a="export const a = 1;\n")
    with pytest.raises(ValueError, match=words):
        joined_modules(tmp_path)
