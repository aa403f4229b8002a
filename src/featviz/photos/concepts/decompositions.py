"""Activations taken apart by scikit-learn, in batches: NMF, PCA and k-means, as dictionaries of concepts."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.dictionaries import Dictionary
from featviz.photos.concepts.positions import Rows

BATCH = 4096  # positions
NMF_BATCH, NMF_STEPS = 1024, 2000  # positions; of fewer steps much would be left unexplained
KMEANS_PASSES = 100  # over all positions, at most


def by_nmf(rows: Rows, concepts: int, seed: int) -> Dictionary:
    """Nonnegative matrix factorization (Lee and Seung 1999): activations as sums of directions, none taken away.

    Where activations are below zero too, what is above zero and what is below count as filters of their own, and a
    direction is the difference of its two halves: codes stay nonnegative, directions do not.
    """
    decomposition = _sklearn("decomposition")
    signed = bool((rows < 0).any())
    halves = np.concatenate([rows.clip(0), -rows.clip(None, 0)], axis=1) if signed else rows
    size = min(NMF_BATCH, len(halves))
    settings = {"init": "nndsvdar", "batch_size": size, "max_iter": -(-NMF_STEPS * size // len(halves))}
    model = decomposition.MiniBatchNMF(concepts, max_no_improvement=None, random_state=seed, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of passes that were not enough: the table tells how much is explained
        model.fit(halves)
    found = model.components_
    directions = _unit(found[:, : rows.shape[1]] - found[:, rows.shape[1] :] if signed else found)
    nothing = torch.zeros(concepts), torch.zeros(rows.shape[1])
    return Dictionary("nmf", directions.T, nothing[0], directions, nothing[1], "nonnegative")


def by_pca(rows: Rows, concepts: int) -> Dictionary:
    """Principal components, in order of variance; a concept's code is the projection without the mean.

    Raises:
        FeatvizError: there are more concepts than filters.
    """
    if concepts > rows.shape[1]:
        what = f"the layer has {rows.shape[1]} filters, and so many principal components at most"
        raise FeatvizError(what, setting="concepts", got=concepts, expected=f"concepts={rows.shape[1]} or less")
    model = _sklearn("decomposition").IncrementalPCA(concepts, batch_size=max(BATCH, 5 * rows.shape[1]))
    model.fit(rows)
    directions = torch.from_numpy(model.components_).float()
    mean = torch.from_numpy(model.mean_).float()
    return Dictionary("pca", directions.T, torch.zeros(concepts), directions, mean, "linear")


def by_kmeans(rows: Rows, concepts: int, seed: int) -> Dictionary:
    """Centroids of k-means (Sculley 2010, in batches); codes say how near they are."""
    cluster = _sklearn("cluster")
    size = min(BATCH, len(rows))
    model = cluster.MiniBatchKMeans(concepts, batch_size=size, max_iter=KMEANS_PASSES, n_init=3, random_state=seed)
    centroids = torch.from_numpy(model.fit(rows).cluster_centers_).float()
    nothing = torch.zeros(concepts), torch.zeros(rows.shape[1])
    return Dictionary("kmeans", centroids.T, nothing[0], centroids, nothing[1], "triangle")


def _unit(directions: np.ndarray[Any, Any]) -> Tensor:
    """Directions of length 1; one that is zero stays so."""
    found = torch.from_numpy(directions).float()
    return torch.nn.functional.normalize(found, dim=1)


def _sklearn(module: str) -> Any:
    """A part of scikit-learn; FeatvizError where it is not installed."""
    from importlib import import_module

    try:
        return import_module(f"sklearn.{module}")
    except ImportError as error:
        what = "by=nmf, pca and kmeans need scikit-learn: pip install 'featviz[concepts]'; by=sae does not"
        raise FeatvizError(what, setting="by") from error
