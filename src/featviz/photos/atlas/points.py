"""The points of an atlas: what a layer answers with at positions of photos, drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from featviz.filters import seed_of

LIKELY = 5  # classes that are kept of each photo

#: Of all photos: a value for each of them, or for each of their positions.
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Points:
    """The activations of one layer at drawn positions, one after the other, in an order that only contents decide.

    Attributes:
        photos: the file of each point, (N,).
        rows: where in the feature map it is, (N,), and so are ``columns``.
        vectors: its activations, (N, filters).
        classes: the numbers of the photo's most likely classes, (N, up to 5); (N, 0) where the network has none.
        shares: their probabilities, (N, up to 5).
    """

    photos: Sequence[Path]
    rows: Array
    columns: Array
    vectors: Array
    classes: Array
    shares: Array

    def __len__(self) -> int:
        return len(self.vectors)


class PointCollector:
    """Takes in feature maps batch by batch, and keeps of each photo the vectors at its drawn positions.

    A position is drawn from the seed, the layer and the photo's own pixels, so that neither the order of photos nor
    others beside it change it. Positions at the border are left out where there are others, since the padding shows
    there (Carter et al. 2019, distill.pub/2019/activation-atlas).

    Args:
        modules: the layers by the name they were asked for, and their modules.
        per_photo: positions of each photo; all of them in a layer that has fewer.
        seed: of the draws.
    """

    def __init__(self, modules: Mapping[str, str], per_photo: int, seed: int) -> None:
        self.modules, self.per_photo, self.seed = dict(modules), per_photo, seed
        self._digests = list[str]()
        self._numbers = list[int]()
        self._vectors: dict[str, list[Tensor]] = {layer: [] for layer in modules}  # (photos, P, filters) each
        self._places: dict[str, list[Tensor]] = {layer: [] for layer in modules}  # (photos, P, 2) each
        self._classes = list[Tensor]()
        self._shares = list[Tensor]()

    def add(self, numbers: Sequence[int], pictures: Tensor, maps: Mapping[str, Tensor], logits: Tensor | None) -> None:
        """Take in a batch: its photos' numbers, pixels (N, C, S, S), feature maps, and logits (N, classes)."""
        digests = [_digest(picture) for picture in pictures]
        for layer, module in self.modules.items():
            height, width = maps[layer].shape[2:]
            seeds = [seed_of(self.seed, module, digest) for digest in digests]
            places = torch.stack([drawn_places(height, width, self.per_photo, seed) for seed in seeds])
            rows, columns = places.to(maps[layer].device).unbind(2)
            photos = torch.arange(len(places), device=maps[layer].device)[:, None]
            self._vectors[layer].append(maps[layer].movedim(1, 3)[photos, rows, columns].float().cpu())
            self._places[layer].append(places)
        self._digests += digests
        self._numbers += numbers
        if logits is not None:
            shares, classes = logits.float().softmax(1).cpu().topk(min(LIKELY, logits.shape[1]))
            self._shares.append(shares)
            self._classes.append(classes)

    def points(self, files: Sequence[Path]) -> dict[str, Points]:
        """The points of all layers; ``files`` are those that the numbers are of."""
        photos = [files[number] for number in self._numbers]
        order = sorted(range(len(photos)), key=lambda at: (self._digests[at], str(photos[at])))
        return {layer: self._points(layer, photos, order) for layer in self.modules}

    def _points(self, layer: str, photos: Sequence[Path], order: Sequence[int]) -> Points:
        vectors, places = torch.cat(self._vectors[layer])[order], torch.cat(self._places[layer])[order]
        of_point = [at for at in order for _ in range(vectors.shape[1])]
        classes = torch.cat(self._classes)[of_point] if self._classes else torch.empty(len(of_point), 0).long()
        shares = torch.cat(self._shares)[of_point] if self._shares else torch.empty(len(of_point), 0)
        rows, columns = places.flatten(0, 1).unbind(1)
        return Points(
            photos=[photos[at] for at in of_point],
            rows=rows.numpy(),
            columns=columns.numpy(),
            vectors=vectors.flatten(0, 1).numpy(),
            classes=classes.numpy(),
            shares=shares.numpy(),
        )

    def state(self) -> dict[str, Any]:
        """All that has been kept, as plain values and tensors."""
        return {
            "digests": list(self._digests),
            "numbers": list(self._numbers),
            "vectors": {layer: list(some) for layer, some in self._vectors.items()},
            "places": {layer: list(some) for layer, some in self._places.items()},
            "classes": list(self._classes),
            "shares": list(self._shares),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self._digests, self._numbers = state["digests"], state["numbers"]
        self._vectors, self._places = state["vectors"], state["places"]
        self._classes, self._shares = state["classes"], state["shares"]


def drawn_places(height: int, width: int, count: int, seed: int) -> Tensor:
    """Rows and columns (P, 2) of ``count`` different positions, or of all that there are to draw from."""
    top, left = (int(side > 2) for side in (height, width))
    inner = width - 2 * left
    free = (height - 2 * top) * inner
    drawn = torch.randperm(free, generator=torch.Generator().manual_seed(seed))[:count]
    return torch.stack([drawn // inner + top, drawn % inner + left], 1)


def _digest(picture: Tensor) -> str:
    """What tells a photo by its pixels, as the network is shown them."""
    levels = picture.mul(255).round().to(torch.uint8).cpu().numpy()
    return blake2b(levels.tobytes(), digest_size=16).hexdigest()
