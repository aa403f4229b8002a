"""All colors of a pixel at once, in a vector of the processor: Numba does not make one of a loop over three channels.

For functions compiled by Numba. In a *padded* picture each pixel has ``lanes(channels)`` numbers, of which the last may
mean nothing. Pictures are flat arrays of float32, places in them count numbers, and nobody checks them.

Numba keeps machine code on disk until the file of the compiled function changes: after a change here, delete
``__pycache__``.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WIDTH = 4  # float32 in the vectors that every processor has
ROUNDED_ONCE = ("contract",)  # a product and its sum may be one instruction


def lanes(channels: int) -> int:
    """How many numbers a padded pixel has."""
    return (channels + WIDTH - 1) // WIDTH * WIDTH


@intrinsic(prefer_literal=True)
def blend(_: Any, padded: Any, place: Any, row: Any, weights: Any, target: Any, at: Any, channels: Any) -> Any:
    """Write into ``target`` the sum of four pixels by their weights.

    They lie in a padded picture, with ``row`` numbers in a row, at ``place``, right of it, below and right below.
    """
    signature = types.void(padded, place, row, weights, target, at, channels)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        padded, place, row, weights, target, at, _ = arguments
        wide, narrow = _widths(channels)
        first, result = (_data(context, builder, signature.args[n], a) for n, a in ((0, padded), (4, target)))
        total = None
        for pixel, weight in zip(_four(builder, first, place, row, wide), _spread(builder, weights, wide), strict=True):
            term = builder.fmul(builder.load(pixel, align=4), weight, flags=ROUNDED_ONCE)
            total = builder.fadd(total, term, flags=ROUNDED_ONCE) if total else term
        builder.store(_resized(builder, total, narrow), _vector_at(builder, result, at, narrow), align=4)
        return context.get_dummy_value()

    return signature, generate


@intrinsic(prefer_literal=True)
def share_out(_: Any, source: Any, at: Any, weights: Any, padded: Any, place: Any, row: Any, channels: Any) -> Any:
    """The adjoint of ``blend``: add a pixel of ``source``, times their weights, to the four pixels."""
    signature = types.void(source, at, weights, padded, place, row, channels)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        source, at, weights, padded, place, row, _ = arguments
        wide, narrow = _widths(channels)
        given, first = (_data(context, builder, signature.args[n], a) for n, a in ((0, source), (3, padded)))
        number = _resized(builder, builder.load(_vector_at(builder, given, at, narrow), align=4), wide)
        for pixel, weight in zip(_four(builder, first, place, row, wide), _spread(builder, weights, wide), strict=True):
            term = builder.fmul(number, weight, flags=ROUNDED_ONCE)
            builder.store(builder.fadd(builder.load(pixel, align=4), term, flags=ROUNDED_ONCE), pixel, align=4)
        return context.get_dummy_value()

    return signature, generate


def _widths(channels: Any) -> tuple[int, int]:
    """Of a padded pixel and of another; the compiler has to know them."""
    return lanes(channels.literal_value), channels.literal_value


def _data(context: Any, builder: ir.IRBuilder, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


def _vector_at(builder: ir.IRBuilder, data: Any, place: Any, width: int) -> Any:
    return builder.bitcast(builder.gep(data, [place]), ir.VectorType(ir.FloatType(), width).as_pointer())


def _four(builder: ir.IRBuilder, data: Any, place: Any, row: Any, width: int) -> list[Any]:
    """The pixel at a place, the one right of it, the one below, and right below."""
    below, next_ = builder.add(place, row), ir.Constant(place.type, width)
    places = [place, builder.add(place, next_), below, builder.add(below, next_)]
    return [_vector_at(builder, data, each, width) for each in places]


def _spread(builder: ir.IRBuilder, weights: Any, width: int) -> list[Any]:
    """Each weight as a vector."""
    empty = ir.Constant(ir.VectorType(ir.FloatType(), width), ir.Undefined)
    first = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    each = [builder.extract_value(weights, at) for at in range(weights.type.count)]
    vectors = [builder.insert_element(empty, weight, ir.IntType(32)(0)) for weight in each]
    return [builder.shuffle_vector(vector, empty, first) for vector in vectors]


def _resized(builder: ir.IRBuilder, vector: Any, width: int) -> Any:
    """The first numbers of a vector, or all of them and zeros."""
    zeros = ir.Constant(vector.type, [0.0] * vector.type.count)
    taken = [min(at, vector.type.count) for at in range(width)]
    return builder.shuffle_vector(vector, zeros, ir.Constant(ir.VectorType(ir.IntType(32), width), taken))
