"""Hydra's compositions of our own folder, made once for each choice of options: they are half of a short run."""

import copy
import pickle
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeVar

import omegaconf._utils
import omegaconf.base
import omegaconf.omegaconf
import pytest
import yaml
from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides, ResultDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, flag_override
from omegaconf._utils import OmegaConfDumper

from featviz.config.compose import config_dir

Made = TypeVar("Made")
OURS = {str(config_dir()), "hydra.conf", ""}  # beside them there may be folders of a test, whose files change


def make_once(patch: pytest.MonkeyPatch) -> None:
    """From now on what is composed again with the same options, whatever values are typed, is a copy of the first."""
    quick = {"load": _read_once({}), "dump": _dump}
    patch.setattr(omegaconf.omegaconf, "yaml", SimpleNamespace(**vars(yaml) | quick))
    for module in (omegaconf.base, omegaconf._utils):
        patch.setattr(module, "parse", cache(omegaconf.base.parse))
    parser = OverridesParser
    patch.setattr(parser, "parse_rule", _parse_once(parser.parse_rule, {}))
    patch.setattr(ConfigRepository, "__deepcopy__", lambda self, _: copy.copy(self), raising=False)  # its sources stay
    _load_once(patch, {}, {})
    _map_choices_where_asked(patch)
    _compose_once(patch, {}, {})


def _read_once(known: dict[str, Any]) -> Any:
    def load(stream: Any, Loader: Any) -> Any:
        text = stream if isinstance(stream, str) else stream.read()
        if text not in known:
            known[text] = yaml.load(text, Loader)
        return copy.deepcopy(known[text])

    return load


class CDumper(yaml.CDumper):
    """Omegaconf's in C: of letters, digits and signs it makes the same text."""


CDumper.add_representer(str, OmegaConfDumper.str_representer)


def _dump(data: Any, Dumper: Any, **how: Any) -> str:
    shown = repr(data)
    same = Dumper is OmegaConfDumper and shown.isascii() and "\\" not in shown
    text: str = yaml.dump(data, Dumper=CDumper if same else Dumper, **how)
    return text


def _parse_once(parse: Any, known: dict[tuple[str, str], Any]) -> Any:
    def parse_once(self: OverridesParser, s: str, rule_name: str) -> Any:
        if (s, rule_name) not in known:
            known[s, rule_name] = parse(self, s, rule_name)
        return copy.deepcopy(known[s, rule_name])  # it will be changed

    return parse_once


def _load_once(patch: pytest.MonkeyPatch, read: dict[str, ConfigResult], placed: dict[Any, bytes]) -> None:
    """Make each file of ours a configuration once, and once at each place where it is put."""
    load, loader = ConfigRepository.load_config, config_loader_impl.ConfigLoaderImpl
    load_to_merge = loader._load_single_config

    def load_once(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        if not _only_ours(self):
            return load(self, config_path)
        found = read.get(config_path) or load(self, config_path)
        if found is not None:
            read[config_path] = found
        return found

    def load_to_merge_once(self: Any, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        if not _only_ours(repo):
            return load_to_merge(self, default, repo)
        key = (default.config_path, default.package, default.primary)
        return _made_once(placed, key, lambda: load_to_merge(self, default, repo))

    patch.setattr(ConfigRepository, "load_config", load_once)
    patch.setattr(loader, "_load_single_config", load_to_merge_once)


def _map_choices_where_asked(patch: pytest.MonkeyPatch) -> None:
    """Hydra makes a configuration of all choices at each node; defaults with interpolations alone read it."""
    make_map = defaults_list._create_interpolation_map

    def map_where_asked(overrides: Overrides, defaults: Any, self_added: bool) -> DictConfig:
        asked = any(one.is_interpolation() for one in defaults)
        return make_map(overrides, defaults, self_added) if asked else DictConfig({})

    patch.setattr(defaults_list, "_create_interpolation_map", map_where_asked)


def _compose_once(patch: pytest.MonkeyPatch, lists: dict[Any, DefaultsList], composed: dict[Any, bytes]) -> None:
    create, loader = config_loader_impl.create_defaults_list, config_loader_impl.ConfigLoaderImpl
    compose = loader._compose_config_from_defaults_list

    def create_once(repo: Any, config_name: Any, overrides_list: Any, **how: Any) -> DefaultsList:
        if not _only_ours(repo):
            return create(repo, config_name, overrides_list, **how)
        values = Overrides(repo, overrides_list).config_overrides
        choices = [one for one in overrides_list if one not in values and not one.is_sweep_override()]
        key = (config_name, *(one.input_line for one in choices), *how.items())
        if key not in lists:
            lists[key] = create(repo, config_name, choices, **how)
        found = lists[key]
        return DefaultsList(found.defaults, found.defaults_tree, values, found.overrides)

    def compose_once(self: Any, defaults: Any, repo: Any) -> DictConfig:
        if not _only_ours(repo):
            return compose(self, defaults, repo)
        return _made_once(composed, key_of(defaults), lambda: compose_in_two_parts(self, defaults, repo))

    def compose_in_two_parts(self: Any, defaults: Any, repo: Any) -> DictConfig:
        """Hydra's own settings, which come first, only once: each merge walks through all that there is by then."""
        ours = next(at for at, one in enumerate(defaults) if not (one.config_path or "").startswith("hydra/"))
        hydra = defaults[:ours]
        cfg = _made_once(composed, key_of(hydra), lambda: compose(self, hydra, repo))
        with flag_override(cfg, "no_deepcopy_set_nodes", True):
            cfg.merge_with(compose(self, defaults[ours:], repo))
        return cfg

    def key_of(defaults: Any) -> tuple[Any, ...]:
        return tuple((one.config_path, one.parent, one.package, one.is_self, one.primary) for one in defaults)

    patch.setattr(config_loader_impl, "create_defaults_list", create_once)
    patch.setattr(loader, "_compose_config_from_defaults_list", compose_once)


def _made_once(known: dict[Any, bytes], key: Any, make: Callable[[], Made]) -> Made:
    """What is made now, or a copy of what has been made before: it will be changed."""
    if key not in known:
        made = make()
        try:
            known[key] = pickle.dumps(made)
        except pickle.PicklingError:  # of classes of a launcher that Hydra has imported twice
            return copy.deepcopy(made)
        return made
    found: Made = pickle.loads(known[key])
    return found


def _only_ours(repo: IConfigRepository) -> bool:
    return all(source.path in OURS for source in repo.get_sources())
