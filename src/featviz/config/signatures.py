"""The arguments of what a ``_target_`` names, read from its source: nothing is imported, so that torch need not be."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType

from featviz.config.source import Found, find_definition

Kinds = tuple[type, ...]

PLAIN = {"bool": bool, "int": int, "float": float, "str": str}
CONTAINERS = {"Mapping": Mapping, "dict": Mapping, "Sequence": Sequence, "list": Sequence, "tuple": Sequence}
OPEN = ("typing", "typing_extensions", "collections")  # whose classes stand for more than themselves


@dataclass(frozen=True)
class Arguments:
    """What a class or function takes: the plain types of each argument, none where its annotation says more."""

    kinds: dict[str, Kinds]
    takes_any: bool = False


@cache
def read_arguments(target: str) -> Arguments | None:
    """The arguments of ``package.module.Thing``; None where its source does not tell.

    A class without ``__init__`` has that of its base; a dataclass has its fields.
    """
    found = find_definition(*target.rpartition(".")[::2])
    return _arguments(found) if found else None


def _arguments(found: Found) -> Arguments | None:
    node = found.node
    if isinstance(node, ast.FunctionDef):
        return _of_function(node, found.module)
    if not isinstance(node, ast.ClassDef):
        return None
    inits = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    if inits:
        return _of_function(inits[-1], found.module, skip=1)
    bases = [_base(base, found.module) for base in node.bases]
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        inherited = {name: kinds for base in bases if base for name, kinds in base.kinds.items()}
        return Arguments(inherited | _of_fields(node, found.module))
    return next((base for base in bases if base is None or base.kinds or base.takes_any), Arguments({}))


def _base(node: ast.expr, module: str) -> Arguments | None:
    found = find_definition(module, node.id) if isinstance(node, ast.Name) else None
    return _arguments(found) if found and isinstance(found.node, ast.ClassDef) else None


def _of_function(node: ast.FunctionDef, module: str, skip: int = 0) -> Arguments:
    arguments = [*node.args.posonlyargs, *node.args.args][skip:] + node.args.kwonlyargs
    kinds = {one.arg: _kinds(one.annotation, module) for one in arguments}
    return Arguments(kinds, takes_any=node.args.kwarg is not None)


def _of_fields(node: ast.ClassDef, module: str) -> dict[str, Kinds]:
    return {
        part.target.id: _kinds(part.annotation, module)
        for part in node.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) and not _is_computed(part.value)
    }


def _is_computed(default: ast.expr | None) -> bool:
    """Whether this is the default of a field that is no argument."""
    return isinstance(default, ast.Call) and "init=False" in ast.unparse(default)


def _kinds(annotation: ast.expr | None, module: str) -> Kinds:
    """The plain types that an annotation allows; none where it allows other values, or null and objects alone."""
    parts = list(_parts(annotation, module)) if annotation else []
    kinds = tuple(kind for part in parts for kind in _plain(part.node))
    others = [part.node for part in parts if not _plain(part.node)]
    return kinds if set(kinds) - {NoneType} and all(isinstance(other, ast.ClassDef) for other in others) else ()


def _parts(annotation: ast.expr, module: str) -> Iterator[Found]:
    """The members of a union, with what their names stand for."""
    members = [annotation]
    match annotation:
        case ast.BinOp(left, ast.BitOr(), right):
            members = [left, right]
        case ast.Subscript(ast.Name("Union"), ast.Tuple(elements)):
            members = elements
        case ast.Subscript(ast.Name("Optional"), member):
            members = [member, ast.Constant(None)]
        case ast.Constant(str(text)):
            members = [ast.parse(text, mode="eval").body]
        case ast.Name(name) if name not in PLAIN:
            found = find_definition(module, name)
            if found and not found.module.startswith(OPEN):
                yield from _parts(found.node, found.module) if isinstance(found.node, ast.expr) else [found]
                return
    if members == [annotation]:
        yield Found(annotation, module)
    else:
        for member in members:
            yield from _parts(member, module)


def _plain(part: ast.AST) -> Kinds:
    """The type of the values that one member of a union stands for; none where it may stand for any."""
    match part:
        case ast.Constant(None):
            return (NoneType,)
        case ast.Name(name) if name in PLAIN:
            return (PLAIN[name],)
        case ast.Subscript(ast.Name(name)) if name in CONTAINERS:
            return (CONTAINERS[name],)
    return ()
