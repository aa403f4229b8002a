"""Networks compared from Python: :func:`featviz.compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from featviz.config.python_values import folder_path, layer_setting, paths_setting
from featviz.config.selection import NETWORKS
from featviz.errors import FeatvizError
from featviz.models.model import Model
from featviz.runs.python_calls import DEFAULT, configured, model_of, one_at_a_time
from featviz.tasks.compare.networks import labels_of, load_network
from featviz.tasks.compare.task import Comparison, compare_models


@one_at_a_time
def compare(
    models: Sequence[str | Path | nn.Module | Model],
    data: str | Path | Sequence[str | Path],
    layer: str | Sequence[str] = "layer4",
    model: str = DEFAULT,
    by: str = "mean",
    limit: int | None = None,
    recipe: str = "clear",
    seed: int = 0,
    output: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Comparison:
    """What has changed between networks: which units are which, how far each has moved, how alike all layers are.

    Args:
        models: two or more: checkpoints of ``model``, models' names, or networks; the first is compared with each of
            the others.
        data: a folder of photos with its subfolders, a file, or several.
        layer: module or stage name, or several; ``overrides=["compare.other_layer=..."]`` names that of the others.
        model: the name of the model that checkpoints are of.
        by: what stands for a unit's answer to a photo: the ``mean`` of its feature map, or ``max``.
        limit: so many photos, evenly spaced in order of name.
        recipe: of the pictures of the most changed units.
        seed: of the pictures.
        output: folder for tables, plots, pictures and pages; nothing is written without one.
        overrides: any other setting as on the command line, ``["compare.pictures=0"]``.

    Returns:
        ``matches``, a line for each unit with its partner, status and correlation; ``cka``, {label: (layers, layers)}.

    Raises:
        FeatvizError: something of this does not exist, a checkpoint does not fit, or no photo can be read.
    """
    if isinstance(models, str | Path):
        raise FeatvizError(setting="models", got=models, expected=NETWORKS)
    labels = labels_of(models)
    settings = {
        "models": [str(one) if isinstance(one, str | Path) else name for one, name in zip(models, labels, strict=True)],
        "data": paths_setting("data", data),
        "layer": layer_setting(layer),
        "by": by,
        "limit": limit,
        "seed": seed,
    }
    cfg, _ = configured(model, settings, overrides, "task=compare", f"recipe={recipe}")
    built = [load_network(cfg, str(o)) if isinstance(o, str | Path) else model_of(o, cfg) for o in models]
    return compare_models(cfg, folder_path("output", output), dict(zip(labels, built, strict=True)))
