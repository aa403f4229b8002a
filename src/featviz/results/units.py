"""Values as a network takes them, and what a file of them says of its unit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

KEY, MODEL = "values", "(picture - mean) / std, as the network takes them, float32"  # in a PNG's text


@dataclass(frozen=True)
class Units:
    """Between pictures and what the network sees of them: minus ``mean``, over ``std``, a number for each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def values(self, pictures: Tensor) -> Tensor:
        """What the network sees of pictures (N, C, ...)."""
        mean, std = (self._like(numbers, pictures) for numbers in (self.mean, self.std))
        return (pictures - mean) / std

    def picture(self, values: Tensor) -> Tensor:
        """The picture (C, ...) of which the network sees these values."""
        mean, std = (self._like(numbers, values[None])[0] for numbers in (self.mean, self.std))
        return values * std + mean

    def text(self) -> dict[str, str]:
        """For the PNG beside the values."""
        return {KEY: MODEL, "mean": json.dumps(self.mean), "std": json.dumps(self.std)}

    @classmethod
    def of_text(cls, text: Mapping[str, str]) -> Units | None:
        """The inverse of ``text``; None where there are no values in the network's unit.

        Raises:
            ValueError: the text is damaged.
        """
        if text.get(KEY) != MODEL:
            return None
        mean, std = (json.loads(text.get(name, "")) for name in ("mean", "std"))
        if not all(isinstance(each, list) and all(isinstance(one, float) for one in each) for each in (mean, std)):
            raise ValueError("its text holds no mean and std")
        return cls(tuple(mean), tuple(std))

    def _like(self, numbers: Sequence[float], pictures: Tensor) -> Tensor:
        return torch.tensor(numbers).to(pictures).view(1, -1, *[1] * (pictures.ndim - 2))
