"""What people type as ``filters``: numbers, ranges, names of classes. Nothing here needs the network, or torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from featviz.errors import FeatvizError

FilterSpec = int | str | Sequence[int | str]

LOGITS = "logits"  # the layer that hands out one number for each class, in any network
FORMS = "5, [0,3,9], 0-15, all or random:16"
SPAN, DRAWN = r"(\d+)(?:-(\d+))?", r"random:(\d+)"


def spec_of(specs: FilterSpec | Mapping[str, FilterSpec], layer: str) -> FilterSpec:
    """The specification of a layer's filters: the one for all layers, or its own.

    Raises:
        FeatvizError: there are some by layer, and none for this one.
    """
    if not isinstance(specs, Mapping):
        return specs
    if layer not in specs:
        what = f"filters says nothing of layer '{layer}'"
        raise FeatvizError(what, setting="filters", got=layer, known=map(str, specs))
    return specs[layer]


def parse_filters(
    spec: FilterSpec, layer: str, channels: int, seed: int = 0, classes: Sequence[str] | None = None
) -> list[int]:
    """Filter numbers from ``5``, ``[0, 3, 9]``, ``0-15``, ``all`` or ``random:16``, each once, in the order given.

    Where the filters are classes, ``classes`` are their names (empty if they are not known), which may stand for
    numbers; upper and lower case count only where names differ in nothing else.
    """
    numbers = [n for part in _parts(spec) for n in _part(part, layer, channels, seed, classes)]
    if not numbers:
        raise FeatvizError("filters is empty", setting="filters", got=spec, expected=FORMS)
    return list(dict.fromkeys(numbers))


def single_filter(setting: str, value: object) -> int | None:
    """The number of one filter, or None for null; FeatvizError, which names the setting, for other values."""
    one = value[0] if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1 else value
    if one is None or (isinstance(one, int) and not isinstance(one, bool)):
        return one
    if isinstance(one, str) and one.isdecimal():
        return int(one)
    raise FeatvizError(setting=setting, got=value, expected="the number of one filter, or null")


def check_form(spec: FilterSpec) -> None:
    """Raise FeatvizError for what can be no filters of any layer; names of classes are not expected here."""
    parts = _parts(spec)
    if not parts or not all(map(_has_form, parts)):
        raise _malformed(next((part for part in parts if not _has_form(part)), ""))


def _has_form(part: str) -> bool:
    span, drawn = re.fullmatch(SPAN, part), re.fullmatch(DRAWN, part)
    return part == "all" or bool(span and int(span[1]) <= int(span[2] or span[1])) or bool(drawn and int(drawn[1]))


def _parts(spec: FilterSpec) -> list[str]:
    parts = spec.split(",") if isinstance(spec, str) else [spec] if isinstance(spec, int) else spec
    return [str(part).strip() for part in parts]


def _part(part: str, layer: str, channels: int, seed: int, classes: Sequence[str] | None) -> Sequence[int]:
    if part == "all":
        return range(channels)
    if span := re.fullmatch(SPAN, part):
        first, last = int(span[1]), int(span[2] or span[1])
        if first <= last:
            _check_filter(last, layer, channels)
            return range(first, last + 1)
    if drawn := re.fullmatch(DRAWN, part):
        if 0 < int(drawn[1]) <= channels:
            return _drawn(int(drawn[1]), channels, seed_of(seed, layer, "filters"))
        what = f"filters={part}: {layer} has {channels} filters to draw from"
        raise FeatvizError(what, setting="filters", got=part)
    if re.fullmatch(r"-\d+", part):
        _check_filter(int(part), layer, channels)
    if classes is not None and part:
        return [_class_number(part, classes)]
    raise _malformed(part)


def _malformed(part: str) -> FeatvizError:
    what = f"malformed filters '{part}'" if part else "filters is empty"
    return FeatvizError(what, setting="filters", got=part, expected=FORMS)


def _drawn(count: int, channels: int, seed: int) -> list[int]:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return sorted(torch.randperm(channels, generator=generator)[:count].tolist())


def _class_number(name: str, classes: Sequence[str]) -> int:
    if not classes:
        hint = "say model.classes=names.txt, or give numbers, filters=[281]"
        raise FeatvizError(
            f"class '{name}': the model does not name its classes; {hint}", setting="model.classes", hint=hint
        )
    if name in classes:
        return classes.index(name)
    matches = [number for number, other in enumerate(classes) if other.lower() == name.lower()]
    if len(matches) == 1:
        return matches[0]
    if matches:
        meant = ", ".join(f"{classes[number]} ({number})" for number in matches)
        what = f"class '{name}' could be {meant}: write it just so, or its number"
        raise FeatvizError(what, setting="filters", got=name)
    raise FeatvizError(f"unknown class '{name}'", setting="filters", got=name, known=classes)


def _check_filter(number: int, layer: str, channels: int) -> None:
    if not 0 <= number < channels:
        what = f"filter {number} is out of range: {layer} has {channels} filters, 0 to {channels - 1}"
        raise FeatvizError(what, setting="filters", got=number)


def seed_of(*parts: int | str) -> int:
    """One seed from several numbers and words, the same on every machine."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
