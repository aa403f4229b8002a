"""Points of an atlas in the plane: by UMAP where umap-learn is installed, by the two main axes without it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from featviz.errors import FeatvizError

Array = np.ndarray[Any, Any]

UMAP, PCA = "UMAP", "PCA"
INNER = (1.0, 99.0)  # percentiles between which a side of the plane is stretched
MARGIN = 0.1  # of that beyond them; points that are farther out lie on the border


def method_of(layout: str) -> str:
    """How points are laid out where the setting is ``auto``, ``umap`` or ``pca``.

    Raises:
        FeatvizError: umap-learn is asked for and not installed.
    """
    installed = find_spec("umap") is not None
    if layout == "umap" and not installed:
        hint = "pip install 'featviz[atlas]'"
        what = f"atlas.layout=umap needs umap-learn: {hint}"
        raise FeatvizError(what, setting="atlas.layout", got=layout, hint=hint)
    return UMAP if installed and layout != "pca" else PCA


def laid_out(vectors: Array, method: str, seed: int, neighbors: int, min_dist: float) -> Array:
    """Places (N, 2) of vectors (N, filters) in the unit square, x to the right and y down; equal for equal seeds.

    Args:
        vectors: the activations.
        method: ``UMAP`` or ``PCA``.
        seed: of UMAP.
        neighbors: of UMAP, its ``n_neighbors``.
        min_dist: of UMAP.
    """
    if method == UMAP and len(vectors) > 3:  # fewer have no graph of neighbors
        places = _umap(vectors, seed, min(neighbors, len(vectors) - 1), min_dist)
    else:
        places = main_axes(vectors)
    return stretched(places)


def main_axes(vectors: Array) -> Array:
    """The first two principal components (N, 2); each points to where its largest weight is positive."""
    centered = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    _, axes = np.linalg.eigh(centered.T @ centered)
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    places = centered @ axes
    return places if places.shape[1] == 2 else np.pad(places, ((0, 0), (0, 1)))  # of a layer with one filter


def stretched(places: Array) -> Array:
    """Places (N, 2) brought into the unit square, each side by its percentiles, so that a few far out do not rule."""
    low, high = np.percentile(places, INNER, axis=0)
    margin = (high - low) * MARGIN
    low, high = low - margin, high + margin
    width = np.where(high > low, high - low, 1.0)
    inside = np.where(high > low, (places - low) / width, 0.5)
    return inside.clip(0, 1)


@contextmanager
def _torchs_threads_kept() -> Iterator[None]:
    """Numba, where it starts its threads, gives torch a thread for each core, whatever OMP_NUM_THREADS says."""
    count = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(count)


def _umap(vectors: Array, seed: int, neighbors: int, min_dist: float) -> Array:
    """As Carter et al. 2019: by the cosine, since directions are what is drawn."""
    with _torchs_threads_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its single thread, which is what makes it repeat, and of TensorFlow
        import umap

        reducer = umap.UMAP(
            n_components=2,
            n_neighbors=neighbors,
            min_dist=min_dist,
            metric="cosine",
            random_state=np.random.RandomState(seed % 2**32),
            n_jobs=1,
        )
        places: Array = reducer.fit_transform(vectors)
    return places.astype(np.float64)
