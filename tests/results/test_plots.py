"""Plots: every bar is whole, and filters that are classes are named."""

import io
from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from featviz.results import plots
from featviz.results.plots import INK, filter_plot, layer_matrix_plot, matrix_plot


def levels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def bars(content: bytes) -> list[int]:
    """The width of each bar in px, halfway up."""
    ink = [int(INK[at : at + 2], 16) for at in (1, 3, 5)]
    blue = np.abs(levels(content) - ink).sum(2) < 30
    line = blue[blue.sum(1).argmax()]
    edges = np.diff(np.concatenate([[0], line.astype(int), [0]])).nonzero()[0]
    return (edges[1::2] - edges[::2]).tolist()


@pytest.mark.parametrize("count", [2, 5, 10, 40])
def test_the_first_and_the_last_bar_are_as_wide_as_the_others(count: int) -> None:
    widths = bars(filter_plot([1.0] * count, [], "equal", "mean"))
    assert len(widths) == count
    assert max(widths) - min(widths) <= 2


def test_labels_of_the_highest_bars_stay_below_the_title() -> None:
    marked = levels(filter_plot([9.0, 9.0, 9.0, 1.0], [0, 1, 2], "", "mean"))
    red = (marked[..., 0] > 160) & (marked[..., 1] < 80)
    assert red.nonzero()[0].min() > 15  # px from above


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """All that is written in the plots of a test."""
    found: set[str] = set()

    def note(figure: Figure) -> bytes:
        found.update(line for text in figure.findobj(Text) for line in text.get_text().split("\n"))  # type: ignore[attr-defined]
        return b""

    monkeypatch.setattr(plots, "figure_png", note)
    return found


def test_few_bars_that_are_classes_are_named_below(texts: set[str]) -> None:
    filter_plot([1.0, 2.0, 3.0], [2], "", "mean", ["newt", "toad", "frog"])
    assert {"newt", "toad", "frog", "class"} <= texts


def test_of_many_bars_the_strongest_are_named(texts: set[str]) -> None:
    filter_plot(list(range(50)), [49, 48], "", "mean", [f"newt {number}" for number in range(50)])
    assert {"49  newt 49", "48  newt 48"} <= texts
    assert not any("newt 47" in text for text in texts)


def test_a_matrix_of_classes_names_them(texts: set[str]) -> None:
    matrix_plot(torch.eye(2), [7, 9], "two", ["newt", "a kind of toad with a long name that would not fit"])
    assert {"newt", "a kind of toad with a...", "picture of class"} <= texts
    assert "7" not in texts


def test_filters_that_are_no_classes_have_numbers(texts: set[str]) -> None:
    matrix_plot(torch.eye(2), [7, 9], "two")
    assert {"7", "9", "picture of filter"} <= texts


def test_a_matrix_of_layers_names_those_of_both_networks(texts: set[str]) -> None:
    layer_matrix_plot(torch.rand(2, 3), ["stem", "head"], ["first", "second", "third"], "alike", "CKA")
    assert {"stem", "head", "first", "second", "third", "alike", "CKA"} <= texts


@pytest.mark.parametrize("name", ["$x^2", "Ünï", "a\x1b[31mb", "w" * 80, ""])
def test_any_name_can_be_written(name: str) -> None:
    assert filter_plot([1.0, 2.0], [1], name, "mean", [name, "b"])
    assert matrix_plot(torch.eye(2), range(2), name, [name, "b"])


@pytest.mark.parametrize("marked", [[8, 9, 10], [8, 10, 20], [0, 1, 298, 299]])
def test_labels_of_neighboring_bars_do_not_cover_each_other(monkeypatch: pytest.MonkeyPatch, marked: list[int]) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(plots, "figure_png", lambda figure: figures.append(figure) or b"")
    values = np.zeros(300)
    values[marked] = 5.0 + 0.4 * np.arange(len(marked)) % 1
    filter_plot(values.tolist(), marked, "", "mean")
    FigureCanvasAgg(figures[0]).draw()
    boxes = [text.get_window_extent() for text in figures[0].axes[0].texts]
    assert len(boxes) == len(marked)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
