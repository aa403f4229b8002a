"""Whether another network, which is shown a unit's picture, tells the unit's strongest photos from its weakest.

The two-choice experiment of Borowski et al. 2021 (arXiv 2010.12606) with a network in the place of people: of a photo
that the unit answers to strongly and one that it answers to least, which is more like the picture? As in Zimmermann et
al. 2024 (arXiv 2410.05993), likeness is that of features of a network. The score is the share of right choices, so that
no scale has to be calibrated: .5 is chance, and photos in the place of the picture are scored alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import torch
from torch import Tensor


def share_of_right_choices(likeness: Tensor, top: int) -> float:
    """How often one of the first ``top`` of (N,) numbers is larger than one of the others; equal ones count half."""
    strong, weak = likeness[:top, None], likeness[None, top:]
    if not strong.numel() or not weak.numel():
        return nan
    return ((strong > weak).double() + 0.5 * (strong == weak).double()).mean().item()


def agreement(picture: Tensor, top: Tensor, bottom: Tensor) -> float:
    """The score of a picture (F,), of directions like those of the strongest (T, F) and the weakest photos (B, F)."""
    return share_of_right_choices(torch.cat([top, bottom]) @ picture, len(top))


def photo_agreement(top: Tensor, bottom: Tensor) -> float:
    """The mean score of the strongest photos, each in the place of the picture, with the rest of them."""
    scores = [agreement(photo, torch.cat([top[:at], top[at + 1 :]]), bottom) for at, photo in enumerate(top)]
    return sum(scores) / len(scores) if scores else nan


def best_agreement(layers: Sequence[tuple[Tensor, Tensor, Tensor]]) -> tuple[float, float]:
    """The scores of a picture, and of photos, in the layer whose features tell the unit's photos apart best.

    ``layers`` are the directions of the picture (F,), the strongest (T, F) and the weakest photos (B, F). A unit that
    goes by texture is told by early layers, one that goes by objects by late ones; the picture has no say in which. Of
    layers that tell them equally well, as many do where photos are few, it is the last: it says most of what they show.
    """
    by_photos = [photo_agreement(top, bottom) for _, top, bottom in layers]
    known = [at for at, score in enumerate(by_photos) if score == score]
    if not known:
        return nan, nan
    best = max(known, key=lambda at: (by_photos[at], at))
    return agreement(*layers[best]), by_photos[best]
