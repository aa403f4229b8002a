"""Callbacks and trainers of a configuration that would break what a run promises are refused before any work."""

from pathlib import Path

import pytest
from configs import chosen
from lightning import Callback
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from omegaconf import DictConfig, OmegaConf
from program import SHORT, refused
from refusals import assert_refused, refusal_of

from featviz.errors import FeatvizError
from featviz.runs.build import _new_trainer, hardware_of, new_callbacks

LIGHTNING = "lightning.pytorch.callbacks"
STOP = {"_target_": f"{LIGHTNING}.EarlyStopping", "monitor": "loss"}
GOING_BY = {
    "early stopping": STOP,
    "a checkpoint of the best": {"_target_": f"{LIGHTNING}.ModelCheckpoint", "monitor": "activation"},
}


class LogsLoss(Callback):
    """A callback of a user's, which may log what others go by."""


def nodes(**callbacks: object) -> DictConfig:
    cfg = OmegaConf.create(callbacks)
    assert isinstance(cfg, DictConfig)
    return cfg


@pytest.mark.parametrize("node", GOING_BY.values(), ids=GOING_BY)
def test_a_number_that_nobody_logs_is_refused(node: dict[str, str]) -> None:
    error = refusal_of(lambda: new_callbacks(nodes(es=node), None))
    assert (error.setting, error.got) == ("callbacks.es.monitor", node["monitor"])
    assert error.expected.startswith("null")


def test_a_callback_of_ones_own_may_log_it() -> None:
    own = {"_target_": f"{__name__}.LogsLoss"}
    built = new_callbacks(nodes(es=STOP, own=own), None)
    assert [type(callback).__name__ for callback in built] == ["EarlyStopping", "LogsLoss"]
    assert isinstance(built[0], EarlyStopping)


def test_those_without_a_number_are_taken_and_those_without_a_folder_left_out(tmp_path: Path) -> None:
    keep = {"_target_": f"{LIGHTNING}.ModelCheckpoint", "dirpath": None}
    assert not new_callbacks(nodes(keep=keep), None)
    (built,) = new_callbacks(nodes(keep=keep), tmp_path)
    assert isinstance(built, ModelCheckpoint)


def test_what_is_no_callback_is_refused() -> None:
    no_callback = nodes(x={"_target_": "os.getcwd"})
    assert_refused(lambda: new_callbacks(no_callback, None), "callbacks.x._target_", "str", "")


@pytest.mark.end_to_end
def test_callbacks_and_loggers_that_do_not_go_together_are_one_line() -> None:
    """Lightning says so itself, when it starts."""
    rates = "+callbacks.rates._target_=lightning.pytorch.callbacks.LearningRateMonitor"
    assert "trainer: Cannot use `LearningRateMonitor` callback with `Trainer` that has no logger" in refused(
        *SHORT, rates, "logger=none", "callbacks.progress=null"
    )


@pytest.mark.parametrize(
    "typed",
    [
        *("trainer.max_epochs=3", "trainer.max_epochs=-1", "+trainer.limit_train_batches=2", "+trainer.max_steps=2"),
        *("+trainer.fast_dev_run=true", "+trainer.num_nodes=2", "+trainer.gradient_clip_val=1.0"),
        *("+trainer.accumulate_grad_batches=2", "+trainer.overfit_batches=1", "+trainer.strategy=ddp"),
        *("trainer.precision=64-true", "trainer.precision=bf16-true", "+trainer.gradient_clip_val=nan"),
    ],
)
def test_what_would_break_the_promise_of_a_run_is_refused(typed: str) -> None:
    with pytest.raises(FeatvizError) as error:
        hardware_of(chosen("trainer=cpu", typed).trainer)
    assert error.value.setting == typed.lstrip("+").partition("=")[0]
    assert error.value.expected


def test_the_environment_changes_no_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LIMIT_TRAIN_BATCHES": "1", "MAX_STEPS": "1", "FAST_DEV_RUN": "1"}.items():
        monkeypatch.setenv(f"PL_TRAINER_{name}", value)
    trainer = _new_trainer(chosen("trainer=cpu").trainer, (), ())
    assert (trainer.limit_train_batches, trainer.max_steps, trainer.fast_dev_run) == (1.0, -1, False)
