"""Which entries of a checkpoint are a network's weights: found by the names and shapes that the network has."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

USUAL_KEYS = ("", "state_dict", "model_state_dict", "model")  # the first is the file's own dict
USUAL_PREFIXES = {"model", "net", "network", "backbone", "encoder", "_forward_module"}
# parts of names that torch puts in for torch.compile, FSDP, checkpointing of activations, and DDP
WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "module")
DEEPEST = 3  # dicts inside of one another in which state dicts are looked for
OPTIONAL = ("num_batches_tracked", "_extra_state")  # last parts of names that files of other versions lack


@dataclass(frozen=True)
class StateDict:
    """A dict of the file that holds tensors, and the keys that lead to it: ``callbacks.ema``."""

    key: str
    entries: Mapping[str, Any]


@dataclass(frozen=True)
class Fit:
    """What a network can take from a state dict: names of the network, each with the file's name for it."""

    source: StateDict
    prefix: str
    names: Mapping[str, str]
    complete: bool

    @property
    def key(self) -> str:
        """The keys and the prefix that lead to it, as ``model.weights_key`` takes them."""
        return ".".join(part for part in (self.source.key, self.prefix.rstrip(".")) if part)

    @property
    def rank(self) -> int:
        """0: just the network's names; 1: behind a usual prefix; 2: in an unusual place, such as ``ema``."""
        if self.source.key not in USUAL_KEYS:
            return 2
        parts = set(self.prefix.rstrip(".").split(".")) - {""}
        return 2 if parts - USUAL_PREFIXES else 1 if parts else 0

    def is_at(self, key: str) -> bool:
        """Whether a typed ``model.weights_key`` means it."""
        return self.key == key or self.key.endswith(f".{key}") or self.key.startswith(f"{key}.")

    @property
    def aside(self) -> list[str]:
        """The names of the state dict that the network does not take."""
        taken = set(self.names.values())
        return [name for name in self.source.entries if isinstance(name, str) and name not in taken]

    def inner_name(self, name: str) -> str | None:
        """A name of the state dict without prefix and wrappers; None where it stands elsewhere."""
        plain = plain_name(name)
        return plain[len(self.prefix) :] if plain.startswith(self.prefix) else None

    def state(self, network: nn.Module) -> dict[str, Any]:
        """The entries under the network's names, with the versions of modules that torch keeps beside them.

        Where names are missing, all entries behind the prefix: the network may know them by older names.
        """
        state = OrderedDict((own, self.source.entries[name]) for own, name in self.names.items())
        if not self.complete:
            inner = {self.inner_name(name): name for name in self.aside}
            state.update((own, self.source.entries[name]) for own, name in inner.items() if own is not None)
        versions = getattr(self.source.entries, "_metadata", None)
        if versions is not None:
            by_path = {plain_name(f"{path}."): version for path, version in versions.items()}
            state._metadata = {  # type: ignore[attr-defined]
                name: by_path[path]
                for name, _ in network.named_modules()
                if (path := self.prefix + (plain_name(f"{name}.") if name else "")) in by_path
            }
        return state


def find_state_dicts(content: Any, key: str = "", depth: int = 0) -> Iterator[StateDict]:
    """All dicts of a file's content that name tensors, the outer ones first."""
    if not isinstance(content, Mapping) or depth > DEEPEST:
        return
    if any(isinstance(value, Tensor) for name, value in content.items() if isinstance(name, str)):
        yield StateDict(key, content)
    for name, value in content.items():
        if isinstance(name, str):
            yield from find_state_dicts(value, f"{key}.{name}" if key else name, depth + 1)


def find_fits(source: StateDict, own: Mapping[str, Any]) -> list[Fit]:
    """Where all of a network's names stand in a state dict; the place that comes nearest, where they never do.

    Args:
        source: the state dict.
        own: the network's own.
    """
    for wrappers in (WRAPPERS, WRAPPERS[:-1], ()):  # fewer, where two names would become one
        ours, theirs = _by_plain_name(own, wrappers), _by_plain_name(source.entries, wrappers)
        if ours is not None and theirs is not None:
            break
    assert ours is not None
    assert theirs is not None
    counts = Counter(prefix for name in theirs for prefix in _prefixes(name, ours))
    needed = sum(name.rpartition(".")[2] not in OPTIONAL for name in ours)
    fits = [_fit(source, prefix, ours, theirs, own) for prefix, count in counts.items() if count >= needed]
    if complete := [fit for fit in fits if fit.complete]:
        return complete
    return [_fit(source, prefix, ours, theirs, own) for prefix, _ in counts.most_common(1)]


def _fit(
    source: StateDict, prefix: str, ours: Mapping[str, str], theirs: Mapping[str, str], own: Mapping[str, Any]
) -> Fit:
    names = {name: theirs[prefix + plain] for plain, name in ours.items() if prefix + plain in theirs}
    fitting = {name for name, their in names.items() if _same_shape(own[name], source.entries[their])}
    needed = {name for name in own if name.rpartition(".")[2] not in OPTIONAL}
    return Fit(source, prefix, names, needed <= fitting)


def _same_shape(own: Any, value: Any) -> bool:
    return isinstance(own, Tensor) and isinstance(value, Tensor) and own.shape == value.shape


def _prefixes(name: str, ours: Mapping[str, str]) -> Iterator[str]:
    """What stands in a name before each of its ends that is a name of the network."""
    at = 0
    while at >= 0:
        if name[at:] in ours:
            yield name[:at]
        at = name.find(".", at) + 1 or -1


def _by_plain_name(names: Iterable[Any], wrappers: tuple[str, ...]) -> dict[str, str] | None:
    """Names by what they are without parts that wrappers have put in; None where two would be one."""
    texts = [name for name in names if isinstance(name, str)]
    plain = {plain_name(name, wrappers): name for name in texts}
    return plain if len(plain) == len(texts) else None


def plain_name(name: str, wrappers: tuple[str, ...] = WRAPPERS) -> str:
    """A name without the parts that wrappers have put in."""
    return ".".join(part for part in name.split(".") if part not in wrappers)
