"""The Python interface: the same results as the command line's for the same configuration and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from featviz.config.python_values import filters_setting, folder_path, folder_paths, layer_setting, paths_setting
from featviz.errors import FeatvizError, one_line
from featviz.filters import FilterSpec
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.pages import write_site
from featviz.pages.find import folder_of_pages
from featviz.photos.exemplars import Exemplars
from featviz.results.result import Result
from featviz.runs.python_calls import DEFAULT, composed_for, configured, model_of, one_at_a_time, run_folder
from featviz.tasks.atlas.task import Atlas
from featviz.tasks.atlas.task import atlas as _atlas
from featviz.tasks.concepts.task import Concepts
from featviz.tasks.concepts.task import concepts as _concepts
from featviz.tasks.exemplars import exemplars as _exemplars
from featviz.tasks.layers import layer_rows
from featviz.tasks.same_run import folder_of_call
from featviz.tasks.top_filters import TopFilters
from featviz.tasks.top_filters import top_filters as _top_filters
from featviz.tasks.visualize import visualize as _visualize


@one_at_a_time
def visualize(
    model: str | nn.Module | Model = DEFAULT,
    layer: str | Sequence[str] | None = None,
    filters: FilterSpec | Mapping[str, FilterSpec] = "0-7",
    recipe: str = "clear",
    seed: int = 0,
    output: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Result:
    """Make the pictures of filters.

    Args:
        model: a model's name as on the command line, one's own ``nn.Module``, or a ``featviz.Model``.
        layer: module or stage name, or several; layer4 if none is given, or what the objective is made for.
        filters: ``5``, ``[0, 3, 9]``, ``"0-15"``, ``"all"``, ``"random:16"``; or a dict of these by layer.
        recipe: a recipe's name.
        seed: of the starts and the transforms.
        output: folder for PNG, table and TensorBoard; nothing is written without one.
        overrides: any other setting as on the command line, ``["schedule.steps=100", "optimizer.lr=0.02"]``.

    Returns:
        ``images`` (N, C, H, W) in [0, 1] and ``rows``, one dict a picture. Where a recipe makes smaller pictures of
        some layers (``recipe=clear``), these are enlarged here, and as they are in ``output``.

    Raises:
        FeatvizError: something of this does not exist or cannot be run.

    Example:
        >>> result = visualize(filters=[0], overrides=["schedule.steps=1", "schedule.size=64", "callbacks=none"])
        >>> result.images.shape
        torch.Size([1, 3, 64, 64])
    """
    settings = {"filters": filters_setting(filters), "seed": seed}
    settings |= {} if layer is None else {"layer": layer_setting(layer)}
    cfg, own = configured(model, settings, overrides, f"recipe={recipe}")
    return _visualize(cfg, run_folder(output), own)


@one_at_a_time
def top_filters(
    model: str | nn.Module | Model,
    photo: str | Path | Sequence[str | Path],
    layer: str | Sequence[str] = ("layer2", "layer3", "layer4"),
    n: int = 9,
    by: str = "mean",
    reference: str | Path | None = None,
    recipe: str = "clear",
    seed: int = 0,
    output: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> TopFilters:
    """From a photo to the filters that it excites most, and to their pictures.

    Args:
        model: as for :func:`visualize`.
        photo: a file, a folder, or several.
        layer: module or stage name, or several.
        n: how many filters of each layer.
        by: what they are ranked by: ``mean``, ``max``, or ``zscore`` against the photos of ``reference``.
        reference: a folder of photos.
        recipe: a recipe's name.
        seed: of the starts and the transforms.
        output: folder for tables, plots and sheets; nothing is written without one.
        overrides: any other setting as on the command line.

    Returns:
        ``photos``, each with ``values`` {layer: (filters,)}, ``ranked`` {layer: numbers} and ``classes``; and ``made``,
        the pictures as :func:`visualize` returns them.

    Raises:
        FeatvizError: something of this does not exist or cannot be read.
    """
    settings = {
        "photo": paths_setting("photo", photo),
        "layer": layer_setting(layer),
        "top": n,
        "by": by,
        "reference": str(reference) if reference else None,
        "seed": seed,
    }
    cfg, own = configured(model, settings, overrides, "task=top_filters", f"recipe={recipe}")
    return _top_filters(cfg, run_folder(output), own)


@one_at_a_time
def exemplars(
    model: str | nn.Module | Model,
    data: str | Path | Sequence[str | Path],
    layer: str | Sequence[str] = "layer4",
    filters: FilterSpec | Mapping[str, FilterSpec] = "0-7",
    k: int = 9,
    by: str = "mean",
    limit: int | None = None,
    output: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Exemplars:
    """The real photos that filters answer to most, and how their answers are spread over all photos.

    Args:
        model: as for :func:`visualize`.
        data: a folder of photos with its subfolders, a file, or several.
        layer: module or stage name, or several.
        filters: as for :func:`visualize`.
        k: how many photos of each filter; of equal ones the earlier files are kept.
        by: what makes a photo strong: the ``mean`` of the feature map, or ``max``, its strongest position.
        limit: so many photos, evenly spaced in order of name.
        output: folder for tables, patches, photos and sheets; nothing is written without one.
        overrides: any other setting as on the command line.

    Returns:
        ``strongest``, one :class:`featviz.photos.exemplars.Exemplar` for each filter and rank, whose ``patch()`` is
        what the strongest position sees, and ``weakest`` likewise; ``statistics``, for each filter and figure mean,
        std and percentiles; and ``skipped``, the files that could not be read, each with the reason.

    Raises:
        FeatvizError: something of this does not exist, or no photo can be read.
    """
    settings = {
        "data": paths_setting("data", data),
        "layer": layer_setting(layer),
        "filters": filters_setting(filters),
        "k": k,
        "by": by,
        "limit": limit,
    }
    cfg, own = configured(model, settings, overrides, "task=exemplars")
    return _exemplars(cfg, folder_of_call(cfg, output, own), own)


@one_at_a_time
def atlas(
    model: str | nn.Module | Model,
    data: str | Path | Sequence[str | Path],
    layer: str | Sequence[str] = "layer4",
    per_photo: int = 1,
    grid: int = 8,
    levels: int = 3,
    limit: int = 100_000,
    recipe: str = "clear",
    seed: int = 0,
    output: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Atlas:
    """Activation atlases: what layers answer with at positions of photos, laid out in the plane, in pictures.

    Args:
        model: as for :func:`visualize`.
        data: a folder of photos with its subfolders, a file, or several.
        layer: module or stage name, or several.
        per_photo: positions drawn from each photo.
        grid: cells along a side of the coarsest level.
        levels: how many there are at most, each with twice as many cells along a side.
        limit: so many photos at most, evenly spaced in order of name.
        recipe: of the pictures.
        seed: of positions, layout and pictures.
        output: folder for pictures, tables, sheets and TensorBoard; nothing is written without one.
        overrides: any other setting as on the command line, ``["atlas.layout=pca", "objective.cosine_power=4"]``.

    Returns:
        ``layers``, for each a :class:`featviz.photos.atlas.tables.LayerAtlas`: points, their places in the unit square,
        and cells; and ``result``, the cells' pictures as :func:`visualize` returns them.

    Raises:
        FeatvizError: something of this does not exist, no photo can be read, or there are fewer activations than cells.
    """
    settings = {
        "data": paths_setting("data", data),
        "layer": layer_setting(layer),
        "limit": limit,
        "seed": seed,
        "atlas.per_photo": per_photo,
        "atlas.grid": grid,
        "atlas.levels": levels,
    }
    cfg, own = configured(model, settings, overrides, "task=atlas", f"recipe={recipe}")
    return _atlas(cfg, run_folder(output), own)


@one_at_a_time
def concepts(
    model: str | nn.Module | Model,
    data: str | Path | Sequence[str | Path],
    layer: str | Sequence[str] = "layer4",
    n: int = 64,
    by: str = "nmf",
    limit: int | None = None,
    seed: int = 0,
    output: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Concepts:
    """Find concepts of layers: directions that their activations of photos are sums of.

    Args:
        model: as for :func:`visualize`.
        data: a folder of photos with its subfolders, a file, or several.
        layer: module or stage name, or several.
        n: how many concepts of each layer.
        by: ``nmf``, ``pca``, ``kmeans``, or ``sae``, a sparse autoencoder.
        limit: so many photos, evenly spaced in order of name.
        seed: of the positions that are drawn, and of the method.
        output: folder for the dictionaries and tables; nothing is written without one.
        overrides: any other setting as on the command line, ``["positions=50000", "k=4"]``.

    Returns:
        ``dictionaries``, for each layer a :class:`featviz.models.dictionaries.Dictionary`, and ``rows``, a dict for
        each concept. Written into ``output``, a dictionary's file is what a layer's name takes behind ``@``:
        ``layer="layer3@output/layer3_nmf.safetensors"``.

    Raises:
        FeatvizError: something of this does not exist, no photo can be read, or there are more concepts than positions.
    """
    photos = {"data": paths_setting("data", data), "layer": layer_setting(layer), "limit": limit}
    method = {"concepts": n, "by": by, "seed": seed}
    cfg, own = configured(model, {**photos, **method}, overrides, "task=concepts")
    return _concepts(cfg, folder_of_call(cfg, output, own), own)


@one_at_a_time
def layers(model: str | nn.Module | Model = DEFAULT, overrides: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The layers of a network: one dict each with layer, type, output (shape), filters, stride, stage, calls."""
    cfg, own = configured(model, {}, overrides, "task=layers")
    return layer_rows(trace(own or model_of(model, cfg)))


@one_at_a_time
def activations(
    model: str | nn.Module | Model, images: Tensor, layers: str | Sequence[str], overrides: Sequence[str] = ()
) -> dict[str, Tensor]:
    """What layers hand out for pictures (N, C, H, W) in [0, 1]: ``{name: tensor}``, each before any later module.

    The pictures are normalized by the model's mean and std first.
    """
    found = model_of(model, composed_for(model, overrides))
    if not isinstance(images, Tensor):
        raise FeatvizError(f"images is a {type(images).__name__}", setting="images", expected="a torch.Tensor")
    if images.ndim != 2 + len(found.shape) or images.shape[1] != found.in_channels:
        wanted = f"(N, {found.in_channels}, {'frames, ' * found.shape.is_film}height, width)"
        raise FeatvizError(f"images has shape {list(images.shape)}; expected {wanted}")
    backbone = Backbone(found, [layers] if isinstance(layers, str) else layers)
    try:
        with torch.no_grad():
            return backbone.outputs(backbone.resized(images.to(backbone.mean)))
    except RuntimeError as error:
        backbone.check_size(min(images.shape[2:]))
        raise FeatvizError(f"{found.name} does not take these images: {one_line(error)}") from error
    finally:
        backbone.close()


def report(runs: str | Path | Sequence[str | Path], into: str | Path | None = None, copy: bool = False) -> Path:
    """Write pages to browse, from folders of finished or unfinished runs; return the path of their ``index.html``.

    They open from the disk and need no server and no network. Runs of the same network, by the checksum of its
    weights, are put together by layer and unit: recipes, seeds, exemplars.

    Args:
        runs: the folder of a run or of a sweep, a pattern of such folders, or several of them.
        into: the folder of the pages; that of the run or sweep if none is given. Earlier pages in it are replaced.
        copy: take pictures and photos along into the folder, instead of links to those in the folders of the runs.

    Raises:
        FeatvizError: one of the folders is no run, or the pages cannot be written.
    """
    folders = folder_paths("runs", runs)
    return write_site(folders, folder_of_pages(folders, folder_path("into", into)), copy)
