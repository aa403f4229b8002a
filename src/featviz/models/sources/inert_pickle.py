"""A reader of torch's files that keeps their tensors, and puts placeholders for everything that could run code."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor
from typing_extensions import override


class Placeholder:
    """Stands for an object, a class or a function that the file names: called or changed, it does nothing.

    Each name of the file has a class of its own, ``origin`` tells the name; ``state`` is what would have been its
    attributes, where the file holds some.
    """

    origin = ""
    state: Any = None

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Take whatever the real thing would have taken."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Placeholder:
        """Take whatever the real thing would have taken."""
        return object.__new__(cls)

    def __call__(self, *_args: Any, **_kwargs: Any) -> Placeholder:
        """Stand for what the real thing would have returned as well."""
        return self

    def __setstate__(self, state: Any) -> None:
        """Keep the attributes of the real thing."""
        self.state = state

    def ignore(self, *_args: Any) -> None:
        """Take a part of the real thing."""

    __setitem__ = append = extend = add = ignore

    @property
    def is_module(self) -> bool:
        """Whether the real thing is a whole network that was pickled."""
        return isinstance(self.state, dict) and {"_modules", "_parameters"} <= set(map(str, self.state))


class StateDict(OrderedDict[Any, Any]):
    """An ordered dict of the file; of attributes it takes only the versions of modules that torch adds."""

    def __setstate__(self, state: Any) -> None:
        """Take the versions."""
        versions = state.get("_metadata") if isinstance(state, dict) else None
        if isinstance(versions, dict):
            self._metadata = versions


class _Rebuilder:
    """A function that the file may call; a file cannot set attributes of it."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def __setstate__(self, _state: Any) -> None:
        """Take nothing."""


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_rest: Any) -> Tensor:
    return cast("Tensor", torch._utils._rebuild_tensor(storage, offset, size, stride))  # type: ignore[no-untyped-call]


def _parameter(data: Tensor, *_rest: Any) -> Tensor:
    return data


def _of_subclass(function: Any, _type: Any, args: Any, _state: Any) -> Any:
    """A tensor of another class as a plain one; ``function`` is one of these here, or a placeholder."""
    return function(*args)


def _inner(owner: Any, name: Any) -> Any:
    """The class inside of a class that ``getattr`` names in the file."""
    return _placeholder(f"{getattr(owner, 'origin', 'object')}.{name}")


#: All that a file can call, by the names that it uses.
_REBUILDERS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _of_subclass,
    "builtins.getattr": _inner,
    "__builtin__.getattr": _inner,
}


def _placeholder(origin: str) -> type[Placeholder]:
    return type("Named", (Placeholder,), {"origin": origin})


class _Unpickler(pickle.Unpickler):
    """Never imports: each name becomes a rebuilder of the list above, an ordered dict, or a placeholder."""

    @override
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        origin = f"{module_name}.{global_name}"
        if origin == "collections.OrderedDict":
            return StateDict
        return _Rebuilder(_REBUILDERS[origin]) if origin in _REBUILDERS else _placeholder(origin)


def _load(file: Any, **options: Any) -> Any:
    return _Unpickler(file, **options).load()


_PICKLE = SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__="featviz.inert")


def read_inert(file: Path) -> Any:
    """What a file of ``torch.save`` holds, on the CPU, without importing or running anything that it names.

    torch's own reader does the rest (archives, storages); ``weights_only=False`` lets it take the unpickler above,
    which is stricter: of all names in a file, seven that rebuild tensors mean something.
    """
    return torch.load(file, map_location="cpu", weights_only=False, pickle_module=_PICKLE)
