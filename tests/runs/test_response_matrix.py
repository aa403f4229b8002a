"""The matrix of a layer: which filter answers to which picture."""

import io

import numpy as np
import pytest
import torch
from color_network import backbone, color
from PIL import Image
from program import SHORT, TINY, made, run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from featviz.metrics.picture_metrics import PictureMetrics
from featviz.results.plots import matrix_plot


def test_filters_answer_to_their_own_colors() -> None:
    pictures = torch.cat([color(0.9, 0.1, 0.1), color(0.1, 0.9, 0.1), color(0.1, 0.1, 0.9)])
    answers = PictureMetrics().responses(backbone(), "0", pictures)
    assert answers.shape == (3, 5)
    assert answers[:, :3].argmax(1).tolist() == [0, 1, 2]


def test_the_drawing_has_the_own_filters_on_the_diagonal() -> None:
    with Image.open(io.BytesIO(matrix_plot(torch.eye(5), range(5), "five"))) as image:
        levels = np.asarray(image.convert("RGB")).astype(int)
    red = (levels[..., 0] > levels[..., 2] + 60) & (levels[..., 0] > 90)
    red[:, int(0.79 * red.shape[1]) :] = False  # the bar of colors
    down, across = np.nonzero(red)
    assert np.corrcoef(down, across)[0, 1] > 0.9


@pytest.mark.end_to_end
def test_a_run_draws_it_and_tensorboard_shows_it() -> None:
    folder = made(*SHORT)
    with Image.open(folder / "response_matrix_second.png") as image:
        size = image.size
    (events,) = folder.glob("tensorboard/**/events*")
    shown = EventAccumulator(str(events), size_guidance={"images": 0}).Reload().Images("response_matrix/second")
    assert (shown[0].width, shown[0].height) == size


@pytest.mark.end_to_end
@pytest.mark.parametrize("more", [("evidence=none",), ("filters=3",), ("objective=layer",)])
def test_there_is_none_where_there_is_nothing_to_tell_apart(more: tuple[str, ...]) -> None:
    folder = made(*SHORT, "logger=none", *more)
    assert not list(folder.glob("response_matrix*"))


@pytest.mark.end_to_end
def test_a_run_that_goes_on_draws_all() -> None:
    settings = (*TINY, "layer=second", "filters=0-5", "schedule.size=48", "schedule.steps=4", "logger=none")
    folder = made(*settings, "batch_size=3")
    whole = (folder / "response_matrix_second.png").read_bytes()
    (folder / "response_matrix_second.png").unlink()
    (folder / "images/second/0004.png").unlink()
    assert run(*settings, "batch_size=3", f"resume={folder}").status == 0
    assert (folder / "response_matrix_second.png").read_bytes() == whole
