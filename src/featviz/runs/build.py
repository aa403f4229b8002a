"""From a configuration to a run: the one place where the settings become objects."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from featviz.config.build import build, build_model
from featviz.config.compose import resolved_yaml
from featviz.config.pieces import ONLY, check_trainer, nodes_of
from featviz.config.quoting import literals
from featviz.config.selection import filter_specs, layer_names
from featviz.config.sweeps import varied_settings
from featviz.errors import FeatvizError
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.runs.build_method import build_method
from featviz.runs.devices import Hardware
from featviz.runs.process import lightning_quiet
from featviz.runs.run import Run, Shard


def build_run(cfg: DictConfig, model: Model | None = None) -> Run:
    """Build what ``cfg`` asks for; ``model`` takes the place of ``cfg.model``.

    Raises:
        FeatvizError: something of it does not exist, or cannot be used on this machine.
    """
    shard, layers = Shard.read(cfg.shard), layer_names(cfg)
    model = model or build_model(cfg)
    method = build_method(cfg, model.size)
    hardware = hardware_of(cfg.trainer)
    run = Run(
        model=model,
        method=method,
        layers=layers,
        filters=filter_specs(cfg),
        seed=cfg.seed,
        variants=cfg.variants,
        restarts=cfg.restarts,
        batch_size=None if cfg.batch_size == "auto" else cfg.batch_size,
        shard=shard,
        resume=bool(cfg.resume),
        keep_checkpoints=cfg.keep_checkpoints,
        frames=cfg.frames,
        relations=cfg.relations,
        compile=None if cfg.compile == "auto" else cfg.compile,
        speed=speed_of(cfg),
        recipe=cfg.recipe.name,
        objective=cfg.objective.name,
        learning_rate=cfg.optimizer.get("lr"),
        varied=varied_settings(cfg),
        exemplars=Path(str(cfg.exemplars)) if cfg.get("exemplars") else None,
        hardware=hardware,
        new_trainer=partial(_new_trainer, cfg.trainer),
        new_callbacks=partial(new_callbacks, cfg.callbacks or {}),
        new_loggers=partial(new_loggers, cfg.logger or {}),
        config=resolved_yaml(cfg),
    )
    if run.compile:
        hardware.check_compiler()
    return run


def rebuild_run(config: str, model: Model | None = None) -> Run:
    """Build a run from its configuration as YAML, in another process."""
    cfg = OmegaConf.create(config)
    assert isinstance(cfg, DictConfig)
    return build_run(cfg, model)


def with_settings(config: str, settings: Mapping[str, Any], without: Sequence[str] = ()) -> str:
    """A configuration as YAML with other settings, by dotted name, and without some."""
    cfg = OmegaConf.create(config)
    assert isinstance(cfg, DictConfig)
    for name, value in settings.items():
        OmegaConf.update(cfg, name, literals(value), merge=False)
    for name in without:
        group, _, key = name.rpartition(".")
        parent = OmegaConf.select(cfg, group) if group else cfg
        if isinstance(parent, DictConfig):
            parent.pop(key, None)
    return OmegaConf.to_yaml(cfg)


def speed_of(cfg: DictConfig) -> SpeedOptions:
    """What a configuration allows to be done for speed."""
    return SpeedOptions(cfg.fold, cfg.channels_last, cfg.onednn)


def hardware_of(node: DictConfig) -> Hardware:
    """What the trainer of a configuration computes on; FeatvizError where it cannot be used."""
    check_trainer(node)
    with warnings.catch_warnings(), lightning_quiet():
        warnings.simplefilter("ignore")  # of a precision that is refused
        trainer = _new_trainer(node, (), ())
    return Hardware.of(trainer, node.get("precision"))


def _new_trainer(node: DictConfig, loggers: Sequence[Logger], callbacks: Sequence[Callback]) -> Trainer:
    # What is not said, Lightning reads from PL_TRAINER_... of the environment.
    unsaid = {name: only for name, only in ONLY.items() if name not in node and name != "plugins"}
    trainer: Trainer = build(
        node,
        "trainer",
        **unsaid,
        logger=list(loggers) or False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        plugins=[LightningEnvironment()],  # whatever SLURM or torchrun has set: a run is one process, or its own ones
    )
    return trainer


def new_callbacks(nodes: Mapping[str, DictConfig], dirpath: Path | None) -> list[Callback]:
    """The configured callbacks; those that write get ``dirpath``, and are left out where there is none."""
    callbacks: dict[str, Callback] = {}
    for name, node in nodes_of(nodes, "callbacks").items():
        if "dirpath" not in node:
            callbacks[name] = build(node, f"callbacks.{name}")
        elif dirpath:
            callbacks[name] = build(node, f"callbacks.{name}", dirpath=str(dirpath))
    _check_callbacks(callbacks)
    return list(callbacks.values())


def _check_callbacks(callbacks: Mapping[str, Any]) -> None:
    """Refuse what is no callback, and those of Lightning's that go by a number which nobody logs to the trainer.

    featviz hands its numbers to the loggers. A callback from elsewhere may log some to the trainer.
    """
    for name, callback in callbacks.items():
        if not isinstance(callback, Callback):
            setting, kind = f"callbacks.{name}._target_", type(callback).__name__
            what = f"{setting} gives a {kind}, which is no callback of Lightning's"
            raise FeatvizError(what, setting=setting, got=kind)
    if all(type(callback).__module__.startswith(("featviz.", "lightning.")) for callback in callbacks.values()):
        for name, callback in callbacks.items():
            if monitor := getattr(callback, "monitor", None):
                expected = "null: each picture is for itself, and a run has no number that stands for all of them"
                raise FeatvizError(setting=f"callbacks.{name}.monitor", got=monitor, expected=expected)


def new_loggers(nodes: Mapping[str, DictConfig], save_dir: Path) -> list[Logger]:
    """The configured loggers, which write into ``save_dir``; FeatvizError where its name is none that they can take."""
    if nodes and str(save_dir) != str(save_dir).encode(errors="replace").decode():
        raise FeatvizError(f"loggers cannot write into {save_dir}", setting="output", expected="a name in UTF-8")
    return [build(node, f"logger.{name}", save_dir=str(save_dir)) for name, node in nodes_of(nodes, "logger").items()]
