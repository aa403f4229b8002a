"""Whether another network sees the class in a class's picture: the transferability of MACO (arXiv 2306.06805)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.metrics.judges import Judge
from featviz.models.model import Model


def class_numbers(judge: Judge, model: Model, numbers: Sequence[int], count: int) -> list[int]:
    """The numbers that classes of a model have in a judge.

    Where both name their classes, differently, it is the class of the same name; otherwise the same number.

    Args:
        judge: the second network.
        model: whose classes they are.
        numbers: the classes.
        count: how many classes the model has.

    Raises:
        FeatvizError: the judge does not know one of them.
    """
    named = len(model.classes) == count and len(judge.classes) == judge.class_count
    if named and model.classes != judge.classes:
        return [_number_of(judge, model.classes[number]) for number in numbers]
    if judge.class_count != count:
        what = f"{judge.name} tells {judge.class_count} classes apart, but {model.name} {count}"
        expected = "judges of the same classes, or names for both networks' classes"
        raise FeatvizError(what, setting="evidence.judges", got=judge.name, expected=expected)
    return list(numbers)


def _number_of(judge: Judge, name: str) -> int:
    if name not in judge.classes:
        what = f"{judge.name} has no class '{name}'"
        raise FeatvizError(what, setting="evidence.judges", got=name, known=judge.classes)
    return judge.classes.index(name)


def transfer(logits: Tensor, numbers: Sequence[int]) -> dict[str, list[float]]:
    """What logits (N, classes) say of pictures of the classes ``numbers``, by what it is called after the judge's name.

    The probability of the class has no further name; ``top1`` and ``top5`` are 1 where it is the first, or among the
    first five, and 0 otherwise.
    """
    rows = torch.arange(len(logits))
    own = logits[rows, torch.tensor(numbers)]
    rank = (logits > own[:, None]).sum(1)  # from 0
    return {
        "": logits.softmax(1)[rows, torch.tensor(numbers)].tolist(),
        "_top1": (rank < 1).double().tolist(),
        "_top5": (rank < 5).double().tolist(),
    }
