"""Plots, drawn without a display."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import printable
from featviz.results.fonts import DEFAULT, drawable, font_path

# isort: split
# fonts imports matplotlib whatever backend a notebook has set
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MARK = "#5b7ea4", "#c0271b"
NAMED = 40  # filters whose numbers, or names, fit beside a matrix or below bars
LONGEST_NAME = 24  # letters of a class's name
MOST_LINES = 24  # names beside a plot
NARROWEST = 0.04  # of the plot's width, the label of a bar
BARS = 350  # points, the width of all bars of a plot together
COLORS = "inferno"
STRENGTH = 0.65  # of the colors over the photo


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure (inches, at 110 px an inch) with its axes."""
    figure, (axes,) = new_figures(width, height, 1)
    return figure, axes


def new_figures(width: float, height: float, count: int) -> tuple[Figure, list[Axes]]:
    """An empty figure of so many plots side by side, each of that size (inches, at 110 px an inch)."""
    figure = Figure(figsize=(width * count, height), dpi=110, layout="constrained")
    return figure, [figure.add_subplot(1, count, at + 1) for at in range(count)]


def figure_png(figure: Figure) -> bytes:
    """A figure as PNG; equal figures give equal bytes."""
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": "featviz"})
    return content.getvalue()


def filter_plot(
    values: Sequence[float], marked: Sequence[int], title: str, figure: str, names: Sequence[str] = ()
) -> bytes:
    """A PNG: the ``figure`` of each filter against its number, those ``marked`` pointed out with theirs.

    ``names`` of all filters, where they are classes, are written beside the bars, or, of many, those of the marked ones
    beside the plot. After the plot of anaramirli/visualizing-cnn-features.
    """
    plot, axes = new_figure(9, 4)
    numbers, heights = np.arange(len(values)), np.asarray(values, float)
    thickness = np.clip(BARS / len(values), 0.4, 24)
    axes.vlines(numbers, np.minimum(heights, 0), np.maximum(heights, 0), colors=INK, linewidth=thickness)
    axes.plot(list(marked), heights[list(marked)], "o", color=MARK, markersize=5)
    for number, top, level in _places(sorted(marked), heights, NARROWEST * len(values)):
        axes.annotate(
            str(number),
            (number, top),
            xytext=(0, 6 + 11 * level),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=MARK,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )
    axes.set_xlim(-0.02 * len(values) - 0.5, 1.02 * len(values) - 0.5)  # room for the first bar and the last
    low, high = min(0.0, heights.min()), max(0.0, heights.max())
    room = (high - low) or 1.0
    axes.set_ylim(low - 0.05 * room, high + 0.2 * room)  # for labels above the highest bar
    axes.axhline(0, color="#999999", linewidth=0.6)
    axes.set(xlabel="class" if names else "filter", ylabel=figure)
    _entitle(axes, title)
    axes.spines[["top", "right"]].set_visible(False)
    if names:
        _name_bars(axes, marked, names)
    return figure_png(plot)


def _places(marked: Sequence[int], heights: np.ndarray, width: float) -> Iterator[tuple[int, float, int]]:
    """Each marked bar, the height above which its label stands, and on which of three lines.

    Bars nearer to each other than ``width`` share the height of the highest, and take turns on the lines.
    """
    groups: list[list[int]] = []
    for number in marked:
        if groups and number - groups[-1][-1] < width:
            groups[-1].append(number)
        else:
            groups.append([number])
    for group in groups:
        for at, number in enumerate(group):
            yield number, float(heights[group].max()), at % 3


def _name_bars(axes: Axes, marked: Sequence[int], names: Sequence[str]) -> None:
    """Write few names under their bars; of many, those of the marked ones at the right, the strongest first."""
    names, font = _labels(names)
    if len(names) <= NAMED:
        turn = 90 if len(names) > 10 else 30
        axes.set_xticks(range(len(names)), names, rotation=turn, fontsize=8, parse_math=False, **font)
        return
    lines = "\n".join(f"{number}  {names[number]}" for number in marked[:MOST_LINES])
    axes.annotate(
        lines, (1.01, 1), xycoords="axes fraction", va="top", fontsize=8, color=MARK, parse_math=False, **font
    )


def matrix_plot(scores: Tensor, filters: Sequence[int], title: str, names: Sequence[str] = ()) -> bytes:
    """A PNG of a matrix: pictures downwards, filters across; a filter's own picture is on the diagonal.

    ``names`` are those of the filters where they are classes.
    """
    side = float(np.clip(2.5 + 0.22 * len(filters), 4.5, 12))
    plot, axes = new_figure(side + 1.2, side)
    limit = max(float(np.quantile(scores.abs().numpy(), 0.99)), 1e-6)
    shown = axes.imshow(scores.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    if len(filters) <= NAMED:
        labels, font = _labels(names or [str(number) for number in filters])
        size = 9 if len(filters) <= NAMED // 2 else 7
        axes.set_xticks(range(len(filters)), labels, rotation=90, fontsize=size, parse_math=False, **font)
        axes.set_yticks(range(len(filters)), labels, fontsize=size, parse_math=False, **font)
    unit = "class" if names else "filter"
    axes.set(xlabel=unit, ylabel=f"picture of {unit}")
    _entitle(axes, title, fontsize=10)
    bar = plot.colorbar(shown, ax=axes, shrink=0.8)
    bar.set_label("activation, in standard deviations\non noise with a natural spectrum", fontsize=11)
    bar.ax.tick_params(labelsize=11)  # which TensorBoard shows at half the size
    bar.ax.locator_params(nbins=5)
    return figure_png(plot)


def layer_matrix_plot(values: Tensor, down: Sequence[str], across: Sequence[str], title: str, label: str) -> bytes:
    """A PNG of values in [0, 1] between layers of two networks, (downwards, across), in the order of their passes."""
    sides = [float(np.clip(2.5 + 0.16 * len(names), 4, 11)) for names in (across, down)]
    plot, axes = new_figure(sides[0] + 2, sides[1] + 1)
    shown = axes.imshow(values.numpy(), cmap="viridis", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    for names, name_ticks, turn in ((across, axes.set_xticks, 90), (down, axes.set_yticks, 0)):
        labels, font = _labels(names)
        name_ticks(range(len(names)), labels, rotation=turn, fontsize=7, parse_math=False, **font)
    _entitle(axes, title, fontsize=10)
    plot.colorbar(shown, ax=axes, shrink=0.8).set_label(label)
    return figure_png(plot)


def _entitle(axes: Axes, title: str, **style: Any) -> None:
    path = font_path(printable(title))
    axes.set_title(drawable(title), parse_math=False, **style, **font_of(path))  # a dollar in a name is a dollar


def _labels(names: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Names that leave room for the plot, and what a text of them is told besides."""
    path = font_path(printable("".join(names)))
    texts = [drawable(name, path) for name in names]
    return [shorten(text, LONGEST_NAME, placeholder="...") or text[:LONGEST_NAME] for text in texts], font_of(path)


def font_of(path: Path) -> dict[str, Any]:
    """What a text is told where its letters need another font than matplotlib's own."""
    return {} if path == DEFAULT else {"font": path}


def overlay(photo: Tensor, feature_map: Tensor, largest: float) -> Image.Image:
    """A photo (3, H, W) in [0, 1], gray, under a feature map (h, w); ``largest`` gets the brightest color.

    Zero and what is below it shows the photo alone.
    """
    height, width = photo.shape[1:]
    resized = F.interpolate(feature_map[None, None].float(), (height, width), mode="bilinear", align_corners=False)
    share = (resized[0, 0] / max(largest, 1e-12)).clamp(0, 1)
    colors = torch.from_numpy(colormaps[COLORS](share.numpy())[..., :3]).permute(2, 0, 1)
    gray = photo[:3].mean(0, keepdim=True).expand(3, -1, -1)
    weight = STRENGTH * share.sqrt()
    mixed = gray * (1 - weight) + colors * weight
    return Image.fromarray((mixed.permute(1, 2, 0) * 255).round().clamp(0, 255).numpy().astype(np.uint8))
