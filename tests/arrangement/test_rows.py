"""Packing and parallel rows."""

import numpy as np
import pytest

import cvxrelu.arrangement as arr
from cvxrelu.arrangement.packing import pack_patterns
from cvxrelu.errors import InputError, InputTypeError


@pytest.mark.parametrize("n", [1, 7, 8, 9, 64, 65])
def test_unpack_inverts_pack(n):
    patterns = np.random.default_rng(n).random((5, n)) < 0.5
    packed = pack_patterns(patterns)
    assert packed.shape == (5, -(-n // 8))
    np.testing.assert_array_equal(arr.unpack_patterns(packed, n), patterns)


def test_unpack_refuses_other_blocks():
    with pytest.raises(InputError, match="shape"):
        arr.unpack_patterns(np.zeros((2, 2), dtype=np.uint8), 3)
    with pytest.raises(InputTypeError, match="uint8"):
        arr.unpack_patterns(np.zeros((2, 1)), 3)  # pyright: ignore[reportArgumentType]


def test_parallel_classes_without_bias():
    X = np.array([[0.0, 0.0], [1.0, 2.0], [-0.5, -1.0], [1.0, 2.0000001], [3.0, 6.0]])
    classes = arr.parallel_classes(X, bias=False)
    assert classes.representative.tolist() == [-1, 1, 1, 3, 1]
    assert classes.orientation.tolist() == [1, 1, -1, 1, 1]
    assert classes.leaders.tolist() == [1, 3]
    assert classes.zero.tolist() == [True, False, False, False, False]


def test_parallel_classes_with_bias_are_duplicates():
    classes = arr.parallel_classes([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [1.0, 2.0], [-0.0, 0.0]])
    assert classes.representative.tolist() == [0, 1, 2, 1, 0]


def test_an_ulp_apart_is_not_parallel():
    x = 0.1
    classes = arr.parallel_classes([[x], [np.nextafter(x, 1.0)]])
    assert classes.n_classes == 2
