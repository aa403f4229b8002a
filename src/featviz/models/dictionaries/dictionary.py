"""A dictionary of concepts: the directions, how codes are found, and of which layer of which network they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.dictionaries.encoders import ENCODERS, Encoder

TOLERANCE = 1e-4  # by which mean and std of a network's pictures may differ


@dataclass(frozen=True)
class Source:
    """The layer whose activations a dictionary is of: ``network`` is a checksum of the weights.

    ``mean`` and ``std`` are those of the network's pictures for values in [0, 1].
    """

    model: str
    network: str
    layer: str
    module: str
    channels: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Dictionary:
    """Concepts of a layer, by the names that sparse autoencoders have for their weights.

    Args:
        method: how they were found: ``nmf``, ``pca``, ``kmeans``, ``sae``.
        W_enc: (channels, concepts).
        b_enc: (concepts,).
        W_dec: the concepts' directions, (concepts, channels).
        b_dec: (channels,), taken from activations before they are encoded, and added to what is decoded.
        activation: how codes are found: one of :data:`featviz.models.dictionaries.encoders.ENCODERS`.
        k: codes that are above zero at a position, at most; 0 where the activation has no such number.
        source: the layer; None where a file says nothing of it.

    Raises:
        FeatvizError: the shapes do not fit each other, or numbers are not finite.
    """

    method: str
    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    activation: str
    k: int = 0
    source: Source | None = None

    def __post_init__(self) -> None:
        """Refuse weights that do not belong together."""
        if self.activation not in ENCODERS:
            raise FeatvizError(
                f"unknown activation '{self.activation}' of a dictionary", got=self.activation, known=ENCODERS
            )
        if self.W_dec.ndim != 2:
            raise FeatvizError(f"W_dec has the shape {list(self.W_dec.shape)}", expected="(concepts, channels)")
        shapes = {"W_enc": (self.channels, self.concepts), "b_enc": (self.concepts,), "b_dec": (self.channels,)}
        for name, shape in shapes.items():
            if (got := tuple(getattr(self, name).shape)) != shape:
                raise FeatvizError(
                    f"{name} has the shape {list(got)}", got=got, expected=f"{list(shape)}, as W_dec has"
                )
        for name in ("W_enc", "b_enc", "W_dec", "b_dec"):
            if not getattr(self, name).isfinite().all():
                raise FeatvizError(f"{name} holds numbers that are not finite", got=name)
        if self.activation == "topk" and not 1 <= self.k <= self.concepts:
            what = f"k of a dictionary of {self.concepts} concepts is {self.k}"
            raise FeatvizError(what, got=self.k, expected=f"a number from 1 to {self.concepts}")

    def __repr__(self) -> str:
        """How many concepts of how many filters."""
        return f"Dictionary({self.method}, {self.concepts} concepts of {self.channels} filters)"

    @property
    def channels(self) -> int:
        """How many filters the layer has."""
        return self.W_dec.shape[-1]

    @property
    def concepts(self) -> int:
        """How many concepts there are."""
        return self.W_dec.shape[0]

    @cached_property
    def label(self) -> str:
        """Its method, and digits that differ for other weights: ``nmf-1f3c9a02``."""
        digest = hashlib.blake2b(f"{self.activation}/{self.k}".encode(), digest_size=4)
        for weights in (self.W_enc, self.b_enc, self.W_dec, self.b_dec):
            digest.update(weights.detach().cpu().float().contiguous().numpy().tobytes())
        return f"{self.method}-{digest.hexdigest()}"

    def encoder(self) -> Encoder:
        """What turns feature maps of the layer into those of the concepts."""
        return ENCODERS[self.activation](self.W_enc, self.b_enc, self.W_dec, self.b_dec, self.k)

    def check_source(self, here: Source, name: str) -> None:
        """Raise FeatvizError where the dictionary, whose file is ``name``, is of another layer or network."""
        if self.channels != here.channels:
            what = f"the concepts of {name} are of {self.channels} filters, and {here.module} has {here.channels}"
            raise FeatvizError(what, setting="layer", got=name)
        there = self.source
        if there is None:
            return
        if there.network != here.network:
            what = (
                f"the concepts of {name} are of another network: {there.model} with the checksum {there.network}, "
                f"not {here.model} with {here.network}"
            )
            raise FeatvizError(what, setting="model", got=here.model, expected="the network they were found in")
        if there.module != here.module:
            what = f"the concepts of {name} are of another layer: {there.module}, not {here.module}"
            raise FeatvizError(what, setting="layer", got=here.module, expected=f"layer={there.layer}@{name}")
        if _differ(there.mean, here.mean) or _differ(there.std, here.std):
            what = f"the concepts of {name} were found with other preprocessing of pictures"
            expected = f"model.mean={list(there.mean)} and model.std={list(there.std)}"
            raise FeatvizError(what, setting="model.mean", got=list(here.mean), expected=expected)


def _differ(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) != len(other) or any(abs(a - b) > TOLERANCE for a, b in zip(one, other, strict=True))
