"""Settings whose values are text, names and paths, are kept as typed: Hydra would read ``1.10`` as the number 1.1."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

from featviz.errors import FeatvizError
from featviz.reading import expanded


class Kind(Enum):
    """How many texts a setting takes."""

    ONE = "one"
    SEVERAL = "several"  # also in one run, with commas between
    BY_NAME = "by name"  # {name:text}
    OR_NUMBERS = "or numbers"  # lists are of numbers
    OR_NUMBER = "or a number"  # unless there is a file of that name; with commas between in a sweep
    SEVERAL_OR_SETTINGS = "several, or settings"  # in a list of {name:value}


#: The settings that are text, by dotted name; ``*`` stands for one part of it, ``**`` for any number of them, or none.
TEXT: dict[str, Kind] = {
    "layer": Kind.SEVERAL,
    "output": Kind.ONE,
    "name": Kind.ONE,
    "resume": Kind.ONE,
    "shard": Kind.ONE,
    "exemplars": Kind.ONE,
    "data": Kind.SEVERAL,
    "classes": Kind.SEVERAL,
    "photo": Kind.SEVERAL,
    "reference": Kind.SEVERAL,
    "runs": Kind.SEVERAL,
    "models": Kind.SEVERAL,
    "compare.other_layer": Kind.ONE,
    "into": Kind.ONE,
    "search.study": Kind.ONE,
    "search.storage": Kind.ONE,
    "model.name": Kind.ONE,
    "model.target": Kind.ONE,
    "model.weights": Kind.ONE,
    "model.weights_key": Kind.ONE,
    "model.url": Kind.ONE,
    "model.classes": Kind.SEVERAL,
    "model.stages": Kind.BY_NAME,
    "model.stages.*": Kind.ONE,
    "recipe.name": Kind.ONE,
    "image.path": Kind.ONE,
    "image.spectrum": Kind.ONE,
    "evidence.exemplars": Kind.ONE,
    "model.members": Kind.SEVERAL_OR_SETTINGS,
    "objective.**.name": Kind.ONE,
    "objective.**.layer": Kind.ONE,
    "objective.**.photo": Kind.SEVERAL,
    "objective.**.photos_from": Kind.SEVERAL,
    "objective.**.keep_layer": Kind.ONE,
    "objective.**.apart_at": Kind.ONE,
    "objective.**.alike_at": Kind.ONE,
    "objective.**.other_layer": Kind.ONE,
    "objective.**.against": Kind.OR_NUMBERS,
    "objective.**.vectors": Kind.OR_NUMBERS,
    "objective.**.level": Kind.OR_NUMBER,
    "objective.**.facets": Kind.OR_NUMBERS,
    "objective.**.facets.*": Kind.OR_NUMBERS,
    "callbacks.*.dirpath": Kind.ONE,
    "logger.*.name": Kind.ONE,
    "logger.*.project": Kind.ONE,
    "logger.*.tracking_uri": Kind.ONE,
    "logger.*.experiment": Kind.ONE,
    "logger.*.prefix": Kind.ONE,
    "logger.*.sub_dir": Kind.ONE,
    "trainer.default_root_dir": Kind.ONE,
    "hydra.run.dir": Kind.ONE,
    "hydra.sweep.dir": Kind.ONE,
}
#: What is left to Hydra's grammar where no file has that name.
PARSED = {
    Kind.OR_NUMBERS: r"\[.*|\{.*\[.*\}",  # also by name
    Kind.OR_NUMBER: r"[-+.\d]+(?:e[-+]?\d+)?(?:,[-+.\d]+(?:e[-+]?\d+)?)*",
    Kind.SEVERAL_OR_SETTINGS: r"\[\s*\{.*",
}
FOLDERS = ("output", "name", "resume", "into", "hydra.run.dir", "hydra.sweep.dir")
SWEEPS = re.compile(r"(?:choice|glob|range|interval|shuffle|sort|tag|extend_list|str)\(.*\)", re.S)
INTERPOLATION = re.compile(r"\$\{([\w.]+)(:[^{}]*)?\}")
RESOLVERS = ("oc.env", "oc.select", "now", "hydra", "featviz_version", "grace_hopper")


def quoted(text: str) -> str:
    """A text as Hydra's grammar reads it back, for certain: in quotes, and nothing in it is an interpolation.

    Example:
        >>> print(quoted("my cat's epoch=9.ckpt"), quoted("${x}"))
        'my cat\\'s epoch=9.ckpt' '\\${x}'
    """
    return _in_quotes(literal(text))


def unquoted(value: str) -> str:
    """The text of a value that may stand in quotes, as :func:`quoted` puts it there."""
    inner = re.fullmatch(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", value, re.S)
    if inner is None:
        return value
    text = re.sub(r"(\\*)\\(['\"])", lambda match: match[1][::2] + match[2], inner[1] or inner[2] or "")
    return plain_text(re.sub(r"\\+$", lambda match: match[0][::2], text))


def literal(text: str) -> str:
    r"""A text in which OmegaConf sees no interpolation: ``${x}`` becomes ``\${x}``, which stands for itself."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def plain_text(text: str) -> str:
    """The text that a :func:`literal` one stands for."""
    return re.sub(r"(\\*)\\\$\{", lambda match: match[1][::2] + "${", text)


def plain_texts(value: Any) -> Any:
    """What :func:`literals` were made from."""
    return _changed(value, plain_text)


def literals(value: Any) -> Any:
    """A plain value as a configuration can hold it: the texts in it are :func:`literal`."""
    return _changed(value, literal)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """A plain value with each of its texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _changed(part, change) for name, part in value.items()}
    return [_changed(part, change) for part in value] if isinstance(value, list) else value


def keep_text(argument: str, sweeps: bool = False) -> str:
    """An argument ``setting=value`` whose value is kept as typed, where the setting is text; others as they are.

    ``null``, texts in quotes, interpolations such as ``${now:%Y}`` and, in a sweep, functions such as ``choice(a,b)``
    mean what they mean to Hydra. Commas part several texts, unless a file of the whole name exists: in a
    sweep for one job each; otherwise for a setting that takes several.

    Example:
        >>> [keep_text("layer=1.10"), keep_text("layer=0,2"), keep_text("layer=layer3"), keep_text("seed=1.10")]
        ["layer='1.10'", "layer=['0','2']", 'layer=layer3', 'seed=1.10']
    """
    name, equals, value = argument.partition("=")
    kind = kind_of(name.lstrip("+"))
    if not equals or kind is None or value == "":
        return argument
    if name == "layer" and value.startswith("[") and not value.endswith("]"):  # a list that Hydra says is cut
        return argument
    if name in FOLDERS and re.match(r"~(/|$)", value):  # which a shell leaves as it is behind the =
        value = str(expanded(value))
    kept = _kept(value, kind, sweeps)
    if name in FOLDERS:
        check_folder(name, kept)
    return f"{name}={kept}"


def check_folder(setting: str, value: str) -> None:
    """Raise FeatvizError for a folder to write into that Hydra, which holds it in its configuration, would misread."""
    if "\\${" in value:
        text, hint = unquoted(value), "a folder that is written into cannot have ${ in its name"
        raise FeatvizError(f"{setting}={text}: {hint}", setting=setting, got=text, hint=hint)


def kind_of(setting: str) -> Kind | None:
    """How many texts a setting takes; None for one that is no text."""
    return next((kind for pattern, kind in TEXT.items() if _matches(setting.split("."), pattern.split("."))), None)


def _matches(parts: Sequence[str], words: Sequence[str]) -> bool:
    """Whether the parts of a name are those of a pattern."""
    if not parts or not words:
        return not parts and not words
    if words[0] == "**":
        return _matches(parts, words[1:]) or _matches(parts[1:], words)
    return words[0] in ("*", parts[0]) and _matches(parts[1:], words[1:])


def split_commas(value: str, separator: str = ",") -> list[str]:
    """The parts of a value between commas that stand in no brackets and no quotes, without spaces around."""
    parts, depth, quote, start, escaped = list[str](), 0, "", 0, False
    for at, letter in enumerate(value):
        if quote:
            quote = "" if letter == quote and not escaped else quote
        elif letter in "'\"" and not value[start:at].strip():
            quote = letter
        elif letter == separator and depth == 0:
            parts.append(value[start:at].strip())
            start = at + 1
        else:
            depth += (letter in "[{(") - (letter in "]})")
        escaped = letter == "\\" and not escaped
    return [*parts, value[start:].strip()]


def _kept(value: str, kind: Kind, sweeps: bool) -> str:
    if kind in PARSED and re.fullmatch(PARSED[kind], value, re.S) and not _exists(value):
        return value
    file = value.partition("@")[2]  # layer3@FILE has the concepts of a file
    if _exists(value) or (file and _exists(file)):
        return _one(value)
    if sweeps and SWEEPS.fullmatch(value):
        return _jobs(value[7:-1]) if value.startswith("choice(") else value
    if sweeps:
        return _jobs(value)
    if kind in (Kind.SEVERAL, Kind.SEVERAL_OR_SETTINGS) and len(parts := split_commas(value)) > 1 and all(parts):
        return _list(parts)
    return _one(value)


def _jobs(value: str) -> str:
    return ",".join(map(_one, split_commas(value)))


def _one(value: str) -> str:
    """One text, or a list of texts in brackets, or texts by name in braces."""
    if _means_itself(value):
        return value
    if value.startswith("[") and value.endswith("]") and not _exists(value):
        return _list([part for part in split_commas(value[1:-1]) if part])
    if re.fullmatch(r"\{[^{}]*:[^{}]*\}", value) and not _exists(value):
        pairs = (part.partition(":") for part in split_commas(value[1:-1]))
        return "{" + ",".join(f"{name.strip()}:{_one(text.strip())}" for name, _, text in pairs) + "}"
    return _in_quotes(value) if _interpolates(value) and not _exists(value) else quoted(value)


def _list(parts: Iterable[str]) -> str:
    return f"[{','.join(map(_one, parts))}]"


def _means_itself(value: str) -> bool:
    """Whether Hydra reads a value as this very text, or as the text in its quotes, or as null."""
    if value == "null" or re.fullmatch(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", value, re.S):
        return True
    return bool(re.fullmatch(r"[A-Za-z_/][\w/.-]*", value, re.A)) and value.lower() not in (
        *("true", "false", "null", "nan", "inf"),
    )


def _interpolates(value: str) -> bool:
    """Whether all that looks like an interpolation names a resolver or one of our settings."""
    roots = {setting.partition(".")[0] for setting in TEXT} | {"seed", "task"}
    inner = [(match[1], bool(match[2])) for match in INTERPOLATION.finditer(value)]
    known = all(name in RESOLVERS if resolves else name.partition(".")[0] in roots for name, resolves in inner)
    return bool(inner) and known and value.count("${") == len(inner)


def _exists(value: str) -> bool:
    try:
        return expanded(value).exists()
    except (OSError, ValueError, RuntimeError):  # too long for a name, or a user who is not there
        return False


def _in_quotes(text: str) -> str:
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * trailing}'"


def keep_all(arguments: Sequence[str], sweeps: bool = False) -> list[str]:
    """Arguments as :func:`keep_text` gives them."""
    return [keep_text(argument, sweeps) for argument in arguments]
