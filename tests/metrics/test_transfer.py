"""What a judge says of classes, against NumPy, and which of its classes is which."""

from functools import partial

import numpy as np
import pytest
import torch
from refusals import assert_refused
from torch import nn

from featviz.metrics.judges import Judge
from featviz.metrics.transfer import class_numbers, transfer
from featviz.models.model import Model


def model(name: str, *classes: str, count: int = 0) -> Model:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, count or len(classes)))
    return Model(name, network, (0.5,), (0.5,), 16, "random", classes=classes)


def test_shares_and_ranks() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
    numbers = [at % 12 for at in range(50)]
    found = transfer(torch.from_numpy(logits), numbers)
    own, shares = np.arange(50), np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    place = (-logits).argsort(1).argsort(1)[own, numbers]
    assert found[""] == pytest.approx(shares[own, numbers], abs=1e-6)
    assert found["_top1"] == (place == 0).tolist()
    assert found["_top5"] == (place < 5).tolist()
    assert 0 < np.mean(found["_top1"]) < np.mean(found["_top5"]) < 1


def test_classes_go_by_name_where_names_differ_and_by_number_otherwise() -> None:
    animals, same = model("one", "cat", "dog", "cat"), Judge(model("two", "cat", "dog", "cat"))
    assert class_numbers(same, animals, [0, 2, 1], 3) == [0, 2, 1]
    more = Judge(model("three", "bird", "dog", "fish", "cat"))
    assert class_numbers(more, animals, [0, 1, 0], 3) == [3, 1, 3]
    unnamed = Judge(model("four", count=3))
    assert class_numbers(unnamed, animals, [2, 1], 3) == [2, 1]


def test_a_judge_of_other_classes_is_refused() -> None:
    animals = model("one", "cat", "dog", "horse")
    few = partial(class_numbers, Judge(model("two", count=2)), animals, [0], 3)
    assert_refused(few, "evidence.judges", "two", "judges of the same classes, or names for both networks' classes")
    unknown = partial(class_numbers, Judge(model("three", "car", "dogs")), animals, [1], 3)
    assert_refused(unknown, "evidence.judges", "dog", "dogs")
