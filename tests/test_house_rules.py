"""What holds for the code as a whole: who may import whom, and how long a file and a function may be."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import ROOT

SOURCES = sorted(file for folder in ("src", "scripts", "tests") for file in (ROOT / folder).rglob("*.py"))
TABLES = {"tests/conf/test_recipe_numbers.py", "tests/helpers/formulas.py", "tests/models/test_stages.py"}
LONGEST_FILE, LONGEST_FUNCTION = 300, 50

WRONG_IMPORTS = {
    "Imports go down the page only": ("models/model.py", "def _late():\n    import featviz.runs.plan"),
    "No Lightning, Hydra or OmegaConf below optim, but in config": ("images/base.py", "import lightning"),
    "No configuration object below runs, but in config": ("results/rows.py", "from omegaconf import DictConfig"),
    "Pages are made without torch, Lightning or Hydra, through others too": (
        "results/rows.py",
        "from featviz.results.tensors import npy",
    ),
    "No circle, in any folder": ("photos/files.py", "def _late():\n    from featviz.photos.stream import PhotoStream"),
}


def contracts() -> list[str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return [contract["name"] for contract in tomllib.load(file)["tool"]["importlinter"]["contracts"]]


def test_every_contract_is_tried() -> None:
    assert contracts() == list(WRONG_IMPORTS)


@pytest.mark.process
@pytest.mark.parametrize("contract", WRONG_IMPORTS)
def test_a_wrong_import_breaks_its_contract(contract: str, tmp_path: Path) -> None:
    """``make test`` shows that without it all contracts are kept."""
    shutil.copytree(ROOT / "src/featviz", tmp_path / "featviz")
    file, line = WRONG_IMPORTS[contract]
    with (tmp_path / "featviz" / file).open("a") as source:
        source.write(f"\n\n{line}\n")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "160"}
    linted = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert linted.returncode == 1, linted
    assert f"{contract} BROKEN" in linted.stdout


def test_no_file_and_no_function_is_long() -> None:
    files = {file.relative_to(ROOT).as_posix(): file.read_text() for file in SOURCES}
    assert [name for name, text in files.items() if len(text.splitlines()) > LONGEST_FILE and name not in TABLES] == []
    functions = [(file, *each) for file, text in files.items() for each in lengths(ast.parse(text))]
    assert [each for each in functions if each[2] > LONGEST_FUNCTION] == []


def lengths(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The functions of a file with their number of lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.name, node.end_lineno - node.lineno + 1
