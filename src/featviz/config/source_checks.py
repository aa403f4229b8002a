"""What a class or function refuses of its arguments, read from its source: nothing is imported, torch neither.

The first lines of ``__post_init__``, ``__init__`` or the function are followed as far as they look at arguments alone:
conditions that raise an error, and calls of functions that hold such conditions. What comes after is left to the time
when the piece is built.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from types import CodeType, MappingProxyType, SimpleNamespace
from typing import Any

from featviz.config.source import Found, find_definition, source_of, statements_of
from featviz.errors import FeatvizError

LIGHT = ("featviz.reading", "featviz.shapes", "featviz.filters")  # which import no torch, and are called as they are
OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def check_arguments(target: str, settings: Mapping[str, Any], complete: bool = True) -> None:
    """Raise FeatvizError where ``package.module.Thing`` refuses these settings, as far as its source tells.

    ``complete`` says that no further arguments come later, so that what is not set has its default. An error of
    another kind is told by the condition that raises it.
    """
    found = find_definition(*target.rpartition(".")[::2])
    while found and (called := _called(found)):
        function, module = called
        values = {**(_defaults(found) if complete else {}), **settings}
        of_fields = function.name == "__post_init__"
        names = {"self": SimpleNamespace(**values)} if of_fields else {"self": SimpleNamespace(), **values}
        with suppress(_Unknown):
            _Reader(module, names, settings).follow(function.body)
        found = next(iter(_bases(found)), None) if of_fields and "super()" in ast.unparse(function) else None


class _Unknown(Exception):
    """What happens next is not told by the source and the arguments alone."""


class _Reader:
    """Follows statements of a module, with the values of some names, of which ``settings`` are typed."""

    def __init__(
        self, module: str, names: Mapping[str, Any], settings: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.module, self.names, self.settings = module, dict(names), settings
        self.condition: ast.expr | None = None  # the last one that was met

    def follow(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            match node:
                case ast.Expr(ast.Constant() | ast.Call(ast.Attribute(ast.Call(ast.Name("super"))))):
                    pass
                case ast.Expr(ast.Call(ast.Name(name)) as call):
                    self._call(name, call)
                case ast.If():
                    self._branch(node)
                case ast.For(ast.Name() | ast.Tuple()):
                    self._repeat(node)
                case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), value=ast.expr() as value):
                    self._assign(name, value)
                case ast.Raise(ast.Call() as raised):
                    self._raise(raised)
                case _:
                    raise _Unknown

    def _call(self, name: str, call: ast.Call) -> None:
        """Follow a function of this module, or one that it imports."""
        found = find_definition(self.module, name)
        if not found or not isinstance(found.node, ast.FunctionDef):
            raise _Unknown
        with suppress(_Unknown):
            given = {keyword.arg: self._value(keyword.value) for keyword in call.keywords if keyword.arg}
            names = [one.arg for one in found.node.args.args]
            given |= dict(zip(names, map(self._value, call.args), strict=False))
            if found.node.args.kwarg:
                given[found.node.args.kwarg.arg] = {name: given[name] for name in given if name not in names}
            _Reader(found.module, {**_defaults(found), **given}).follow(found.node.body)

    def _branch(self, node: ast.If) -> None:
        try:
            holds = bool(self._evaluated(node.test))
        except (TypeError, IndexError):  # of a value that cannot be compared: the piece would raise the same
            if isinstance(node.body[-1], ast.Raise):
                raise self._refusal(node.test) from None
            raise _Unknown from None
        except _Unknown:
            self._forget(node)
            return
        self.condition = node.test
        self.follow(node.body if holds else node.orelse)

    def _repeat(self, node: ast.For) -> None:
        names = [part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)]
        try:
            several = isinstance(node.target, ast.Tuple)
            rounds = [dict(zip(names, one if several else [one], strict=True)) for one in self._value(node.iter)]
        except (TypeError, ValueError):
            raise _Unknown from None
        for values in rounds:
            self.names |= values
            self.follow(node.body)

    def _forget(self, node: ast.If) -> None:
        """Go on behind a branch which may have been taken or not."""
        for part in ast.walk(node):
            if isinstance(part, ast.Return) or (isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)):
                raise _Unknown
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self.names[part.id] = _Unknown

    def _assign(self, name: str, value: ast.expr) -> None:
        try:
            self.names[name] = self._value(value)
        except _Unknown:
            self.names[name] = _Unknown

    def _raise(self, raised: ast.Call) -> None:
        error = self._value(raised)
        if isinstance(error, FeatvizError):
            raise error
        if self.condition is None:
            raise _Unknown
        raise self._refusal(self.condition)

    def _refusal(self, condition: ast.expr) -> Exception:
        """The error for a condition that holds, or that cannot be found out: it names the setting that it looks at."""
        known = [name for name in map(_argument, ast.walk(condition)) if name in self.settings]
        if not known:
            return _Unknown()
        return FeatvizError(setting=known[0], got=self.settings[known[0]], expected=_opposite(condition))

    def _value(self, node: ast.expr) -> Any:
        try:
            return self._evaluated(node)
        except (TypeError, IndexError) as error:
            raise _Unknown from error

    def _evaluated(self, node: ast.expr) -> Any:
        try:
            code, names = _compiled(node, self.module)
        except SyntaxError as error:  # of what means something within its function only
            raise _Unknown from error
        scope = {name: self._named(name) for name in names}
        try:
            return eval(code, {"__builtins__": {}, **scope})
        except (TypeError, IndexError):
            raise
        except Exception as error:
            raise _Unknown from error

    def _named(self, name: str) -> Any:
        value = self.names[name] if name in self.names else _of_module(self.module, name)
        if value is _Unknown:
            raise _Unknown
        return value


@cache
def _compiled(node: ast.expr, module: str) -> tuple[CodeType, tuple[str, ...]]:
    """The code of an expression, and the names that it does not set itself."""
    parts = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    own = {part.id for part in parts if isinstance(part.ctx, ast.Store)}
    return compile(ast.Expression(node), module, "eval"), tuple(part.id for part in parts if part.id not in own)


def _of_module(module: str, name: str) -> Any:
    """What a name of a module stands for: of one that has been imported, a constant, or a builtin."""
    if module in LIGHT:
        import_module(module)
    if module in sys.modules and name in vars(sys.modules[module]):
        return vars(sys.modules[module])[name]
    for node in statements_of(module):
        match node:
            case ast.Assign([ast.Name(assigned)], value) if assigned == name:
                return _Reader(module, {})._value(value)
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
                for target, value in zip(targets, values, strict=False):
                    if isinstance(target, ast.Name) and target.id == name:
                        return _Reader(module, {})._value(value)
            case ast.ImportFrom(names=aliases):
                for alias in aliases:
                    if name == (alias.asname or alias.name):
                        return _of_module(source_of(node, module), alias.name)
            case ast.Import(names=aliases):
                for alias in aliases:
                    if name == (alias.asname or alias.name) and alias.name in sys.modules:
                        return sys.modules[alias.name]
    if hasattr(builtins, name):
        return getattr(builtins, name)
    raise _Unknown


def _called(found: Found) -> tuple[ast.FunctionDef, str] | None:
    """What is called to build a thing, and the module it stands in: of a class, its own method or that of a base."""
    if isinstance(found.node, ast.FunctionDef):
        return found.node, found.module
    if not isinstance(found.node, ast.ClassDef):
        return None
    for part in found.node.body:
        if isinstance(part, ast.FunctionDef) and part.name in ("__init__", "__post_init__"):
            return part, found.module
    return next(filter(None, map(_called, _bases(found))), None)


def _bases(found: Found) -> Sequence[Found]:
    names = [base.id for base in getattr(found.node, "bases", ()) if isinstance(base, ast.Name)]
    return [base for base in (find_definition(found.module, name) for name in names) if base]


def _defaults(found: Found) -> dict[str, Any]:
    """The defaults of arguments that are written out: of a function, an ``__init__``, or a dataclass's fields."""
    called = _called(found)
    if called and called[0].name != "__post_init__":
        function, module = called
        positional = [*function.args.posonlyargs, *function.args.args]
        ends = list(zip(reversed(positional), reversed(function.args.defaults), strict=False))
        by_name = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        return _values(module, [(one.arg, value) for one, value in [*ends, *by_name]])
    inherited = {name: value for base in _bases(found) for name, value in _defaults(base).items()}
    fields = [part for part in getattr(found.node, "body", ()) if isinstance(part, ast.AnnAssign)]
    own = [(part.target.id, part.value) for part in fields if isinstance(part.target, ast.Name)]
    return inherited | _values(found.module, own)


def _values(module: str, pairs: Iterable[tuple[str, ast.expr | None]]) -> dict[str, Any]:
    values = {}
    for name, node in pairs:
        with suppress(_Unknown):
            values[name] = _Reader(module, {})._value(node) if node else _Unknown
    return {name: value for name, value in values.items() if value is not _Unknown}


def _argument(part: ast.AST) -> str:
    """The argument that a part of an expression is, by itself or as a field of ``self``; empty where it is none."""
    match part:
        case ast.Name(name) | ast.Attribute(ast.Name("self"), name):
            return name
    return ""


def _opposite(condition: ast.expr) -> str:
    """What was to hold instead of a condition, as it is written in the source."""
    match condition:
        case ast.UnaryOp(ast.Not(), inside):
            text = ast.unparse(inside)
        case ast.Compare(left, [operator], [right]) if type(operator) in OPPOSITE:
            text = ast.unparse(ast.Compare(left, [OPPOSITE[type(operator)]()], [right]))
        case _:
            text = f"not ({ast.unparse(condition)})"
    return text.replace("self.", "")
