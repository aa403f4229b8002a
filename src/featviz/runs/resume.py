"""Going on with a run: whether a folder is of the same run, what is done there, and what was saved of what is not."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, cast

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from featviz.config.version import check_version
from featviz.errors import FeatvizError, one_line
from featviz.optim.visualizer import FilterVisualizer
from featviz.reading import inside, read_array, read_yaml_text
from featviz.results.completion import is_whole_png
from featviz.results.files import remove
from featviz.results.folder import BESIDE, RunFolder, read_rows
from featviz.results.frames import frames_folder, is_frame, is_whole_webp
from featviz.results.rows import Row, key_of
from featviz.results.tensors import load_tensors

log = logging.getLogger(__name__)

Value = TypeVar("Value")

CHECKPOINT = "image.ckpt"
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


def check_same_run(
    cfg: DictConfig, folder: RunFolder, without: Collection[str] = (), typed: Iterable[str] = ()
) -> Config:
    """The configuration in ``folder``; FeatvizError, with what differs, where it is not that of the same run.

    Settings ``without``, and what is below them, are not compared. Those that were ``typed`` now, or for the earlier
    run, are told first.
    """
    earlier, later = read_config(folder, "resume" if cfg.get("resume") else "folder"), plain(cfg)
    if not (differ := differences(earlier, later, [*typed, *_typed_first(folder)], without)):
        return earlier
    if cfg.get("resume"):
        raise _of_another_run(folder, differ)
    raise FeatvizError(f"{folder.path} holds another run: {differ}", got=differ, expected="another folder")


def check_same_command(folder: RunFolder, typed: Iterable[str]) -> None:
    """Raise FeatvizError where a run that ended before it wrote its configuration was begun by another command."""
    if not (folder.path / TYPED).is_file():  # it ended before Hydra had written that
        return
    before, now = (_settings_of(words) for words in (_typed_first(folder), typed))
    differ = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if differ:
        words = (f"{name} was {_said(before.get(name))} and is {_said(now.get(name))}" for name in differ[:3])
        raise _of_another_run(folder, ", ".join(words))


def _settings_of(typed: Iterable[str]) -> dict[str, str]:
    """What was typed by the names of settings, but for what does not change pictures."""
    pairs = (text.lstrip("+~").partition("=") for text in typed)
    return {name: value for name, _, value in pairs if not _has_no_effect(name)}


def _said(value: str | None) -> str:
    return "not typed" if value is None else value


def _of_another_run(folder: RunFolder, differ: str) -> FeatvizError:
    expected = "the run's own command, all of it, with resume= behind it"
    what = f"resume={folder.path} is another run: {differ}"
    return FeatvizError(what, setting="resume", got=differ, expected=expected)


def _typed_first(folder: RunFolder) -> list[str]:
    """What was typed for the run in a folder, where that was on the command line: Hydra keeps it."""
    try:
        typed = yaml.safe_load(read_yaml_text(folder.path / TYPED))
    except (FeatvizError, YAMLError):
        return []
    return [text for text in typed if isinstance(text, str)] if isinstance(typed, list) else []


def plain(cfg: DictConfig) -> Config:
    """A configuration of the user's own, with all references resolved."""
    return cast(Config, OmegaConf.to_container(cfg, resolve=True))


def read_config(folder: RunFolder, setting: str) -> Config:
    """The configuration in a folder that ``setting`` names; FeatvizError where there is none."""
    path = folder.path / "config.yaml"
    if not path.is_file():
        beside = [other.name for other in folder.path.parent.glob("*") if (other / "config.yaml").is_file()]
        missing = "config.yaml of a run" if folder.path.is_dir() else "such folder"
        raise FeatvizError(
            f"{setting}={folder.path}: there is no {missing}",
            setting=setting,
            got=folder.path.name,
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
    check_version(folder.path, setting)
    return cast(Config, content)


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
    names = {text.partition("=")[0].lstrip("+~") for text in typed}
    differ = sorted(
        (name for name in {*before, *now} if before.get(name) != now.get(name)),
        key=lambda name: (name not in names, name.partition(".")[0] not in names, name),
    )
    differ = [name for name in differ if not _is_private(name)] or differ
    words = [f"{name} was {before.get(name)} and is {now.get(name)}" for name in differ[:3]]
    return ", ".join([*words, f"and {len(differ) - 3} more"] if len(differ) > 3 else words)


def _is_private(name: str) -> bool:
    return any(part.startswith("_") for part in name.split("."))


def finished_rows(folder: RunFolder, broken: Collection[str] = ()) -> list[Row]:
    """The rows of pictures that are done, each once, in their place and whole, and not among the ``broken`` ones.

    A picture of which a frame is broken is made again, and its frames with it.
    """
    table = folder.path / "results.csv"
    rows = {key_of(row): row for row in (read_rows(table) if table.is_file() else [])}.values()
    lost = {str(PurePosixPath(name).parent) for name in broken if is_frame(name)}
    whole = [row for row in rows if not row["image"] or (row["image"] not in broken and _is_whole(folder, row))]
    return [row for row in whole if not row["image"] or frames_folder(row["image"]) not in lost]


def _is_whole(folder: RunFolder, row: Row) -> bool:
    """Whether a row's picture is there, and neither cut short nor damaged."""
    path = inside(folder.path, row["image"])
    values, film = (path.with_suffix(ending) for ending in BESIDE)
    try:
        if values.is_file():
            read_array(values)
        if film.is_file() and not is_whole_webp(film):
            return False
        return path.is_file() and is_whole_png(path)
    except (OSError, ValueError):
        return False


#: What reading a damaged or foreign file raises.
DAMAGED = (OSError, EOFError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError)


@dataclass(frozen=True)
class SavedImage:
    """A checkpoint of unfinished pictures."""

    path: Path
    content: dict[str, Any]

    @property
    def steps(self) -> int:
        """How many steps had been done."""
        steps: int = self.content["featviz"]["steps_done"]
        return steps

    def put_into(self, visualizer: FilterVisualizer) -> None:
        """Bring the pictures to where they were, without their optimizer."""
        visualizer.on_load_checkpoint(self.content)
        visualizer.load_state_dict(self.content["state_dict"], strict=False)


def checkpoint_path(folder: RunFolder, chunk: str) -> Path:
    """Where the checkpoint of pictures that are made together lies."""
    return folder.path / "checkpoints" / chunk / CHECKPOINT


def drop_checkpoints(folder: RunFolder) -> None:
    """Remove the checkpoints of all pictures: they are finished."""
    for path in (folder.path / "checkpoints").glob(f"*/{CHECKPOINT}"):
        remove(path)
        with suppress(OSError):  # it holds what another callback has written
            path.parent.rmdir()
    with suppress(OSError):
        (folder.path / "checkpoints").rmdir()


def checkpoint_of(path: Path, visualizer: FilterVisualizer) -> SavedImage | None:
    """The checkpoint at ``path``, if it is of the same pictures; else None, which is said where one lies there."""
    if not path.is_file():
        return None
    try:
        checkpoint = load_tensors(path)
        saved = checkpoint["featviz"]
        same = saved["pictures"] == visualizer.picture_ids
        int(saved["steps_done"])
    except DAMAGED as error:
        log.warning("%s cannot be read, its pictures are made again: %s", path, one_line(error))
        return None
    if not same:
        log.info("%s is of other pictures than are made together now, these are made again", path)
    return SavedImage(path, checkpoint) if same else None


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
