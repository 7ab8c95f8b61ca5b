"""The arrangement: counts, order, blocks, guards."""

import numpy as np
import pytest

import cvxrelu.arrangement as arr
from cvxrelu.errors import InputError, InputTypeError, SizeError
from tests.arrangement.instances import KNOWN, as_set, brute_force


@pytest.mark.parametrize(("name", "X", "bias", "count"), KNOWN, ids=[row[0] for row in KNOWN])
def test_known_counts(name, X, bias, count):
    patterns = arr.enumerate_patterns(X, bias).packed()
    assert len(patterns) == count
    assert len(np.unique(patterns, axis=0)) == count


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_small_data_agrees_with_linear_programs(d, bias):
    X = np.random.default_rng(d).standard_normal((7, d))
    X[3] = X[1]
    arrangement = arr.enumerate_patterns(X, bias)
    assert as_set(arrangement.to_bool()) == as_set(brute_force(arrangement.lifted))


@pytest.mark.parametrize("bias", [True, False])
def test_zero_rows_are_positive(bias):
    X = np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]])
    patterns = arr.enumerate_patterns(X, bias).to_bool()
    if bias:
        assert as_set(patterns) == {(a, b, a) for a in (True, False) for b in (True, False)}
    else:
        assert as_set(patterns) == {(True, True, True), (True, False, True)}


def test_all_rows_zero_is_one_cell():
    arrangement = arr.enumerate_patterns(np.zeros((3, 2)), bias=False)
    assert len(arrangement) == 1
    assert arrangement.to_bool().tolist() == [[True, True, True]]
    assert not arrangement.facets().any()
    assert arrangement.witnesses().shape == (1, 2)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_blocks_are_bounded_and_hold_every_pattern_once(size):
    arrangement = arr.enumerate_patterns(np.random.default_rng(0).standard_normal((12, 2)))
    blocks = list(arrangement.blocks(size))
    assert max(map(len, blocks)) <= size
    joined = np.concatenate(blocks)
    assert len(joined) == len(arrangement) == arr.count_patterns(12, 2)
    assert as_set(joined) == as_set(arrangement.packed())


def test_half_blocks_are_the_patterns_whose_first_nonzero_row_is_positive():
    X = np.array([[0.0, 0.0], [-1.0, 2.0], [3.0, 1.0], [1.0, 1.0]])
    arrangement = arr.enumerate_patterns(X, bias=False)
    half = arr.unpack_patterns(np.concatenate(list(arrangement.half_blocks(3))), 4)
    patterns = arrangement.to_bool()
    assert as_set(half) == as_set(patterns[patterns[:, 1]])
    np.testing.assert_array_equal(patterns[: len(half)], half)


def test_general_position_is_covers_count():
    for n, d, bias in [(40, 2, True), (15, 3, True), (10, 5, True), (12, 4, False), (3, 6, True)]:
        X = np.random.default_rng(n).standard_normal((n, d))
        assert len(arr.enumerate_patterns(X, bias)) == arr.count_patterns(n, d, bias)


def test_too_large_is_refused_with_the_count_and_the_way_out():
    arrangement = arr.enumerate_patterns(np.random.default_rng(0).standard_normal((1000, 5)))
    for method in (arrangement.to_bool, arrangement.packed, arrangement.facets, arrangement.witnesses):
        with pytest.raises(SizeError, match=r"16,5.*GiB.*blocks\(\).*sample_patterns.*generate"):
            method()
    wide = arr.enumerate_patterns(np.random.default_rng(0).standard_normal((300, 300)))
    with pytest.raises(SizeError, match="GiB"):
        wide.packed()
    small = arr.enumerate_patterns([[0.0], [1.0]], max_memory=3)
    with pytest.raises(SizeError, match="4 sign patterns needs 8 bytes"):
        small.to_bool()


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        ([1.0, 2.0], InputError, "one-dimensional"),
        (np.zeros((0, 2)), InputError, "at least one of each"),
        (np.zeros((2, 0)), InputError, "at least one of each"),
        ([[0.0], [np.nan]], InputError, "row 1"),
        ([["a"]], InputTypeError, "real numbers"),
        ([[1j]], InputTypeError, "complex"),
        ([[1.0], [1.0, 2.0]], InputTypeError, "rectangular"),
        ([[None]], InputError, "NaN"),
    ],
)
def test_unusable_points_are_refused(X, error, match):
    with pytest.raises(error, match=match):
        arr.enumerate_patterns(X)


def test_unusable_options_are_refused():
    with pytest.raises(InputError, match="n_jobs"):
        arr.enumerate_patterns([[0.0]], n_jobs=0)
    with pytest.raises(InputTypeError, match="max_memory"):
        arr.enumerate_patterns([[0.0]], max_memory="1G")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="max_memory"):
        arr.enumerate_patterns([[0.0]], max_memory=-1)
    with pytest.raises(InputError, match="size"):
        arr.enumerate_patterns([[0.0]]).blocks(0)
    with pytest.raises(InputTypeError, match="n_samples"):
        arr.count_patterns(2.5, 1)  # pyright: ignore[reportArgumentType]


def test_points_are_copied_and_read_only():
    X = np.zeros((2, 1))
    arrangement = arr.enumerate_patterns(X)
    X[0] = 5.0
    assert arrangement.X[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        arrangement.X[0, 0] = 1.0
