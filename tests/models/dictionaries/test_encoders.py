"""Encoders beside independent references, and the gradients that they have."""

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from torch import Tensor
from torch.nn import functional as F

from featviz.models.dictionaries import ENCODERS, Dictionary, Encoder
from featviz.models.redirected_relu import RedirectedReLU

CHANNELS, CONCEPTS = 12, 7


def encoder(activation: str, k: int = 0, mean: float = 0.0) -> Encoder:
    generator = torch.Generator().manual_seed(1)
    W_dec = F.normalize(torch.randn(CONCEPTS, CHANNELS, generator=generator), dim=1)
    b_enc = 0.1 * torch.randn(CONCEPTS, generator=generator)
    b_dec = mean * torch.randn(CHANNELS, generator=generator)
    return Dictionary("any", W_dec.T.contiguous(), b_enc, W_dec, b_dec, activation, k).encoder()


def activations(count: int = 3) -> Tensor:
    return torch.randn(count, CHANNELS, 4, 5, generator=torch.Generator().manual_seed(2))


def by_position(maps: Tensor) -> Tensor:
    return maps.movedim(1, 3).flatten(0, 2)


def test_projections_are_those_of_a_matrix() -> None:
    linear = encoder("linear", mean=1)
    expected = (by_position(activations()) - linear.b_dec) @ linear.W_enc + linear.b_enc
    torch.testing.assert_close(by_position(linear(activations())), expected)
    torch.testing.assert_close(by_position(encoder("relu", mean=1)(activations())), expected.clamp_min(0))


@pytest.mark.parametrize("k", [1, 3, CONCEPTS])
def test_the_largest_codes_are_kept(k: int) -> None:
    codes, every = (by_position(encoder(kind, k)(activations())) for kind in ("topk", "relu"))
    expected = torch.zeros_like(every).scatter(1, every.argsort(1)[:, -k:], 1) * every
    torch.testing.assert_close(codes, expected)


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_nonnegative_codes_are_those_of_scipy(mean: float) -> None:
    nonnegative = encoder("nonnegative", mean=mean)
    codes, rows = by_position(nonnegative(activations())), by_position(activations()) - nonnegative.b_dec
    expected = [nnls(nonnegative.W_dec.double().numpy().T, row)[0] for row in rows.double().numpy()]
    np.testing.assert_allclose(codes.numpy(), np.array(expected), atol=1e-4)


def test_a_centroid_is_near_itself() -> None:
    triangle = encoder("triangle")
    at_centroids = triangle.W_dec.T[None, :, :, None]
    codes = by_position(triangle(at_centroids))
    distances = torch.cdist(triangle.W_dec, triangle.W_dec)
    expected = (distances.mean(1, keepdim=True) - distances).clamp_min(0)
    torch.testing.assert_close(codes, expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(triangle.decode(codes), triangle.W_dec)


@pytest.mark.parametrize("activation", ENCODERS)
def test_a_picture_gets_the_same_codes_beside_others(activation: str) -> None:
    codes = encoder(activation, 2)
    assert torch.equal(codes(activations(5))[:2], codes(activations(5)[:2]))


@pytest.mark.parametrize("activation", ENCODERS)
def test_gradients_are_finite_and_lead_up(activation: str) -> None:
    codes, maps = encoder(activation, 2), activations().requires_grad_()
    for concept in range(CONCEPTS):
        before = codes(maps)[:, concept].mean()
        (gradient,) = torch.autograd.grad(before, maps)
        assert gradient.isfinite().all()
        assert codes(maps + gradient)[:, concept].mean() > before


@pytest.mark.parametrize("activation", ["relu", "topk", "nonnegative", "triangle"])
def test_a_concept_that_is_nowhere_gets_the_redirected_gradient(activation: str) -> None:
    codes = encoder(activation, 1)
    maps = -3 * codes.W_dec[0][None, :, None, None].expand(2, -1, 3, 3).clone().requires_grad_()
    assert not codes(maps)[:, 0].any()
    (plain,) = torch.autograd.grad(codes(maps)[:, 0].mean(), maps)
    with RedirectedReLU():
        (redirected,) = torch.autograd.grad(-codes(maps)[:, 0].mean(), maps)
    assert not plain.any()
    assert (-redirected * codes.W_dec[0][None, :, None, None]).sum() > 0
