"""From activations to concepts, position by position: the encoders of dictionaries.

All work on feature maps by convolutions of one position, as networks do, so that a picture gets the same numbers alone
as beside others. Where a code is zero since a rectifier is closed, that is a rectifier of torch's, through which
gradients can be redirected (:mod:`featviz.models.redirected_relu`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

STEPS, RESTART = 150, 50  # towards nonnegative least squares, and after how many momentum starts anew
TINY = 1e-6  # added to squared distances, whose root has no gradient at zero


class Encoder(nn.Module):
    """Called with feature maps (N, channels, h, w), it returns those of concepts, (N, concepts, h, w).

    Args:
        W_enc: (channels, concepts).
        b_enc: (concepts,).
        W_dec: (concepts, channels).
        b_dec: (channels,).
        k: of those that keep so many codes at a position.
    """

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor

    def __init__(self, W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, b_dec: Tensor, k: int = 0) -> None:
        super().__init__()
        for name, weights in {"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec}.items():
            self.register_buffer(name, weights.detach().clone().float())
        self.k = k

    def linear(self, maps: Tensor) -> Tensor:
        """``(maps - b_dec) W_enc + b_enc``."""
        bias = self.b_enc - self.b_dec @ self.W_enc
        return at_positions(maps, self.W_enc.T, bias)

    def decode(self, codes: Tensor) -> Tensor:
        """Activations (P, channels) that codes (P, concepts) stand for."""
        return codes @ self.W_dec + self.b_dec


class LinearEncoder(Encoder):
    """Projections on directions, of what is left without the mean: principal components."""

    @override
    def forward(self, maps: Tensor) -> Tensor:
        return self.linear(maps)


class RectifiedEncoder(Encoder):
    """Of a sparse autoencoder with a rectifier."""

    @override
    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.linear(maps))


class TopKEncoder(Encoder):
    """Of a sparse autoencoder that keeps the ``k`` largest codes at each position (Gao et al. 2024, 2406.04093)."""

    @override
    def forward(self, maps: Tensor) -> Tensor:
        codes = self.linear(maps)
        known = codes.detach()
        kept = torch.zeros_like(known, dtype=torch.bool).scatter(1, known.topk(self.k, 1).indices, True)
        return F.relu(codes - known.clamp_min(0).masked_fill(kept, 0))  # those that are not kept are zero, or below


class NonnegativeEncoder(Encoder):
    """Nonnegative least squares: the codes, none below zero, whose sum of directions is nearest to the activation.

    It is how factors found by NMF are applied to new activations (Fel et al. 2023, CRAFT, arXiv 2211.10154). Solved by
    accelerated projected gradient (Beck and Teboulle 2009) with fixed restarts (O'Donoghue and Candès 2015). The
    gradient is that of a last coordinate step: how each code changes while the others are held.
    """

    gram: Tensor
    contraction: Tensor

    def __init__(self, W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, b_dec: Tensor, k: int = 0) -> None:
        super().__init__(W_enc, b_enc, W_dec, b_dec, k)
        self.register_buffer("gram", self.W_dec @ self.W_dec.T)
        self.step = 1 / max(float(torch.linalg.eigvalsh(self.gram.double())[-1]), TINY)
        self.register_buffer("contraction", torch.eye(len(self.gram)) - self.step * self.gram)

    @override
    def forward(self, maps: Tensor) -> Tensor:
        projections = at_positions(maps, self.W_dec, -self.W_dec @ self.b_dec)
        with torch.no_grad():
            codes = self._solved(projections.detach().flatten(2)).reshape(projections.shape)
            slope = at_positions(codes, self.gram)
        lengths = self.gram.diagonal().clamp_min(TINY)[:, None, None]
        return F.relu(codes + (projections - slope) / lengths)

    def _solved(self, projections: Tensor) -> Tensor:
        """The codes for projections (N, concepts, P) of activations on the directions."""
        towards, matrix = self.step * projections, self.contraction.expand(len(projections), -1, -1)
        codes = ahead = torch.zeros_like(projections)
        for at in range(STEPS):
            moved = torch.baddbmm(towards, matrix, ahead).clamp_min_(0)
            ahead = torch.lerp(codes, moved, 1 + _momentum(at % RESTART))
            codes = moved
        return codes


def _momentum(step: int) -> float:
    """Nesterov's, of a step."""
    return step / (step + 3)


class TriangleEncoder(Encoder):
    """How much nearer a centroid is than centroids are on average, and zero for those that are farther.

    The *triangle* of Coates, Lee and Ng 2011 (An Analysis of Single-Layer Networks in Unsupervised Feature Learning),
    which keeps more of an activation than the number of the nearest centroid alone.
    """

    @override
    def forward(self, maps: Tensor) -> Tensor:
        lengths = self.W_dec.square().sum(1)
        squares = at_positions(maps, -2 * self.W_dec, lengths) + maps.square().sum(1, keepdim=True)
        distances = (squares.abs() + TINY).sqrt()  # rounding leads below zero
        return F.relu(distances.mean(1, keepdim=True) - distances)

    @override
    def decode(self, codes: Tensor) -> Tensor:
        """The nearest centroids."""
        return self.W_dec[codes.argmax(1)]


def at_positions(maps: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
    """Feature maps (N, channels, h, w) by a matrix (outputs, channels), at each position."""
    return F.conv2d(maps, weights[:, :, None, None], bias)


#: Encoders by the name that files have for how codes are found.
ENCODERS: dict[str, type[Encoder]] = {
    "linear": LinearEncoder,
    "relu": RectifiedEncoder,
    "topk": TopKEncoder,
    "nonnegative": NonnegativeEncoder,
    "triangle": TriangleEncoder,
}
