"""What pieces refuse is read from their source: what is told is what building them tells, and nothing else is."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_object
from refusals import assert_refused

from featviz.config.source_checks import check_arguments
from featviz.errors import FeatvizError

UNIT = {"layer": "a", "filters": [0]}
REFUSED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "featviz.transforms.Jitter": [({"pixels": -3}, "jitter.pixels is -3; expected zero or more")],
    "featviz.transforms.Shift": [({"pixels": 1, "below": 0}, "shift.below is 0; expected 1 or more")],
    "featviz.transforms.ScaleBetween": [({"low": 2.0, "high": 1.0}, "scale.low is 2.0, above scale.high, 1.0")],
    "featviz.transforms.NormalCrops": [
        ({"std": -1.0}, "crops.std is -1.0; expected zero or more"),
        ({"count": 0}, "crops.count is 0; expected 1 or more"),  # by the base class
    ],
    "featviz.optim.schedules.constant": [
        ({"steps": 0}, "schedule.steps is 0; expected a number above zero"),
        ({"size": 0}, "schedule.size is 0; expected a number above zero"),
    ],
    "featviz.optim.schedules.stages": [
        ({"stages": [[64, 5], [0, 5]]}, "schedule.stages[1] is [0, 5]; expected [size, steps], whole numbers"),
    ],
    "featviz.optim.projections.NormBall": [({"space": "pixels"}, "unknown norm_ball.space 'pixels'; nearest: picture")],
    "featviz.optim.callbacks.ImageLogger": [({"pictures_every": 0}, "callbacks.log.pictures_every is 0; expected 1")],
    "featviz.objectives.Level": [
        ({**UNIT, "levels": ["a"]}, "objective.levels is ['a']; expected numbers, or how many, 2 or more"),
        ({**UNIT, "quantiles": [2], "photos_from": "ex"}, "objective.quantiles is 2; expected a number from 0 to 1"),
        ({**UNIT, "quantiles": ["a"]}, "objective.quantiles is ['a']; expected numbers from 0 to 1"),
    ],
    "featviz.objectives.Contrast": [
        (
            {**UNIT, "against": [1.5]},
            "objective.against is [1.5]; expected numbers of filters, a layer's name, or null",
        ),
        ({**UNIT, "against": []}, "objective.against is []; expected numbers of filters, a layer's name, or null"),
    ],
    "featviz.objectives.Direction": [
        ({**UNIT, "vectors": "nope.npy"}, "objective.vectors: there is no file 'nope.npy'"),
        ({**UNIT, "vectors": {"a": "nope.txt"}}, "objective.vectors: nope.txt must end in one of .npy, .csv, .pt"),
    ],
    "featviz.metrics.PictureMetrics": [({"exemplars": "nope"}, "there is no folder 'nope'")],
    "featviz.models.sources.timm.load": [
        ({"name": "a", "weights": "nope.pt"}, "weights: there is no file 'nope.pt'"),
        ({"name": "a", "classes": "nope.txt"}, "model.classes: there is no file 'nope.txt'"),
    ],
    "featviz.models.sources.ensemble.load": [
        ({"members": ["nope.pt"], "target": "a.B"}, "weights: there is no file 'nope.pt'"),
        ({"members": [{"target": "a.B", "weights": "nope.pt"}]}, "weights: there is no file 'nope.pt'"),
    ],
    "torch.optim.Adam": [
        ({"betas": [0.9, 1.5]}, "betas is [0.9, 1.5]; expected 0.0 <= betas[1] < 1.0"),
        ({"betas": ["a", "b"]}, "betas is ['a', 'b']; expected 0.0 <= betas[0] < 1.0"),
        ({"betas": [0.9]}, "betas is [0.9]; expected 0.0 <= betas[1] < 1.0"),
    ],
    "torch.optim.SGD": [({"lr": 0.1, "momentum": -1.0}, "momentum is -1.0; expected momentum >= 0.0")],
}
CASES = [(target, settings, words) for target, cases in REFUSED.items() for settings, words in cases]


@pytest.mark.parametrize(("target", "settings", "words"), CASES)
def test_what_is_told_is_refused_by_the_piece_itself(target: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(FeatvizError) as told:
        check_arguments(target, settings)
    assert str(told.value).startswith(words)
    given = {"params": [get_object("torch.zeros")(1, requires_grad=True)]} if target.startswith("torch") else {}
    with pytest.raises((ValueError, TypeError, IndexError)) as raised:
        get_object(target)(**given, **settings)
    if isinstance(raised.value, FeatvizError):
        assert str(raised.value) == str(told.value)


def test_torch_is_not_imported() -> None:
    code = (
        "import sys; from featviz.config.source_checks import check_arguments\n"
        "from featviz.errors import FeatvizError\n"
        "for target, settings in " + repr([(target, settings) for target, settings, _ in CASES]) + ":\n"
        "    try: check_arguments(target, settings)\n"
        "    except FeatvizError as error: print(error)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    *lines, imported = done.stdout.splitlines()
    assert imported == "False"
    for line, (*_, words) in zip(lines, CASES, strict=True):
        assert line.startswith(words)


OWN = """
from dataclasses import dataclass

from featviz.errors import FeatvizError
from elsewhere import LEAST, unknown_to_the_reader

WORDS = ("a", "b")


def check(name, value, least=LEAST):
    if value < least:
        raise FeatvizError(setting=name, got=value, expected=f"{least} or more")


class Own:
    def __init__(self, size, word="a", after=0, early=False, several=(), changed=1):
        super().__init__()
        if word not in WORDS:
            raise ValueError("what?")
        if size < 0:
            raise ValueError("below zero")
        check("size", size)
        for one, other in several:
            check("several", other, one)
        if early:
            return
        changed = unknown_to_the_reader(changed)
        if changed < 0:
            raise ValueError("a number of its own")
        if size > unknown_to_the_reader(3):
            after = 1
        if after < 0:
            raise ValueError("may have another value by now")
        self.after = unknown_to_the_reader(after)
        if size == 77:
            raise ValueError("what stands behind something unknown")
"""
NOT_TOLD: list[dict[str, Any]] = [
    {"size": 8},
    {"size": 8, "changed": -1},
    {"size": 8, "after": -1},
    {"size": 77, "early": True},
    {"size": 77},
    {"size": 8, "several": [[1, 2], [3]]},
    {"size": 8, "several": 5},
    {"unexpected": 1},
]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_checks.py").write_text(OWN)
    (tmp_path / "elsewhere.py").write_text("LEAST = 2\ndef unknown_to_the_reader(x): raise RuntimeError\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "own_checks.Own"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 8, "word": "c"}, "word is c; expected word in WORDS"),
        ({"size": 8, "several": [[1, 2], [2, 1]]}, "several is 1; expected 2 or more"),
        ({"size": 1}, "size is 1; expected 2 or more"),
        ({"size": -1}, "size is -1; expected size >= 0"),
        ({"size": "big"}, "size is big; expected size >= 0"),
    ],
)
def test_conditions_of_ones_own_class(settings: dict[str, Any], words: str, own: str) -> None:
    with pytest.raises(FeatvizError) as told:
        check_arguments(own, settings)
    assert str(told.value) == words


@pytest.mark.parametrize("settings", NOT_TOLD)
def test_what_the_source_does_not_tell_is_left_to_the_piece(settings: dict[str, Any], own: str) -> None:
    check_arguments(own, settings)


@pytest.mark.parametrize("target", ["os.getcwd", "nowhere.Thing", "featviz.optim.Nothing", "", "x", "math.sqrt"])
def test_what_cannot_be_read(target: str) -> None:
    check_arguments(target, {"a": 1})


def test_defaults_are_not_counted_on_where_other_arguments_follow() -> None:
    assert_refused(lambda: check_arguments("featviz.optim.projections.Clip", {"low": 3.0}), "clip.low", 3.0, "")
    check_arguments("featviz.optim.projections.Clip", {"low": 3.0}, complete=False)
