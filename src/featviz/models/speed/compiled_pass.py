"""A pass that torch.compile has made, for pictures of some shapes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from featviz.models.changed_gradients import ChangedGradients

#: From normalized pictures (N, C, H, W) to what modules return, by name.
Pass = Callable[[Tensor], dict[str, Tensor]]


class CompiledPass:
    """A pass that is compiled for pictures of certain shapes that need gradients, and no changed ones.

    All other pictures are passed as before, instead of being compiled for.
    """

    def __init__(self, plain: Pass) -> None:
        self._plain = plain
        self._compiled = plain
        self._shapes: set[tuple[int, ...]] = set()

    def compile_for(self, shapes: set[tuple[int, ...]], device: torch.device) -> None:
        """Compile for pictures of these shapes (N, C, H, W), for none without any; CUDA graphs are used on a GPU."""
        torch.compiler.reset()  # what was compiled for earlier layers takes memory, and counts against a limit
        self._compiled, self._shapes = self._plain, shapes
        if shapes:
            mode = "reduce-overhead" if device.type == "cuda" else None
            self._compiled = torch.compile(self._plain, dynamic=False, mode=mode)

    @property
    def in_use(self) -> bool:
        """Whether it is compiled for pictures of any shape."""
        return bool(self._shapes)

    def __call__(self, pictures: Tensor) -> dict[str, Tensor]:
        """Pass the pictures."""
        compiled = pictures.requires_grad and pictures.shape in self._shapes and not ChangedGradients.active
        return (self._compiled if compiled else self._plain)(pictures)
