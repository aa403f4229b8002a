from itertools import product

import pytest
from refusals import assert_refused

from featviz.shapes import EXPECTED, MOST_VALUES, Shape, Size, check_size, size_of_text


@pytest.mark.parametrize(
    ("size", "axes", "told", "plain"),
    [
        (224, (224, 224), "224", 224),
        ([36, 64], (36, 64), "36x64", (36, 64)),
        ((64, 64), (64, 64), "64", 64),
        ([40, 36, 64], (40, 36, 64), "40x36x64", (40, 36, 64)),
    ],
)
def test_sizes_as_people_type_them(size: Size, axes: tuple[int, ...], told: str, plain: Size) -> None:
    shape = Shape.of(size)
    assert (shape, str(shape), shape.size) == (axes, told, plain)
    assert Shape.of_text(told) == shape
    assert size_of_text(told) == (plain if isinstance(plain, int) else told)
    assert (shape.is_film, shape.frames) == (len(axes) == 3, axes[0] if len(axes) == 3 else 1)


@pytest.mark.parametrize("text", ["", "x", "36x", "4x4x4x4", "-3", "a"])
def test_texts_that_are_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|number above zero|expected px"):
        size_of_text(text)


@pytest.mark.parametrize(("sides", "ratio"), list(product([(36, 64), (7, 64, 32), (50, 50)], [0.5, 1.26, 3])))
def test_sides_grow_alike(sides: tuple[int, ...], ratio: float) -> None:
    shape = Shape(sides)
    assert shape.scaled(ratio) == tuple(max(round(ratio * side), 1) for side in sides)
    wider = shape.with_side(ratio * shape.side)
    assert wider.frames == shape.frames
    assert abs(wider[-1] * shape[-2] - wider[-2] * shape[-1]) <= max(shape.frame)
    assert wider.side == pytest.approx(ratio * shape.side, rel=0.1)
    assert shape.grown(4) == (*sides[:-2], sides[-2] + 4, sides[-1] + 4)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "a number above zero"),
        (-3, "a number above zero"),
        ([], EXPECTED),
        ([36], EXPECTED),
        ([1, 2, 3, 4], EXPECTED),
        ([36, 0], EXPECTED),
        ([36, -64], EXPECTED),
        ([36, 6.4], EXPECTED),
        (["a", "b"], EXPECTED),
        ([10**6, 10**6], f"at most {MOST_VALUES} px in all"),
        (10**6, f"at most {MOST_VALUES} px in all"),
    ],
)
def test_what_is_no_size(size: Size, expected: str) -> None:
    assert_refused(lambda: check_size("model.size", size), "model.size", size, expected)
