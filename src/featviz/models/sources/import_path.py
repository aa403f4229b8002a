"""The object at an import path ``package.module.Thing``, and the network that it is or makes."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import pkgutil
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from featviz.errors import FeatvizError, one_line


@contextmanager
def here_importable() -> Iterator[None]:
    """Let modules of the folder that one stands in be imported."""
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(Path.cwd()))


def resolve(target: str) -> Any:
    """The object at an import path: each part is an attribute of the part before it, or a module in it."""
    parts = target.replace(":", ".").split(".")
    if not all(part.isidentifier() for part in parts):
        raise FeatvizError(
            f"target '{target}' is no import path such as package.module.Thing", setting="model.target", got=target
        )
    target_object: Any = None
    for at, part in enumerate(parts):
        above = target_object
        target_object = getattr(above, part, None) if above else None
        if target_object is None and (above is None or isinstance(above, ModuleType)):
            target_object = _import(".".join(parts[: at + 1]), target)
        if target_object is None:
            where = f"{'.'.join(parts[:at])} has no '{part}'" if at else f"no module '{part}' to import"
            raise FeatvizError(f"target '{target}': {where}", got=part, known=_names_in(above), setting="model.target")
    return target_object


def _import(module: str, target: str) -> ModuleType | None:
    """Import a module; None where there is none of this name."""
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # the module runs whatever it likes when it is imported
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            return None
        failed = f"{type(error).__name__}: {one_line(error)}"
        raise FeatvizError(
            f"target '{target}': importing {module} failed: {failed}", setting="model.target", got=target
        ) from error


def _names_in(above: Any) -> list[str]:
    """What can be named in a module or an object; all modules that can be imported, for None."""
    public = [] if above is None else [name for name in dir(above) if not name.startswith("_")]
    folders = None if above is None else getattr(above, "__path__", ())
    return [*public, *(target_object.name for target_object in pkgutil.iter_modules(folders))]


def _check_callable(target: str, target_object: Any) -> None:
    """Raise FeatvizError, before it is called, for what cannot be meant: ``sys.exit``, or a class of no network."""
    if isinstance(target_object, type):
        unsuitable = "" if issubclass(target_object, nn.Module) else f"is the class {target_object.__qualname__}"
    else:
        function = inspect.unwrap(target_object)
        while isinstance(function, functools.partial | functools.partialmethod):
            function = function.func
        by_path = _is_of_python(target.replace(":", ".").partition(".")[0])  # also where somebody has put theirs there
        unsuitable = "is a function of Python itself" if by_path or _of_python(function) else ""
    if unsuitable:
        raise FeatvizError(
            f"target '{target}' {unsuitable}",
            setting="model.target",
            got=target,
            expected="a torch.nn.Module, its class, or a function that returns one",
        )


def _of_python(function: Any) -> bool:
    """Whether a function is built in, or of the standard library: files of the user's own may have its names."""
    if isinstance(function, types.BuiltinFunctionType):
        return True
    return _is_of_python(getattr(function, "__module__", None) or type(function).__module__)


def _is_of_python(name: str) -> bool:
    """Whether a module that is imported is built in, or of the standard library."""
    module = sys.modules.get(name)
    if getattr(module, "__name__", "").partition(".")[0] not in sys.stdlib_module_names | set(sys.builtin_module_names):
        return False
    file = getattr(module, "__file__", None)
    library = Path(os.__file__).resolve().parent
    return file is None or (Path(file).resolve().is_relative_to(library) and "site-packages" not in Path(file).parts)


def build(target: str, target_object: Any, kwargs: dict[str, Any]) -> nn.Module:
    """The network that a target is, or makes of ``kwargs``; FeatvizError where it is, or makes, none."""
    if isinstance(target_object, nn.Module) and not kwargs:
        return target_object
    if isinstance(target_object, nn.Module) or not callable(target_object):
        takes = "is a network already and takes no kwargs" if kwargs else f"is a {type(target_object).__name__}"
        raise FeatvizError(
            f"target '{target}' {takes}",
            setting="model.target",
            got=target,
            expected="a torch.nn.Module, its class, or a function",
        )
    _check_callable(target, target_object)
    try:
        network = target_object(**kwargs)
    except (Exception, SystemExit) as error:
        if isinstance(error, TypeError):
            _check_arguments(target, target_object, kwargs)
        failed = f"{type(error).__name__}: {one_line(error)}"
        raise FeatvizError(
            f"target '{target}' cannot be built with {kwargs}: {failed}", setting="model.target", got=target
        ) from error
    if not isinstance(network, nn.Module):
        raise FeatvizError(
            f"target '{target}' gives a {type(network).__name__}",
            setting="model.target",
            got=target,
            expected="a torch.nn.Module",
        )
    return network


def _check_arguments(target: str, target_object: Any, kwargs: Mapping[str, Any]) -> None:
    """Raise FeatvizError for arguments that are missing, or that a class or a function does not take."""
    try:
        parameters = inspect.signature(target_object).parameters.values()
    except (TypeError, ValueError):  # it does not say
        return
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if missing := [p.name for p in named if p.default is p.empty and p.name not in kwargs]:
        say = " ".join(f"model.kwargs.{name}=VALUE" for name in missing)
        what = f"target '{target}' cannot be built without {', '.join(missing)}: say {say}"
        raise FeatvizError(what, setting=f"model.kwargs.{missing[0]}", got=missing)
    unknown = [name for name in kwargs if name not in [p.name for p in named]]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise FeatvizError(
            f"target '{target}' takes no {unknown[0]}",
            setting=f"model.kwargs.{unknown[0]}",
            got=unknown[0],
            known=[p.name for p in named],
        )
