"""Plots, drawn without a display."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

INK, MARK = "#5b7ea4", "#c0271b"


def filter_plot(values: Sequence[float], marked: Sequence[int], title: str, figure: str) -> bytes:
    """A PNG: the ``figure`` of each filter against its number, those ``marked`` pointed out with theirs.

    After the plot of anaramirli/visualizing-cnn-features.
    """
    canvas = Figure(figsize=(9, 4), dpi=110, layout="constrained")
    axes = canvas.add_subplot()
    numbers, heights = np.arange(len(values)), np.asarray(values, float)
    thickness = max(0.4, 60 / len(values))
    axes.vlines(numbers, np.minimum(heights, 0), np.maximum(heights, 0), colors=INK, linewidth=thickness)
    axes.plot(list(marked), heights[list(marked)], "o", color=MARK, markersize=5)
    for at, number in enumerate(sorted(marked)):
        axes.annotate(
            str(number),
            (number, heights[number]),
            xytext=(0, 6 + 11 * (at % 3)),  # neighbours' labels at different heights do not cover each other
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=MARK,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )
    axes.margins(x=0.01, y=0.16)
    axes.axhline(0, color="#999999", linewidth=0.6)
    axes.set(xlabel="filter", ylabel=figure, title=title)
    axes.spines[["top", "right"]].set_visible(False)
    content = io.BytesIO()
    canvas.savefig(content, format="png", metadata={"Software": "featviz"})
    return content.getvalue()
