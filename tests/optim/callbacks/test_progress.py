"""What is shown of the optimization without a terminal."""

from functools import partial

import pytest
from fitting import ADAM, PIXELS, backbone, fit

from featviz.optim.callbacks import ProgressBar, progress
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.results import minute_log


@pytest.mark.parametrize("minute", [0.0, 60.0])
def test_without_a_terminal_a_line_a_minute_shows_life(
    minute: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(minute_log, "MINUTE", minute)
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    caplog.set_level("INFO", logger=minute_log.__name__)
    fit(FilterVisualizer(backbone(), Method(PIXELS, constant(16, 3), partial(ADAM, lr=0.5)), "4", [0]), ProgressBar())
    ours = [record.message for record in caplog.records if record.name == minute_log.__name__]
    lines = [message.partition(", activation")[0] for message in ours]
    assert lines == [f"4 filter 0: step {step} of 3, 16 px" for step in (1, 2, 3)] * (minute == 0)
