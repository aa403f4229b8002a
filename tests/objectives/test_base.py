import numpy as np
import pytest
import torch

from featviz.objectives import Channel, Objective, filter_activations

A, B = Channel("a", [2, 0, 2]), Channel("b", [1, 1, 0])
COMBINED = {
    "one": (A, lambda a, _: a, "channel(a)"),
    "sum": (A + B, lambda a, b: a + b, "channel(a) + channel(b)"),
    "difference": (A - B, lambda a, b: a - b, "channel(a) + -1 * (channel(b))"),
    "weighted": (0.25 * A, lambda a, _: 0.25 * a, "0.25 * (channel(a))"),
    "weighted from the right": (A * 0.25, lambda a, _: 0.25 * a, "0.25 * (channel(a))"),
    "negative": (-A, lambda a, _: -a, "-1 * (channel(a))"),
    "all together": (-(0.5 * A + 2 * B) - A, lambda a, b: -1.5 * a - 2 * b, None),
}


@pytest.fixture
def maps() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"a": torch.randn(3, 4, 5, 6, generator=generator), "b": torch.randn(3, 2, 1, 1, generator=generator)}


@pytest.mark.parametrize("case", COMBINED)
def test_objectives_combine_like_numbers(case: str, maps: dict[str, torch.Tensor]) -> None:
    objective, expected, name = COMBINED[case]
    a = np.array([maps["a"][i, c].double().mean() for i, c in enumerate([2, 0, 2])])
    b = np.array([maps["b"][i, c].double().mean() for i, c in enumerate([1, 1, 0])])
    scores = objective(maps)
    assert isinstance(objective, Objective)
    assert scores.shape == (3,)
    np.testing.assert_allclose(scores, expected(a, b), atol=1e-6)
    assert name is None or str(objective) == name


@pytest.mark.parametrize("case", COMBINED)
def test_the_score_of_a_picture_does_not_depend_on_the_others(case: str, maps: dict[str, torch.Tensor]) -> None:
    objective = COMBINED[case][0]
    before = objective(maps)
    for features in maps.values():
        features[1] = torch.inf
    after = objective(maps)
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert not torch.equal(after[1], before[1])


def test_a_filter_gets_a_gradient_at_its_own_feature_map_alone(maps: dict[str, torch.Tensor]) -> None:
    features = maps["a"].requires_grad_()
    A(maps).sum().backward()
    expected = torch.zeros(3, 4, 5, 6)
    expected[[0, 1, 2], [2, 0, 2]] = 1 / 30
    torch.testing.assert_close(features.grad, expected)


def test_half_precision_maps_are_averaged_in_single_precision() -> None:
    maps = torch.full((1, 1, 300, 300), 1.001, dtype=torch.bfloat16)
    assert filter_activations(maps, [0]).item() == pytest.approx(maps[0, 0, 0, 0].item(), rel=1e-5)
