"""Hydra's compositions of our own folder, made once for each choice of options: they are half of a short run."""

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import omegaconf.omegaconf
import pytest
import yaml
from hydra._internal import config_loader_impl
from hydra._internal.config_repository import IConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from omegaconf import DictConfig

from featviz.config.compose import config_dir

OURS = {str(config_dir()), "hydra.conf", ""}  # beside them there may be folders of a test, whose files change


def make_once(patch: pytest.MonkeyPatch) -> None:
    """From now on what is composed again with the same options, whatever values are typed, is a copy of the first."""
    patch.setattr(omegaconf.omegaconf, "yaml", SimpleNamespace(**vars(yaml) | {"load": _read_once({})}))
    _compose_once(patch, {}, {})


def _read_once(known: dict[str, Any]) -> Any:
    def load(stream: Any, Loader: Any) -> Any:
        text = stream if isinstance(stream, str) else stream.read()
        if text not in known:
            known[text] = yaml.load(text, Loader)
        return copy.deepcopy(known[text])

    return load


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
        key = tuple((one.config_path, one.parent, one.package, one.is_self, one.primary) for one in defaults)
        if key not in composed:
            made: DictConfig = compose(self, defaults, repo)
            try:
                composed[key] = pickle.dumps(made)
            except pickle.PicklingError:  # of classes of a launcher that Hydra has imported twice
                return made
        found: DictConfig = pickle.loads(composed[key])
        return found

    patch.setattr(config_loader_impl, "create_defaults_list", create_once)
    patch.setattr(loader, "_compose_config_from_defaults_list", compose_once)


def _only_ours(repo: IConfigRepository) -> bool:
    return all(source.path in OURS for source in repo.get_sources())
