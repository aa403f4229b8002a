"""What a run was made with, from the configuration in its folder: task, recipe, seed, settings, and its command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError, printable
from featviz.reading import read_yaml
from featviz.results.typed_words import typed_setting

#: What does not say how pictures came about.
UNSAID = (
    *("defaults", "task", "logger", "callbacks", "trainer", "hydra", "report", "search", "runs", "into", "output"),
    *("name", "resume", "version", "shard", "keep_checkpoints", "frames", "evidence", "exemplars", "relations"),
)
#: What task=exemplars goes by; the rest of its configuration is of pictures.
OF_EXEMPLARS = ("model", "layer", "filters", "data", "k", "by", "limit", "references", "seed")
ELSEWHERE = ("output", "resume", "hydra.run.dir", "hydra.sweep.dir", "into")  # where a run lies, which may change
LONGEST = 200  # characters of a setting


@dataclass(frozen=True)
class RunSettings:
    """How a run was made, as texts to be shown; empty where its folder does not say.

    ``network_words`` are what to type for the same network, None where it is one that only a program has.
    """

    name: str = ""
    task: str = ""
    recipe: str = ""
    seed: int = 0
    shard: str = ""
    command: str = ""
    network_words: str | None = None
    settings: tuple[tuple[str, str], ...] = ()


def read_settings(folder: Path, problems: list[str]) -> RunSettings:
    """Those of a run folder; what cannot be read is added to ``problems``."""
    config = _read(folder, "config.yaml", problems)
    if not isinstance(config, Mapping):
        return RunSettings()
    task = _text_at(config, "task", "name")
    used = {name: config[name] for name in OF_EXEMPLARS if name in config} if task == "exemplars" else config
    shown = [pair for name, value in used.items() if name not in UNSAID for pair in _flat(str(name), value)]
    seed = config.get("seed")
    return RunSettings(
        name=_text_at(config, "name"),
        task=task,
        recipe="" if task == "exemplars" else _text_at(config, "recipe", "name"),
        seed=seed if isinstance(seed, int) and abs(seed) < 2**53 else 0,
        shard=_text_at(config, "shard"),
        command=_command(folder, config, problems),
        network_words=_network_words(folder),
        settings=tuple(shown),
    )


def model_name(folder: Path) -> tuple[str, str]:
    """The name of the model and of its weights in a run's configuration, for a run that has no table yet."""
    config = _read(folder, "config.yaml", [])
    config = config if isinstance(config, Mapping) else {}
    name = _text_at(config, "model", "name") or _text_at(config, "model", "target").rpartition(".")[2]
    return name or "model", _text_at(config, "model", "weights")


def _read(folder: Path, name: str, problems: list[str]) -> Any:
    try:
        return read_yaml(folder / name) if (folder / name).is_file() else None
    except (FeatvizError, RecursionError):
        problems.append(f"{name} is damaged")
        return None


def _command(folder: Path, config: Mapping[str, Any], problems: list[str]) -> str:
    """What to type to make the run again: what was typed, or its ``config.yaml`` for a run from Python."""
    texts = _typed(folder, problems) or []
    if texts and "task=merge" not in texts:  # whose folder has the configuration of the whole run
        kept = [text for text in texts if typed_setting(text) not in ELSEWHERE]
        return printable(shlex.join(["python", "-m", "featviz", *kept]))
    if not _text_at(config, "model", "_target_"):  # a network that only the caller has
        return ""
    return 'python -m featviz --config-path "$PWD" --config-name config'


def _network_words(folder: Path) -> str | None:
    """What was typed of the network, as a shell takes it."""
    texts = _typed(folder, [])
    if texts is None or "task=merge" in texts:
        return None
    return printable(shlex.join(text for text in texts if typed_setting(text).partition(".")[0] == "model"))


def _typed(folder: Path, problems: list[str]) -> list[str] | None:
    """The settings of the command line, None of a run that had none."""
    typed = _read(folder, ".hydra/overrides.yaml", problems)
    return [str(text) for text in typed] if isinstance(typed, list) else None


def _text_at(config: Mapping[str, Any], *names: str) -> str:
    value: Any = config
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return printable(str(value)[:LONGEST]) if isinstance(value, str | int | float) else ""


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """A setting, or those below it, as it is typed; a piece is named by its class, as ``image``: ``FourierImage``."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            if key == "_target_":
                yield printable(name), printable(str(below).rpartition(".")[2][:LONGEST])
            elif not str(key).startswith("_"):
                yield from _flat(f"{name}.{key}", below)
    elif value is not None:
        text = ",".join(str(one) for one in value) if isinstance(value, list) else str(value)
        text = text.lower() if isinstance(value, bool) else text
        short = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
        yield printable(name), printable(f"[{short}]" if isinstance(value, list) else short)
