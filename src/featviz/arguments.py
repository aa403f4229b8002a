"""What people type, as Hydra takes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from featviz.config import config_dir

LISTS = ("layer", "filters")  # settings that take several values in one run
MULTIRUN = ("-m", "--multirun")


def as_hydra_takes_them(arguments: Sequence[str]) -> list[str]:
    """Write a photo and lists as Hydra wants them; everything else stays as it is.

    For ``task=top_filters``, ``image=photo.jpg`` becomes ``photo='photo.jpg'``, since ``image`` is a group of
    parametrisations. In a single run ``layer=layer3,layer4`` becomes ``layer=[layer3,layer4]``.
    """
    takes_photos = any(argument.lstrip("+") in ("task=top_filters", "experiment=photo") for argument in arguments)
    taken = [_as_photo(argument) if takes_photos else argument for argument in arguments]
    experiments = {argument.lstrip("+") for argument in arguments if argument.lstrip("+").startswith("experiment=")}
    sweeps = set(MULTIRUN) & set(arguments) or experiments - {"experiment=photo"}
    return taken if sweeps else [_as_list(argument) for argument in taken]


def _as_list(argument: str) -> str:
    name, equals, value = argument.partition("=")
    several = name in LISTS and "," in value and not re.match(r"""[\[{"']""", value)
    return f"{name}{equals}[{value}]" if several else argument


def _as_photo(argument: str) -> str:
    name, _, value = argument.partition("=")
    options = {file.stem for file in (config_dir() / "image").glob("*.yaml")}
    if name != "image" or value in options or not _paths(value):
        return argument
    quoted = [f"'{path}'" for path in (part.replace("\\", "\\\\").replace("'", "\\'") for part in _paths(value))]
    return f"photo={quoted[0]}" if len(quoted) == 1 else f"photo=[{','.join(quoted)}]"


def _paths(value: str) -> list[str]:
    """The paths that a value names: one, or several with commas between; empty where it looks like none."""
    if Path(value).expanduser().exists():
        return [value]
    parts = [part.strip() for part in value.strip("[]").split(",")]
    return parts if all(part and ("." in part or "/" in part) for part in parts) else []
