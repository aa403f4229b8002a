"""Whether the folder of a run is of the same run, by its configuration: nothing here imports torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from featviz.config.quoting import plain_texts
from featviz.config.version import check_version
from featviz.errors import FeatvizError, one_line
from featviz.reading import read_yaml_text
from featviz.results.typed_words import typed_pair

Value = TypeVar("Value")

TYPED = ".hydra/overrides.yaml"  # what was typed on the command line, as Hydra keeps it
BEGINS = "the folder of a run that has begun (hydra.run.dir= begins one, and goes on there when it is typed again)"

#: What may differ between a run and its continuation: it does not change pictures beyond the rounding of a device.
WITHOUT_EFFECT = (
    *("version", "resume", "output", "name", "batch_size", "shard", "compile", "keep_checkpoints"),
    *("frames", "callbacks", "logger", "exemplars", "evidence", "report", "relations"),
    *("search.trials", "search.unseen"),
    *("trainer.accelerator", "trainer.devices", "trainer.enable_progress_bar", "trainer.enable_model_summary"),
    *("trainer.log_every_n_steps", "trainer.default_root_dir", "trainer.profiler"),
)


#: A configuration as plain values. That of a folder is data: nothing in it is looked up, computed or built.
Config = Mapping[str, Any]


def check_same_run(cfg: DictConfig, folder: Path, without: Collection[str] = (), typed: Iterable[str] = ()) -> Config:
    """The configuration in ``folder``; FeatvizError, with what differs, where it is not that of the same run.

    Settings ``without``, and what is below them, are not compared. Those that were ``typed`` now, or for the earlier
    run, are told first.
    """
    earlier, later = read_config(folder, "resume" if cfg.get("resume") else "folder"), plain(cfg)
    if not (differ := differences(earlier, later, [*typed, *_typed_first(folder)], without)):
        return earlier
    if cfg.get("resume"):
        raise _of_another_run(folder, differ)
    raise FeatvizError(f"{folder} holds another run: {differ}", got=differ, expected="another folder")


def check_same_command(folder: Path, typed: Iterable[str]) -> None:
    """Raise FeatvizError where a run that ended before it wrote its configuration was begun by another command."""
    if not (folder / TYPED).is_file():  # it ended before Hydra had written that
        return
    before, now = (_settings_of(words) for words in (_typed_first(folder), typed))
    differ = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if differ:
        words = (f"{name} was {_said(before.get(name))} and is {_said(now.get(name))}" for name in differ[:3])
        raise _of_another_run(folder, ", ".join(words))


def _settings_of(typed: Iterable[str]) -> dict[str, str]:
    """What was typed by the names of settings, but for what does not change pictures."""
    return {name: value for name, value in map(typed_pair, typed) if not _has_no_effect(name)}


def _said(value: str | None) -> str:
    return "not typed" if value is None else value


def _of_another_run(folder: Path, differ: str) -> FeatvizError:
    expected = "the run's own command, all of it, with resume= behind it"
    what = f"resume={folder} is another run: {differ}"
    return FeatvizError(what, setting="resume", got=differ, expected=expected)


def _typed_first(folder: Path) -> list[str]:
    """What was typed for the run in a folder, where that was on the command line: Hydra keeps it."""
    try:
        typed = yaml.safe_load(read_yaml_text(folder / TYPED))
    except (FeatvizError, YAMLError):
        return []
    return [text for text in typed if isinstance(text, str)] if isinstance(typed, list) else []


def plain(cfg: DictConfig) -> Config:
    """A configuration of the user's own, with all references resolved."""
    return cast(Config, OmegaConf.to_container(cfg, resolve=True))


def read_config(folder: Path, setting: str) -> Config:
    """The configuration in a folder that ``setting`` names; FeatvizError where there is none."""
    path = folder / "config.yaml"
    if not path.is_file():
        beside = [other.name for other in folder.parent.glob("*") if (other / "config.yaml").is_file()]
        missing = "config.yaml of a run" if folder.is_dir() else "such folder"
        raise FeatvizError(
            f"{setting}={folder}: there is no {missing}",
            setting=setting,
            got=folder.name,
            expected=BEGINS if setting == "resume" else "",
            known=beside or None,
        )
    try:
        content = OmegaConf.to_container(OmegaConf.create(read_yaml_text(path)), resolve=False)
    except FeatvizError as error:
        raise error.of_setting(setting) from error
    except (YAMLError, OmegaConfBaseException, ValueError) as error:
        what = f"{setting}: cannot read {path}: {one_line(error)}"
        raise FeatvizError(what, setting=setting, got=str(path)) from error
    if not isinstance(content, dict) or not content or not all(isinstance(name, str) for name in content):
        raise FeatvizError(f"{setting}: {path} holds no configuration", setting=setting, got=str(path))
    check_version(folder, setting)
    return cast(Config, plain_texts(content))


def value_at(config: Config, name: str, kind: type[Value], setting: str) -> Value:
    """The value of this dotted name; FeatvizError where there is none, or it is of another type than ``kind``."""
    value: Any = config
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        what = f"{setting}: a config.yaml has no {name}, or one that cannot be used: {value}"
        raise FeatvizError(what, setting=setting, got=value)
    return value


def differences(earlier: Config, later: Config, typed: Iterable[str] = (), without: Collection[str] = ()) -> str:
    """What makes two runs' pictures differ, in words; empty where nothing does.

    Of settings and groups that were ``typed`` (``layer=layer3``, ``model=own``) it is told first; what Hydra keeps in a
    group beside its settings, ``model._target_``, only where nothing else differs. Settings ``without`` do not count.
    """
    before, now = _compared(earlier, without), _compared(later, without)
    names = {typed_pair(text)[0] for text in typed}
    differ = sorted(
        (name for name in {*before, *now} if before.get(name) != now.get(name)),
        key=lambda name: (name not in names, name.partition(".")[0] not in names, name),
    )
    differ = [name for name in differ if not _is_private(name)] or differ
    words = [f"{name} was {before.get(name)} and is {now.get(name)}" for name in differ[:3]]
    return ", ".join([*words, f"and {len(differ) - 3} more"] if len(differ) > 3 else words)


def _is_private(name: str) -> bool:
    return any(part.startswith("_") for part in name.split("."))


def _compared(config: Config, without: Iterable[str]) -> dict[str, Any]:
    """The settings by which two runs are the same or not, by dotted name."""
    return {name: value for name, value in _flat(config).items() if not _has_no_effect(name, without)}


def _has_no_effect(name: str, more: Iterable[str] = ()) -> bool:
    return any(name == free or name.startswith(f"{free}.") for free in (*WITHOUT_EFFECT, *more))


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Settings by dotted name; the head that makes config.yaml a configuration is not one."""
    if not isinstance(node, Mapping) or not node:
        return {prefix.rstrip("."): node}
    flat: dict[str, Any] = {}
    for name, value in node.items():
        if prefix or name != "defaults":
            flat |= _flat(value, f"{prefix}{name}.")
    return flat
