"""The matrices of short runs, drawn once: Matplotlib takes longer for one than a run for its steps."""

import sys
from typing import Any

import pytest


def make_once(patch: pytest.MonkeyPatch, known: dict[Any, bytes]) -> None:
    """Until the patch is undone, the same numbers and words give the bytes that they have given before."""
    module = sys.modules.get("featviz.runs.response_matrix")
    if module is None:  # nothing has run yet, and what a run imports is not to be imported for it
        return
    draw = module.matrix_plot

    def draw_once(scores: Any, filters: Any, title: str, names: Any = ()) -> bytes:
        key = (scores.numpy().tobytes(), tuple(filters), title, tuple(names))
        if key not in known:
            known[key] = draw(scores, filters, title, names)
        return known[key]

    patch.setattr(module, "matrix_plot", draw_once)
