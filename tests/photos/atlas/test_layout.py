"""Points in the plane."""

import numpy as np
import pytest
import torch
from refusals import refusal_of

from featviz.photos.atlas import layout
from featviz.photos.atlas.layout import PCA, UMAP, laid_out, main_axes, method_of, stretched


def groups(count: int = 60) -> np.ndarray:
    """Vectors of 12 numbers in three groups of different directions."""
    rng = np.random.default_rng(0)
    centers = np.eye(12)[[0, 4, 8]] * 5
    return (np.repeat(centers, count // 3, axis=0) + rng.normal(0, 0.3, (count, 12))).astype(np.float32)


def test_main_axes_are_those_of_the_singular_vectors() -> None:
    vectors = groups()
    places, centered = main_axes(vectors), vectors - vectors.mean(0)
    left, values, _ = np.linalg.svd(centered.astype(np.float64), full_matrices=False)
    for axis in range(2):
        expected = left[:, axis] * values[axis]
        assert min(np.abs(places[:, axis] - expected).max(), np.abs(places[:, axis] + expected).max()) < 1e-4


def test_a_layer_of_one_filter_lies_on_a_line() -> None:
    places = laid_out(np.arange(9, dtype=np.float32)[:, None], PCA, 0, 5, 0.1)
    assert places.shape == (9, 2)
    assert (places[:, 1] == 0.5).all()


def test_equal_vectors_lie_in_the_middle() -> None:
    assert (laid_out(np.ones((5, 3), np.float32), PCA, 0, 5, 0.1) == 0.5).all()


def test_points_far_out_lie_on_the_border_and_do_not_press_the_others_together() -> None:
    places = np.random.default_rng(0).uniform(0, 1, (400, 2))
    places[0] = 1000, -1000
    inside = stretched(places)
    assert inside[0].tolist() == [1, 0]
    assert np.ptp(inside[1:], axis=0).min() > 0.8
    assert inside.min() >= 0
    assert inside.max() <= 1


def make_umap_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba takes longer to compile these two than they take in plain Python; what starts its threads is compiled."""
    umap = pytest.importorskip("umap.umap_", reason="umap-learn is not installed")
    for name in ("fast_knn_indices", "smooth_knn_dist"):
        monkeypatch.setattr(umap, name, getattr(umap, name).py_func)


@pytest.mark.parametrize("method", [PCA, UMAP])
def test_equal_seeds_give_equal_places_that_keep_groups_apart(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if method == UMAP:
        make_umap_quick(monkeypatch)
    threads = torch.get_num_threads()
    one, again = (laid_out(groups(), method, 3, 10, 0.1) for _ in range(2))
    assert torch.get_num_threads() == threads
    assert one.tobytes() == again.tobytes()
    centers = one.reshape(3, 20, 2).mean(1)
    within = np.linalg.norm(one.reshape(3, 20, 2) - centers[:, None], axis=2).max()
    apart = min(np.linalg.norm(centers[a] - centers[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert apart > within


def test_umap_is_taken_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "find_spec", lambda _name: object())
    assert [method_of(setting) for setting in ("auto", "umap", "pca")] == [UMAP, UMAP, PCA]
    monkeypatch.setattr(layout, "find_spec", lambda _name: None)
    assert [method_of(setting) for setting in ("auto", "pca")] == [PCA, PCA]
    error = refusal_of(lambda: method_of("umap"))
    assert (error.setting, error.got, error.hint) == ("atlas.layout", "umap", "pip install 'featviz[atlas]'")
