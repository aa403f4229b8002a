"""Contexts in which a network hands back other gradients than its own, with the same outputs."""

from __future__ import annotations

from typing import Any, ClassVar

from torch.overrides import TorchFunctionMode


class ChangedGradients(TorchFunctionMode):
    """Within it some functions have other gradients. What is compiled knows none of it, and is not used meanwhile."""

    active: ClassVar[int] = 0  # how many are in force: of all kinds, and for each kind those of it

    def __init_subclass__(cls) -> None:
        """Count this kind by itself."""
        cls.active = 0

    def __enter__(self) -> Any:
        """Count it."""
        ChangedGradients.active += 1
        type(self).active += 1
        return super().__enter__()  # type: ignore[no-untyped-call]

    def __exit__(self, *raised: Any) -> None:
        """Count it no longer."""
        ChangedGradients.active -= 1
        type(self).active -= 1
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
