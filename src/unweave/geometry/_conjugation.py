"""The inner loop of the Laplacian, written for LLVM in vectors of eight numbers.

Loops over slices are five times slower here for few dimensions: a compiler neither keeps small
matrices in registers nor sees that their arrays are apart. Imported on first use.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from unweave._compiled import njit
from unweave.geometry._block import BLOCK

__all__ = ["operator"]


@intrinsic(prefer_literal=True)
def _add_conjugate(typing_context, total, matrix, transport, n_dims):  # noqa: D417
    """Add Q W Q^T, for eight packed W at once, to eight packed matrices.

    Arguments are the addresses of total and W (k (k + 1) / 2, 8) and of Q (k, k), float32, and k, a
    constant. Entries off the diagonal are packed with a factor of the square root of 2: here W
    loses it, and the result is to be given it.
    """
    k = n_dims.literal_value
    signature = types.void(types.uintp, types.uintp, types.uintp, n_dims)

    def packed(a: int, c: int) -> int:
        low, high = sorted((a, c))
        return low * k - low * (low - 1) // 2 + high - low

    def generate(context, builder, _, arguments):
        number, index = ir.FloatType(), ir.IntType(32)
        vector = ir.VectorType(number, BLOCK)
        kinds = (vector, vector, number)
        total, matrix, transport = (
            builder.inttoptr(address, kind.as_pointer())
            for address, kind in zip(arguments, kinds, strict=False)
        )

        def load(pointer, i: int):
            value = builder.load(builder.gep(pointer, [index(i)]))
            value.align = 4
            return value

        nothing = ir.Constant(vector, ir.Undefined)
        everywhere = ir.Constant(ir.VectorType(index, BLOCK), [0] * BLOCK)

        def q(a: int, b: int):
            first = builder.insert_element(nothing, load(transport, a * k + b), index(0))
            return builder.shuffle_vector(first, nothing, everywhere)

        def times(x, y):
            return builder.fmul(x, y, flags=("contract",))

        def plus(x, y):
            return builder.fadd(x, y, flags=("contract",))

        half = ir.Constant(vector, [float(np.float32(np.sqrt(0.5)))] * BLOCK)
        turned = {}  # Q W
        for c in range(k):
            column = [load(matrix, packed(b, c)) for b in range(k)]
            column = [w if b == c else times(w, half) for b, w in enumerate(column)]
            for a in range(k):
                entry = times(column[0], q(a, 0))
                for b in range(1, k):
                    entry = plus(entry, times(column[b], q(a, b)))
                turned[a, c] = entry
        for a in range(k):
            for c in range(a, k):
                entry = load(total, packed(a, c))
                for b in range(k):
                    entry = plus(entry, times(turned[a, b], q(c, b)))
                builder.store(entry, builder.gep(total, [index(packed(a, c))])).align = 4
        return context.get_dummy_value()

    return signature, generate


@cache
def operator(k: int):
    """``scale L block + own block + back previous`` for rows ``first`` to ``last`` of a graph."""
    size = k * (k + 1) // 2
    matrix_bytes, transport_bytes = 4 * BLOCK * size, 4 * k * k
    twice = np.float32(np.sqrt(2.0))

    @njit(nogil=True)
    def apply(
        starts, others, transport, diagonal, block, previous, factors, result, first, last
    ):  # pragma: no cover - compiled
        total = np.empty((size, BLOCK), dtype=np.float32)
        sums, matrices, transports = total.ctypes.data, block.ctypes.data, transport.ctypes.data
        scale, own, back = factors
        for i in range(first, last):
            total[:] = 0
            for edge in range(starts[i], starts[i + 1]):
                _add_conjugate(
                    types.uintp(sums),
                    types.uintp(matrices + np.int64(others[edge]) * matrix_bytes),
                    types.uintp(transports + edge * transport_bytes),
                    k,
                )
            here = scale * diagonal[i] + own
            m = 0
            for a in range(k):
                for c in range(a, k):
                    away = scale if a == c else scale * twice
                    for v in range(BLOCK):
                        result[i, m, v] = (
                            here * block[i, m, v] - away * total[m, v] + back * previous[i, m, v]
                        )
                    m += 1

    return apply
