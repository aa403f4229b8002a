from functools import partial

import pytest
import torch
from refusals import refusal_of

from featviz.objectives import Cap, Channel, Contrast, Objective, Variants


@pytest.mark.parametrize("of", [Channel, partial(Contrast, against=[0])])
def test_beyond_the_level_there_is_no_gradient(of: type[Objective]) -> None:
    maps = torch.zeros(2, 3, 4, 4)
    maps[:, 1] = torch.tensor([0.5, 3.0]).view(2, 1, 1)
    maps.requires_grad_()
    objective = Cap("a", [1], of, 2.0)
    scores = objective({"a": maps})
    scores.sum().backward()
    assert scores.tolist() == [0.5, 2.0]
    assert maps.grad.flatten(1).any(1).tolist() == [True, False]
    assert objective.fulfilled({"a": maps}).tolist() == [False, True]
    assert objective.activation({"a": maps}).tolist() == [0.5, 3.0]


def test_what_the_objective_inside_needs_is_told() -> None:
    assert Cap("a", [1, 1], Variants, 2.0).uses_variants
    assert Cap("a", [1, 1], Variants, 2.0).needs_pixels
    assert refusal_of(lambda: Cap("a", [1], None, 2.0)).setting == "objective.of"  # type: ignore[arg-type]
