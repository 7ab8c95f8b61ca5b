"""Eight signs at a time: the innermost step of the walk, written for the processor's vector unit.

For eight consecutive rows in two or three coordinates, value_i = sum_q rows_qi point_q; the signs become the
bits of one byte, lowest first, and the values that exceed a bound are counted. Compilers do not find the
instruction that collects the signs of a vector (MOVMSKPD on x86) in a loop over bits; a comparison of
vectors in LLVM's own language, its result read as an integer, is translated to it, and to what comes closest
on other processors.

No operation is fused or reordered, comparisons are false for NaN: the values are those of the plain loop.
"""

from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core.cgutils import gep, unpack_tuple
from numba.extending import intrinsic

__all__ = ["LANES", "eight_signs"]

LANES = 8


def _eight_signs(typing_context, rows, at, point, bound):
    """Return the signs of eight values as bits 0 to 7, and how many are certain in the bits above.

    Called as eight_signs(rows, at, point, bound), in compiled code only.

    Parameters
    ----------
    rows : tuple of contiguous arrays of float64
        Coordinates; entries at, ..., at + 7 are read, without a check of bounds.
    at : int64
        The first row.
    point : tuple of float64
        As many coordinates.
    bound : float64
        What the absolute value of a certain inner product exceeds, not negative.

    Returns
    -------
    int64
        Sum of 2^i over the positive values, plus 256 times the number of certain ones.
    """
    signature = types.int64(rows, types.int64, point, types.float64)

    def generate(context, builder, signature, arguments):
        wide = ir.VectorType(ir.DoubleType(), LANES)
        rows, at, point, bound = arguments
        row_type = signature.args[0].dtype

        def load(array):
            data = context.make_array(row_type)(context, builder, array).data
            return builder.load(builder.bitcast(gep(builder, data, at), wide.as_pointer()), align=8)

        def spread(scalar):
            undefined = ir.Constant(wide, ir.Undefined)
            first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), None))

        def bits(comparison):
            return builder.bitcast(comparison, ir.IntType(LANES))

        terms = [
            builder.fmul(load(array), spread(coordinate))
            for array, coordinate in zip(unpack_tuple(builder, rows), unpack_tuple(builder, point), strict=True)
        ]
        value = terms[0]
        for term in terms[1:]:
            value = builder.fadd(value, term)
        positive = bits(builder.fcmp_ordered(">", value, ir.Constant(wide, None)))
        word = ir.IntType(64)
        words = ir.VectorType(word, LANES)
        size = builder.and_(builder.bitcast(value, words), ir.Constant(words, [2**63 - 1] * LANES))
        certain = builder.ctpop(bits(builder.fcmp_ordered(">", builder.bitcast(size, wide), spread(bound))))
        shifted = builder.shl(builder.zext(certain, word), ir.Constant(word, LANES))
        return builder.or_(builder.zext(positive, word), shifted)

    return signature, generate


eight_signs: Callable[..., int] = intrinsic(_eight_signs)
