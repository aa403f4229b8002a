"""The composed configuration: where it lies, and how its pieces are built."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

from featviz.config.model_settings import model_settings
from featviz.config.quoting import keep_all, literals, quoted

if TYPE_CHECKING:
    from omegaconf import DictConfig


LONGEST = 120  # bytes of a job's settings in its folder's name; file systems take 255, and numbers come before


def config_dir() -> Path:
    """The folder ``conf``: inside the package in an installed wheel, beside ``src`` in a checkout."""
    inside = Path(__file__).parents[1] / "conf"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[3] / "conf"


def group_options(group: str) -> list[str]:
    """The options of a group of ours, those of single recipes (``paper/captum``) included."""
    files = [file for pattern in ("*.yaml", "paper/*.yaml") for file in (config_dir() / group).glob(pattern)]
    return sorted(file.relative_to(config_dir() / group).with_suffix("").as_posix() for file in files)


def register_resolvers() -> None:
    """Make known what our configurations compute.

    ``${models_at_hand:}`` is what a sweep over models takes, ``${grace_hopper:}`` a photo, ``${job_folder:TEXT}`` a
    job's overrides as its folder is named, ``${folder_name:TEXT}`` as 0.1.0 named it, whose sweeps go on, and
    ``${featviz_version:}`` the version that runs.
    """
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("models_at_hand", lambda: ",".join(models_at_hand()), replace=True)
    OmegaConf.register_new_resolver("grace_hopper", grace_hopper, replace=True)
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
    OmegaConf.register_new_resolver("featviz_version", lambda: version("featviz"), replace=True)


def grace_hopper() -> str:
    """The portrait of Grace Hopper among matplotlib's sample data."""
    from importlib.util import find_spec

    spec = find_spec("matplotlib")
    assert spec is not None  # one of our own dependencies
    return str(Path(next(iter(spec.submodule_search_locations or ())), "mpl-data/sample_data/grace_hopper.jpg"))


def job_folder(text: str) -> str:
    """The overrides of a job as the name of its folder, without the groups of settings.

    TensorBoard cuts long names: what differs should stand as near to the beginning as can be.

    Example:
        >>> job_folder("layer=layer4,optimizer.lr=0.02")
        'layer=layer4,lr=0.02'
        >>> job_folder("image.size=64,schedule.size=128")
        'image.size=64,schedule.size=128'
    """
    keys = re.findall(r"(?:^|,)([A-Za-z_][\w.]*)=", text)
    last = [key.rpartition(".")[2] for key in keys]
    for key, short in zip(keys, last, strict=True):
        if last.count(short) == 1:
            text = re.sub(rf"(^|,){re.escape(key)}=", rf"\g<1>{short}=", text, count=1)
    return folder_name(text)


def folder_name(text: str) -> str:
    """A text as the name of one folder: no separators, no quotes; a long one is its start and a number that stays."""
    plain = re.sub(r"'([^',]*)'", r"\1", text).replace("/", "_").replace("\\", "_")
    if len(plain.encode()) <= LONGEST:
        return plain
    return f"{plain.encode()[: LONGEST - 9].decode(errors='ignore')}~{sha256(text.encode()).hexdigest()[:8]}"


def models_at_hand() -> list[str]:
    """The models of ``conf/model`` whose pretrained weights are installed or have been downloaded."""
    from hydra.utils import get_method
    from omegaconf import OmegaConf

    ready = []
    for file in sorted((config_dir() / "model").glob("*.yaml")):
        node = _with_base(file)
        if any(OmegaConf.is_missing(node, name) for name in ("name", "target", "members")):
            continue  # the open ones: any of a library's, one's own, several of these
        module = node._target_.rpartition(".")[0]
        if get_method(f"{module}.at_hand")(**({"name": node.name} if "name" in node else {})):
            ready.append(file.stem)
    return ready


def _with_base(file: Path) -> DictConfig:
    """An option, with what it inherits from the options beside it that its defaults name."""
    from omegaconf import OmegaConf

    node = cast("DictConfig", OmegaConf.load(file))
    bases = [base for base in node.pop("defaults", []) if base != "_self_"]
    merged = OmegaConf.merge(*(_with_base(file.with_name(f"{base}.yaml")) for base in bases), node)
    return cast("DictConfig", merged)


def compose_default(overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration of the command line with these overrides, also inside a program that uses Hydra itself.

    Options of the folders that the running command has beside ours (``--config-dir``) can be chosen too.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register_resolvers()
    own = ",".join(map(quoted, _own_folders()))
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            typed = keep_all(list(model_settings(overrides)))
            return compose("config", [*typed, *([f"hydra.searchpath=[{own}]"] if own else [])])
    finally:
        GlobalHydra.instance().hydra = running


def _own_folders() -> list[str]:
    from hydra.core.hydra_config import HydraConfig

    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    return [f"{source.schema}://{source.path}" for source in sources if source.provider == "command-line"]


def in_sweep() -> bool:
    """Whether this is one job of a Hydra multirun."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def resolved_yaml(cfg: DictConfig) -> str:
    """A configuration as YAML without interpolations, from which the same one can be created."""
    from omegaconf import OmegaConf

    text = OmegaConf.to_yaml(cfg, resolve=True)
    if "${" not in text:
        return text
    return OmegaConf.to_yaml(OmegaConf.create(literals(OmegaConf.to_container(cfg, resolve=True))))
