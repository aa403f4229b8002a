"""A training that is watched: it comes to the same results, and its pictures and numbers are where they should be."""

import csv
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from processes import FORKS, start_server
from refusals import assert_refused, refusal_of
from torch import nn
from trainings import EPOCHS, QUICK, Net, Training, fit, fit_by_two, same, state_of

import featviz
from featviz.reading import read_yaml
from featviz.results.folder import read_rows
from featviz.results.frames import find_frames

pytestmark = pytest.mark.end_to_end  # whole trainings

OWN_SIZE = {"layers": "f.3", "filters": 0, "output": "watch", **QUICK, "size": None}


def watch(**settings: Any) -> featviz.Watch:
    return featviz.Watch(**{"layers": ["f.3"], "filters": "0-1", "output": "watch", **QUICK, **settings})


def table(folder: str = "watch") -> list[dict[str, str]]:
    with Path(folder, "watch.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def unwatched() -> dict[str, Any]:
    return state_of(fit())


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("watched")
    trained = fit(
        [watch(output=folder / "watch"), watch(layers="f.0", output=None, filters="changing:1")], [CSVLogger(folder)]
    )
    return state_of(trained), folder


@pytest.mark.parametrize(
    "what",
    ["weights", "gradients", "optimizer", "losses", "modes", "hooks", "python", "numpy", "torch", "cuda", "threads"],
)
def test_the_training_is_the_same_bit_for_bit(
    what: str, unwatched: dict[str, Any], watched: tuple[dict[str, Any], Path]
) -> None:
    assert same(unwatched[what], watched[0][what])


def test_what_is_compared_differs_for_another_training(unwatched: dict[str, Any]) -> None:
    """So that the test above can fail."""
    other = state_of(fit(max_epochs=EPOCHS + 1))
    assert not any(same(unwatched[name], other[name]) for name in ("weights", "losses", "python", "numpy", "torch"))


def test_each_epoch_has_its_pictures(watched: tuple[dict[str, Any], Path]) -> None:
    folder = watched[1] / "watch"
    lines = [(row["epoch"], row["step"], row["layer"], row["filter"]) for row in table(str(folder))]
    assert lines == [(str(e), str(2 * e + 2), "f.3", str(f)) for e in range(EPOCHS) for f in (0, 1)]
    rows = read_rows(folder)
    assert [(row["filter"], row["epoch"]) for row in rows] == [(0, EPOCHS - 1), (1, EPOCHS - 1)]  # type: ignore[typeddict-item]
    assert all((folder / row["image"]).is_file() for row in rows)
    assert (folder / "index.html").is_file()
    assert list(find_frames(folder, rows[0]["image"])) == list(range(EPOCHS - 1))  # the last one is the picture
    details = next((folder / "report" / "data").glob("*_d0.js")).read_text()
    assert '"steps":[0]' in details
    assert f'"word":"epoch","total":{EPOCHS - 1}' in details
    assert read_yaml(folder / "config.yaml")["task"] == {"name": "watch"}


def test_the_loggers_of_the_training_get_numbers(watched: tuple[dict[str, Any], Path]) -> None:
    with next(watched[1].rglob("metrics.csv")).open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {
        int(row["step"]): float(row["watch/f.3/0001/activation"]) for row in rows if row["watch/f.3/0001/activation"]
    }
    told = {
        int(row["step"]): float(row["activation"]) for row in table(str(watched[1] / "watch")) if row["filter"] == "1"
    }
    assert found == told
    assert len(found) == EPOCHS


def test_pictures_are_those_of_the_network_at_that_time() -> None:
    watching = watch()
    trained = fit([watching])
    network = trained.lightning_module.net
    alone = featviz.visualize(
        featviz.Model("n", network, size=16), "f.3", "0-1", "plain", overrides=["schedule.steps=2", "restarts=0"]
    )
    assert [row["activation"] for row in alone.rows] == pytest.approx([row["activation"] for row in read_rows("watch")])


@pytest.mark.parametrize(
    ("settings", "when"),
    [
        ({"every_n_epochs": 2}, [(1, 4)]),
        ({"every_n_steps": 3}, [(1, 3)]),
        ({"every_n_steps": 1}, [(0, 1), (0, 2), (1, 3), (1, 4)]),
    ],
)
def test_how_often(settings: dict[str, int], when: list[tuple[int, int]]) -> None:
    fit([watch(filters=0, **settings)])
    assert [(int(row["epoch"]), int(row["step"])) for row in table()] == when


def test_steps_are_those_of_the_optimizer() -> None:
    fit([watch(filters=0, every_n_steps=1)], accumulate_grad_batches=2)
    assert [int(row["step"]) for row in table()] == [1, 2]
    assert list(find_frames(Path("watch"), "images/f.3/0000.png")) == [1]


def fails(_: nn.Module) -> nn.Module:
    raise RuntimeError("two\nlines")


class Later:
    """A function of the module that works when the training begins, and then no longer."""

    def __init__(self, otherwise: Callable[[nn.Module], nn.Module]) -> None:
        self.calls, self.otherwise = 0, otherwise

    def __call__(self, module: nn.Module) -> nn.Module:
        self.calls += 1
        return module.net if self.calls == 1 else self.otherwise(module)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "otherwise",
    [
        fails,
        lambda _: nn.Sequential(nn.Flatten()),  # has no layer f.3
        lambda module: module.missing,
    ],
)
def test_a_failure_while_watching_is_one_line_and_the_training_goes_on(
    otherwise: Callable[[nn.Module], nn.Module], unwatched: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    trained = fit([watch(network=Later(otherwise))])
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1, lines  # of the same failure in both epochs
    assert lines[0].startswith("watch: no pictures at epoch 0, step 2: ")
    assert "\n" not in lines[0]
    assert same(unwatched, state_of(trained))


@pytest.mark.parametrize("step", [0, 2, 3])
def test_a_training_that_fails_ends_as_it_would(step: int) -> None:
    with pytest.raises(ArithmeticError, match=r"^the training's own$"):
        fit([watch()], module=Training(fails_at=step))
    assert len(table()) == 2 if step >= 2 else not Path("watch/watch.csv").exists()


def test_ctrl_c_while_watching_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("featviz.watch.maker.Maker.make", pressed)
    module = Training()
    with pytest.raises(SystemExit):  # Lightning's answer
        fit([watch()], module=module)
    assert len(module.losses) == 2


@pytest.mark.parametrize(
    ("settings", "setting", "got", "right"),
    [
        ({"every_n_epochs": 0}, "every_n_epochs", 0, "a whole number from 1, or null"),
        ({"every_n_epochs": -1}, "every_n_epochs", -1, "a whole number from 1, or null"),
        ({"every_n_epochs": 1.5}, "every_n_epochs", 1.5, "a whole number from 1, or null"),
        ({"every_n_steps": 0}, "every_n_steps", 0, "a whole number from 1, or null"),
        ({"every_n_epochs": None}, "every_n_epochs", None, "a whole number from 1, or every_n_steps"),
        ({"budget": 0}, "budget", 0, "seconds for each second of training, above 0 and at most 100, or null"),
        ({"layers": []}, "layers", [], "a name"),
        ({"mena": 0.5}, "setting of Watch", "mena", "mean"),
        ({"overrides": "steps=2"}, "overrides", "steps=2", 'a list such as ["schedule.steps=100"]'),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], setting: str, got: object, right: str) -> None:
    assert_refused(lambda: watch(**settings), setting, got, right)


@pytest.mark.parametrize(
    ("settings", "setting", "right"),
    [
        ({"layers": ["f.33"]}, "layer", "f.3"),
        ({"filters": 8}, "filters", ""),
        ({"recipe": "planes"}, "recipe", "plain"),
        ({"overrides": ["schedule.stops=3"]}, "schedule.stops", "schedule.steps"),
        ({"network": "nets"}, "network", "net"),
        ({"output": None}, "output", "output=FOLDER, or a logger"),
    ],
)
def test_what_does_not_exist_is_told_before_the_training(settings: dict[str, Any], setting: str, right: str) -> None:
    module = Training()
    error = refusal_of(lambda: fit([watch(**settings)], module=module))
    assert module.losses == []
    assert error.setting == setting
    assert right in (error.expected, *error.nearest)


def test_a_folder_that_holds_something_stays() -> None:
    for _ in range(2):
        fit([watch(filters=0)], max_epochs=1)
    assert len(table("watch")) == len(table("watch_2")) == 1


def test_a_training_that_goes_on_goes_on_in_its_folder() -> None:
    first = fit([watch(filters=0)], max_epochs=1)
    first.save_checkpoint("half.ckpt")
    fit([watch(filters=0)], ckpt_path="half.ckpt")
    assert [row["epoch"] for row in table()] == ["0", "1"]
    assert not Path("watch_2").exists()


def test_a_training_without_lightning() -> None:
    network, watching = Net().train(), watch(loggers=[CSVLogger("logs")])
    state = torch.get_rng_state()
    rows = [watching.step(network, epoch) for epoch in range(2)]
    watching.finish()
    assert torch.equal(state, torch.get_rng_state())
    assert network.training
    assert [len(found) for found in rows] == [2, 2]
    assert [row["epoch"] for row in table()] == ["0", "0", "1", "1"]
    assert Path("watch/index.html").is_file()


@pytest.mark.parametrize(("budget", "epochs"), [(1e-6, [0, 4]), (100, [0, 1, 2, 3, 4]), (None, [0, 1, 2, 3, 4])])
def test_the_first_look_and_the_end_are_shown_whatever_the_budget(budget: float | None, epochs: list[int]) -> None:
    """At a hundred seconds for each of training one epoch is enough for what a look takes."""
    trained = fit([watching := watch(filters=0, budget=budget)], max_epochs=5)
    assert [(int(row["epoch"]), int(row["step"])) for row in table()] == [(at, 2 * at + 2) for at in epochs]
    assert list(find_frames(Path("watch"), "images/f.3/0000.png")) == epochs[:-1]
    assert len(trained.lightning_module.losses) == 10
    assert watching.seconds > 0.05


def test_nothing_is_shown_at_the_end_that_was_not_due() -> None:
    fit([watch(filters=0, budget=1e-6, every_n_epochs=2), watch(output="later", every_n_epochs=9)], max_epochs=3)
    assert [row["epoch"] for row in table()] == ["1"]
    assert not Path("later/watch.csv").exists()


@pytest.mark.parametrize(
    ("settings", "sizes"), [({}, [16, 16]), ({"size": 24}, [24, 24]), ({"size": [16, 20]}, [16, 20])]
)
def test_pictures_are_as_large_as_those_of_the_training(settings: dict[str, Any], sizes: list[int]) -> None:
    fit([featviz.Watch(**{**OWN_SIZE, **settings})], max_epochs=1)
    with Image.open("watch/images/f.3/0000.png") as picture:
        assert [picture.height, picture.width] == sizes


def test_of_several_processes_the_first_looks_and_all_come_to_the_same() -> None:
    settings = {**OWN_SIZE, "output": str(Path("watch").resolve())}
    start_server()
    for name, asked in {"with.pt": settings, "without.pt": {}}.items():
        process = FORKS.Process(target=fit_by_two, args=(asked, str(Path(name).resolve())))
        process.start()
        process.join(60)
        assert process.exitcode == 0
    assert same(torch.load("with.pt"), torch.load("without.pt"))
    assert [(row["epoch"], row["step"]) for row in table()] == [("0", "1"), ("1", "2")]  # half of the batches each
    assert not Path("watch_2").exists()


def test_only_the_first_process_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "is_global_zero", property(lambda _: False))
    fit([watch()])
    assert not Path("watch").exists()
