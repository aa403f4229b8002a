"""Changes of the gradient before the optimizer sees it, each picture by itself."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

#: The gradient of the image's values, (N, ...), to another of that shape. Pictures never meet in one.
GradientChange = Callable[[Tensor], Tensor]
