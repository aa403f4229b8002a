"""The shape of a picture (height, width) or a film (frames, height, width), and how people type it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from featviz.errors import FeatvizError

#: What is typed, and what tables show: 224 for a square of 224 px, (36, 64) for height and width, (40, 36, 64) for a
#: film of 40 frames.
Size = int | Sequence[int]

EXPECTED = "px such as 224, [36,64] as height and width, or [40,36,64] as frames, height and width"
MOST_VALUES = 2**28  # of a channel of one picture


def check_size(setting: str, size: Size) -> None:
    """Raise FeatvizError for what is the size of no picture and no film, or of one that no memory holds."""
    _check_sides(setting, size)
    sides = [size, size] if isinstance(size, int) else size
    if math.prod(sides) > MOST_VALUES:
        raise FeatvizError(setting=setting, got=size, expected=f"at most {MOST_VALUES} px in all")


def _check_sides(setting: str, size: Size) -> None:
    if isinstance(size, int) and not size > 0:
        raise FeatvizError(setting=setting, got=size, expected="a number above zero")
    sides = [size, size] if isinstance(size, int) else list(size)
    if len(sides) not in (2, 3) or not all(isinstance(side, int) and side > 0 for side in sides):
        raise FeatvizError(setting=setting, got=size, expected=EXPECTED)


class Shape(tuple[int, ...]):
    """Height and width of a picture in px, or frames, height and width of a film.

    Example:
        >>> Shape.of(224), str(Shape.of([40, 36, 64])), Shape.of((36, 64)).scaled(2).size
        ((224, 224), '40x36x64', (72, 128))
    """

    __slots__ = ()

    @classmethod
    def of(cls, size: Size, setting: str = "size") -> Shape:
        """The shape of a size as people type it; FeatvizError, which names ``setting``, where it is none."""
        return _of(size if isinstance(size, int) else tuple(size), setting)

    @classmethod
    def of_text(cls, text: str) -> Shape:
        """The inverse of ``str``; ValueError where a text is none of a shape."""
        sides = [int(side) for side in text.split("x")]
        return cls.of(sides[0] if len(sides) == 1 else sides)

    @property
    def size(self) -> int | tuple[int, ...]:
        """As people type it: one number for a square."""
        return self[0] if self.is_square else tuple(self)

    @property
    def is_square(self) -> bool:
        """Whether it is a picture as high as wide."""
        return len(self) == 2 and self[0] == self[1]

    @property
    def is_film(self) -> bool:
        """Whether it has frames."""
        return len(self) == 3

    @property
    def frame(self) -> Shape:
        """Height and width."""
        return Shape(self[-2:])

    @property
    def frames(self) -> int:
        """How many frames; a picture has one."""
        return self[0] if self.is_film else 1

    @property
    def side(self) -> float:
        """The side of the square with as many px as a frame; a whole number for a square."""
        height, width = self.frame
        return height if height == width else math.sqrt(height * width)

    @property
    def values(self) -> int:
        """How many px, of all frames."""
        return math.prod(self)

    def grown(self, pixels: int) -> Shape:
        """Higher and wider by so many px."""
        return Shape((*self[:-2], *(side + pixels for side in self.frame)))

    def scaled(self, ratio: float) -> Shape:
        """All axes times a number, rounded; at least 1."""
        return Shape(max(round(ratio * side), 1) for side in self)

    def with_side(self, side: float) -> Shape:
        """Frames of the same proportions with as many px as a square of that side; as many frames."""
        return Shape((*self[:-2], *self.frame.scaled(side / self.side)))

    def with_frame(self, size: Size) -> Shape:
        """As many frames of another height and width."""
        return Shape((*self[:-2], *Shape.of(size)))

    def __str__(self) -> str:
        """``224`` for a square, else ``36x64`` or ``40x36x64``."""
        return str(self[0]) if self.is_square else "x".join(map(str, self))

    def each(self) -> str:
        """All axes in words: ``224 x 224``."""
        return " x ".join(map(str, self))


@lru_cache(maxsize=256)
def _of(size: int | tuple[int, ...], setting: str) -> Shape:
    _check_sides(setting, size)
    return Shape((size, size) if isinstance(size, int) else size)


def size_of_text(text: str) -> int | str:
    """A size in a table: a number for a square, else ``36x64``; ValueError where it is none."""
    return int(text) if text.isdecimal() else str(Shape.of_text(text))
