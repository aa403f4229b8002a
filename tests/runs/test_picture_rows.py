"""Filters that do not answer: new starts, and what is said of those that never move."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from program import made, run
from tiny_networks import ALIVE, GATED, NEVER, SATURATED, SHUT, Units
from torch import Tensor

import featviz
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.folder import read_rows
from featviz.results.result import Result
from featviz.runs.picture_rows import _status

SETTINGS = (
    "recipe=olah2017",
    "callbacks=none",
    "schedule.size=16",
    "schedule.steps=20",
    "transforms=none",
    "image=pixel",
)


def pictures(*settings: str, filters: list[int] | None = None, seed: int = 0, **more: Any) -> Result:
    model = featviz.Model("units", Units(), (0.0,), (1.0,), 16, "given")
    filters = list(range(5)) if filters is None else filters
    return featviz.visualize(model, layer="act", filters=filters, seed=seed, overrides=[*SETTINGS, *settings], **more)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So little work is done fastest by one."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture(scope="module")
def gated_seed() -> int:
    """A seed whose first start leaves GATED shut, while another one opens it."""
    for seed in range(20):
        (row,) = pictures(filters=[GATED], seed=seed).rows
        if row["reason"].startswith("from start"):
            return seed
    raise AssertionError("each start is alike")


@pytest.fixture(scope="module")
def together(gated_seed: int) -> Result:
    return pictures(seed=gated_seed)


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [
        (ALIVE, "ok", ""),
        (NEVER, "dead", "never active, in 3 starts"),
        (SATURATED, "dead", "saturated at 6, in 3 starts"),
        (SHUT, "ok", ""),
    ],
)
def test_a_row_says_whether_its_filter_moved_and_why_not(
    together: Result, number: int, status: str, reason: str
) -> None:
    row = together.rows[number]
    assert (row["filter"], row["status"], row["reason"]) == (number, status, reason)


def test_a_filter_that_moves_from_another_start_has_that_picture(together: Result, gated_seed: int) -> None:
    row = together.rows[GATED]
    assert row["status"] == "ok"
    assert row["reason"] in [f"from start {n}: it did not move before" for n in (2, 3)]
    assert row["activation"] > row["start_activation"] > 0
    first = pictures("restarts=0", filters=[GATED], seed=gated_seed)
    assert (first.rows[0]["status"], first.rows[0]["reason"]) == ("dead", "never active")
    assert (together.images[GATED] - first.images[0]).abs().max() > 0.1
    assert together.images[GATED, 0, 0, 0] < 0.5 <= first.images[0, 0, 0, 0]


def test_a_picture_that_begins_above_the_level_it_is_to_reach_is_no_dead_one() -> None:
    capped = pictures("restarts=1", "objective=capped", "objective.level=-1", filters=[ALIVE, NEVER]).rows
    assert [row["status"] for row in capped] == ["ok", "ok"]
    assert {row["reason"] for row in capped} == {
        "its start has all that the objective asks for: nothing has changed it"
    }


def test_a_shut_filter_needs_the_gradient_through_its_rectifier() -> None:
    usual = pictures("restarts=0", "redirect_steps=0", filters=[ALIVE, SHUT]).rows
    redirected = pictures("restarts=0", filters=[ALIVE, SHUT]).rows
    assert [row["start_activation"] for row in usual] == [row["start_activation"] for row in redirected]
    assert [(row["status"], row["reason"]) for row in usual] == [("ok", ""), ("dead", "never active")]
    assert [row["status"] for row in redirected] == ["ok", "ok"]
    assert redirected[1]["start_activation"] == 0 < redirected[1]["activation"]


@pytest.mark.parametrize(
    ("steps", "redirected"), [(0, [0, 0, 0]), (1, [1, 4, 10]), (2, [2, 8, 10]), (16, [16, 16, 16]), (30, [30, 30, 30])]
)
def test_new_starts_redirect_for_longer_up_to_half_of_the_steps(
    monkeypatch: pytest.MonkeyPatch, steps: int, redirected: list[int]
) -> None:
    usual, seen = FilterVisualizer.configure_optimizers, []

    def watched(self: FilterVisualizer) -> Any:
        if self._trainer is not None:  # not when it is only checked
            seen.append(self.method.redirect_steps)
        return usual(self)

    monkeypatch.setattr(FilterVisualizer, "configure_optimizers", watched)
    pictures(f"redirect_steps={steps}", filters=[NEVER])
    assert seen == redirected


def test_a_filter_that_needs_more_redirected_steps_gets_them_at_a_new_start() -> None:
    short = pictures("redirect_steps=1", "restarts=0", filters=[SHUT]).rows[0]
    again = pictures("redirect_steps=1", "restarts=2", filters=[SHUT]).rows[0]
    assert (short["status"], short["reason"]) == ("dead", "never active")
    assert (again["status"], again["reason"][:10]) == ("ok", "from start")


def test_new_starts_leave_the_other_pictures_alone(together: Result, gated_seed: int) -> None:
    once = pictures("restarts=0", seed=gated_seed)
    same = [ALIVE, NEVER, SATURATED, SHUT]
    assert torch.equal(once.images[same], together.images[same])
    kept = [{k: v for k, v in row.items() if k not in ("seconds", "reason")} for row in once.rows]
    again = [{k: v for k, v in row.items() if k not in ("seconds", "reason")} for row in together.rows]
    assert [kept[number] for number in same] == [again[number] for number in same]
    assert [together.rows[number]["reason"] for number in (ALIVE, SHUT)] == ["", ""]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_batch_of_another_size_gives_the_same_pictures(together: Result, gated_seed: int, batch_size: int) -> None:
    others = pictures(f"batch_size={batch_size}", seed=gated_seed)
    assert (others.images - together.images).abs().max() <= 1.5 / 255
    for other, row in zip(others.rows, together.rows, strict=True):
        assert [other[k] for k in ("filter", "status", "reason")] == [row[k] for k in ("filter", "status", "reason")]
        assert other["activation"] == pytest.approx(row["activation"], rel=1e-3)


def test_a_picture_that_stays_gray_is_not_ok() -> None:
    faint = pictures("image.init.std=0.002", "optimizer.lr=1e-3", "schedule.steps=5", filters=[ALIVE])
    assert faint.images.std() < 1 / 255
    assert faint.rows[0]["activation"] > faint.rows[0]["start_activation"]
    assert (faint.rows[0]["status"], faint.rows[0]["reason"]) == ("dead", "gray, in 3 starts")


# the verdict


FLAT, NOISE = torch.full((3, 8, 8), 0.5), torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("picture", "score", "activation", "expected"),
    [
        (NOISE, (0.0, 1.0), (0.0, 1.0), ("ok", "")),
        (NOISE, (-5.0, -1.0), (-5.0, -1.0), ("ok", "")),
        (NOISE, (0.0, 0.0), (0.0, 0.0), ("dead", "never active")),
        (NOISE, (0.0, -0.0), (0.0, 0.0), ("dead", "never active")),
        (NOISE, (0.37, 0.37), (0.37, 0.37), ("dead", "saturated at 0.37")),
        (NOISE, (0.37, 0.37 + 1e-8), (0.37, 0.37 + 1e-8), ("dead", "saturated at 0.37")),  # rounding is no rise
        (NOISE, (-0.2, -0.2), (-0.2, -0.2), ("dead", "saturated at -0.2")),
        (NOISE, (1.0, 0.5), (1.0, 0.5), ("dead", "did not rise above its start")),
        (NOISE, (-0.3, -1e-9), (-0.3, -1e-9), ("dead", "never active")),  # GELU, ever farther below zero
        (NOISE, (-0.3, -0.0), (0.3, 0.0), ("ok", "")),  # a picture that the filter dislikes
        (NOISE, (-0.3, 0.01), (-0.3, 0.01), ("ok", "")),
        (FLAT, (0.0, 1.0), (0.0, 1.0), ("dead", "gray")),
        (FLAT + (NOISE - 0.5) / 255, (0.0, 1.0), (0.0, 1.0), ("dead", "gray")),
        (FLAT + (NOISE - 0.5) / 25, (0.0, 1.0), (0.0, 1.0), ("ok", "")),
        (FLAT * torch.tensor([2.0, 0.2, 0.2]).view(3, 1, 1), (0.0, 1.0), (0.0, 1.0), ("ok", "")),  # red
        (FLAT * 2, (0.0, 1.0), (0.0, 1.0), ("ok", "")),  # white
        (FLAT * 0, (0.0, 1.0), (0.0, 1.0), ("ok", "")),
    ],
)
def test_the_verdict(
    picture: Tensor, score: tuple[float, float], activation: tuple[float, float], expected: tuple[str, str]
) -> None:
    assert _status(picture, score, activation) == expected


# Ctrl-C in a new start


def after_steps(limit: int) -> Callable[..., Tensor]:
    """A training step after so many of which somebody presses Ctrl-C."""
    usual, done = FilterVisualizer.training_step, []

    def step(self: FilterVisualizer, batch: int, batch_idx: int) -> Tensor:
        done.append(batch_idx)
        if len(done) > limit:
            raise KeyboardInterrupt
        return usual(self, batch, batch_idx)

    return step


@pytest.mark.parametrize("limit", [25, 45])
def test_control_c_in_a_new_start_keeps_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: int
) -> None:
    monkeypatch.setattr(FilterVisualizer, "training_step", after_steps(limit))
    with pytest.raises(KeyboardInterrupt):
        pictures("logger=none", filters=[ALIVE, NEVER], output=tmp_path)
    rows = read_rows(tmp_path)
    assert [(row["status"], row["steps"]) for row in rows] == [("ok", 20), ("dead", 20)]
    assert rows[1]["reason"] == "never active" + ", in 2 starts" * (limit == 45)
    assert all((tmp_path / row["image"]).exists() for row in rows)
    assert (tmp_path / "grid_act.png").exists()


def test_control_c_between_two_starts_keeps_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usual = FilterVisualizer.__init__

    def init(self: FilterVisualizer, *args: Any) -> None:
        if args[3] == [NEVER]:
            raise KeyboardInterrupt
        usual(self, *args)

    monkeypatch.setattr(FilterVisualizer, "__init__", init)
    with pytest.raises(KeyboardInterrupt):
        pictures("logger=none", filters=[ALIVE, NEVER], output=tmp_path)
    assert [(row["status"], row["reason"]) for row in read_rows(tmp_path)] == [("ok", ""), ("dead", "never active")]


# on the command line


@pytest.fixture
def program() -> list[str]:
    own = ("model=own", "model.target=tiny_networks.Units", "model.size=16", "model.weights=given", "logger=none")
    return [*own, *SETTINGS, "layer=act", "filters=0-2"]


@pytest.mark.end_to_end
def test_the_program_tells_which_filters_are_started_again(program: list[str]) -> None:
    outcome = run(*program, "restarts=2")
    assert outcome.status == 0, outcome
    told = [line for line in (outcome.out + outcome.err).splitlines() if "new start" in line]
    assert told == [f"act: filters [1, 2] have not moved; new start {n} of 2" for n in (1, 2)]
    assert "1 ok, 2 dead" in outcome.out + outcome.err


@pytest.mark.end_to_end
def test_the_table_holds_the_reasons(program: list[str]) -> None:
    reasons = [row["reason"] for row in read_rows(made(*program, "restarts=1"))]
    assert reasons == ["", "never active, in 2 starts", "saturated at 6, in 2 starts"]
