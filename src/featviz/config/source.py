"""Where names of a module are defined, found in the source: nothing is imported, so that torch need not be."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from featviz.config.garbage import garbage_collection_paused

MOST_MODULES = 8  # between the name of a package and the file that a class is in


@dataclass(frozen=True)
class Found:
    """A class, a function, or what a name stands for, and the module that it stands in."""

    node: ast.ClassDef | ast.FunctionDef | ast.expr
    module: str


@cache
def find_definition(module: str, name: str, most: int = MOST_MODULES) -> Found | None:
    """Where a name of a module is defined, in that module or where it is imported from."""
    found = None
    for node in statements_of(module) if most else ():
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            found = Found(node, module)
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            found = Found(node.value, module)
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names if (alias.asname or alias.name) == name]
            found = find_definition(source_of(node, module), names[0], most - 1) if names else found
    return found


def source_of(node: ast.ImportFrom, module: str) -> str:
    """The module that an import takes its names from."""
    if not node.level:
        return node.module or ""
    package = module if _path(module).name == "__init__.py" else module.rpartition(".")[0]
    above = package.split(".")[: len(package.split(".")) + 1 - node.level]
    return ".".join([*above, *([node.module] if node.module else [])])


def statements_of(module: str) -> Iterator[ast.stmt]:
    """The statements of a module, those below ``if`` and ``try`` as well."""
    waiting: list[ast.stmt] = list(_tree(module))
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.If | ast.Try):
            waiting[:0] = node.body
        else:
            yield node


@cache
def _tree(module: str) -> Sequence[ast.stmt]:
    try:
        with garbage_collection_paused():  # a tree is many objects, which stay
            return ast.parse(_path(module).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return ()


@cache
def _path(module: str) -> Path:
    """The file of a module; one that does not exist where there is none."""
    package, *inside = module.split(".")
    try:
        spec = find_spec(package) if package else None
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin:
        return Path(module, "nowhere")
    if not inside:
        return Path(spec.origin)
    path = Path(spec.origin).parent.joinpath(*inside)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
