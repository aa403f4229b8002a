"""NMF, PCA and k-means: what they find again of what was planted, and what they refuse."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from featviz.errors import FeatvizError
from featviz.photos.concepts.decompositions import by_kmeans, by_nmf, by_pca
from featviz.photos.concepts.positions import Rows
from featviz.photos.concepts.quality import codes_of, in_order, quality_of

ATOMS, CHANNELS = 5, 16


def planted(signed: bool) -> tuple[Rows, np.ndarray]:
    """Sums of few of five directions, and these."""
    random = np.random.default_rng(0)
    directions = random.normal(size=(ATOMS, CHANNELS)) if signed else random.random((ATOMS, CHANNELS)) ** 4
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    codes = random.random((2000, ATOMS)) * (random.random((2000, ATOMS)) < 0.3)
    return (codes @ directions).astype(np.float32), directions


@pytest.mark.parametrize("signed", [False, True])
def test_nmf_finds_the_directions_that_activations_are_sums_of(signed: bool) -> None:
    rows, directions = planted(signed)
    found = by_nmf(rows, ATOMS, 0)
    likeness = directions @ found.W_dec.numpy().T
    assert (likeness.max(1) > 0.9).all()
    assert quality_of(found, rows).r2 > 0.95
    assert bool((found.W_dec < -1e-3).any()) == signed


def test_principal_components_are_those_of_scikit_learn() -> None:
    rows, _ = planted(signed=True)
    found, reference = by_pca(rows, 3), PCA(3).fit(rows)
    np.testing.assert_allclose(np.abs(found.W_dec.numpy() @ reference.components_.T), np.eye(3), atol=1e-2)
    codes = codes_of(found.encoder(), torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(np.abs(codes), np.abs(reference.transform(rows)), atol=1e-2)
    expected = reference.explained_variance_ratio_.sum()
    assert quality_of(found, rows).r2 == pytest.approx(expected, abs=1e-3)
    with pytest.raises(FeatvizError) as refused:
        by_pca(rows, CHANNELS + 1)
    assert refused.value.setting == "concepts"


def test_centroids_are_those_of_the_clusters() -> None:
    random = np.random.default_rng(0)
    centers = 5 * random.normal(size=(ATOMS, CHANNELS))
    rows = (centers.repeat(200, 0) + 0.1 * random.normal(size=(1000, CHANNELS))).astype(np.float32)
    found = by_kmeans(rows, ATOMS, 0)
    distances = np.linalg.norm(centers[:, None] - found.W_dec.numpy(), axis=2)
    assert (distances.min(1) < 0.1).all()
    nearest = codes_of(found.encoder(), torch.from_numpy(rows)).argmax(1)
    assert all(len(set(nearest[at : at + 200].tolist())) == 1 for at in range(0, 1000, 200))


def test_concepts_are_numbered_by_what_they_contribute() -> None:
    rows, _ = planted(signed=False)
    found = by_nmf(rows, ATOMS, 0)
    ordered, quality = in_order(found, quality_of(found, rows))
    assert quality.shares.tolist() == sorted(quality.shares.tolist(), reverse=True)
    assert quality.shares.sum().item() == pytest.approx(1)
    again = quality_of(ordered, rows)
    for name in ("shares", "active", "means", "largest"):
        torch.testing.assert_close(getattr(again, name), getattr(quality, name), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("find", [by_nmf, by_kmeans])
def test_the_same_seed_gives_the_same_concepts(find: object) -> None:
    rows, _ = planted(signed=True)
    assert callable(find)
    assert torch.equal(find(rows, 3, 1).W_dec, find(rows, 3, 1).W_dec)
