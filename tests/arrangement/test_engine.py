"""The compiled walk against the integer method, plain NumPy, Cover's count, and adversarial data."""

import signal
import time
import tracemalloc
from itertools import combinations

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvxrelu.arrangement as arr
from cvxrelu.arrangement import engine, flag
from cvxrelu.arrangement.exact import cells_inside, exact_half_cells
from cvxrelu.arrangement.integers import integer_rows
from cvxrelu.arrangement.lifting import lift
from cvxrelu.arrangement.packing import pack_masks, unpack_patterns
from cvxrelu.arrangement.stream import stream_batches
from cvxrelu.arrangement.vertices import cells_at_vertices
from cvxrelu.errors import SolverError
from tests.arrangement.instances import as_set, lattice


def assert_agrees_with_integers(X, bias=True):
    arrangement = arr.enumerate_patterns(X, bias)
    half = np.concatenate(list(arrangement.half_blocks()))
    zero = np.packbits(arrangement.classes.zero, bitorder="little")
    reference = pack_masks(exact_half_cells(integer_rows(arrangement.lifted)), len(X)) | zero
    assert len(half) == len(reference)
    assert set(map(bytes, half)) == set(map(bytes, reference))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 5), st.integers(1, 12), st.integers(1, 3), st.booleans(), st.integers(0, 2**32))
def test_tied_integers(d, n, largest, bias, seed):
    n = min(n, 9) if d > 3 else n
    X = np.random.default_rng(seed).integers(-largest, largest + 1, (n, d)).astype(float)
    assert_agrees_with_integers(X, bias)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 11), st.booleans(), st.integers(0, 2**32))
def test_tied_decimals_and_neighbouring_floats(d, n, bias, seed):
    # Tenths are not exact, so collinear points of the lattice of tenths are mostly off by an ulp, and some
    # are not.
    rng = np.random.default_rng(seed)
    X = rng.integers(-3, 4, (n, d)) / 10
    nudge = rng.random((n, d)) < 0.2
    X[nudge] = np.nextafter(X[nudge], 1.0)
    assert_agrees_with_integers(X, bias)


@pytest.mark.parametrize("scale", [1e-200, 1e-6, 1.0, 1e6, 1e200])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_units_and_offsets(scale, offset):
    X = (np.random.default_rng(0).standard_normal((12, 2)) + offset) * scale
    X[5] = X[2]
    X[7] = (X[3] + X[4]) / 2
    assert_agrees_with_integers(X)


def test_columns_and_rows_of_very_different_size():
    rng = np.random.default_rng(0)
    assert_agrees_with_integers(rng.standard_normal((12, 3)) * [1e-9, 1.0, 1e12])
    rows = 10.0 ** rng.integers(-150, 150, (12, 1))
    assert_agrees_with_integers(rng.standard_normal((12, 2)) * rows, bias=False)
    entries = 10.0 ** rng.integers(-300, 300, (10, 2))
    assert_agrees_with_integers(rng.standard_normal((10, 2)) * entries)


@pytest.mark.parametrize("n_features", [1, 3, 8])
def test_rank_deficient_data(n_features):
    rng = np.random.default_rng(n_features)
    X = rng.integers(-3, 4, (9, 1)) @ rng.integers(1, 4, (1, n_features)).astype(float)
    assert_agrees_with_integers(X)
    assert_agrees_with_integers(np.column_stack([X, np.full(9, 0.1)]), bias=False)
    assert_agrees_with_integers(rng.standard_normal((3, n_features)))


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_point_an_ulp_off_a_line(steps):
    X = np.random.default_rng(0).integers(-8, 8, (10, 2)) / 8.0
    X[9] = 0.5 * X[0] + 0.5 * X[1]
    if steps:
        X[9, 0] = np.nextafter(X[9, 0], steps * np.inf)
    assert_agrees_with_integers(X)


def test_general_position_is_cover_count_without_repetition():
    for n, d, bias in [(200, 2, True), (60, 3, True), (25, 5, True), (14, 9, True), (40, 4, False)]:
        X = np.random.default_rng(n).standard_normal((n, d))
        packed = arr.enumerate_patterns(X, bias).packed()
        assert len(packed) == arr.count_patterns(n, d, bias)
        codes = packed.view(f"V{packed.shape[1]}").ravel()
        assert len(np.unique(codes)) == len(packed)


def test_kernel_agrees_with_plain_numpy():
    rows = lift(np.random.default_rng(3).standard_normal((13, 3)), True)
    level = flag.levels(integer_rows(rows), affine=True)[0]
    (chunk, *_) = engine.chunks([level])
    found = [batch for batch in engine.run_chunk(chunk, tops=True) if not batch.cells]
    tops = np.concatenate([batch.tops for batch in found])
    patterns = unpack_patterns(np.concatenate([batch.patterns for batch in found]), 13)
    np.testing.assert_array_equal(tops, list(combinations(range(13), 3)))
    a, (chart, height) = level.floats[:13], level.floats[13:]
    for top, pattern in zip(tops, patterns, strict=True):
        w = np.linalg.svd(a[top])[2][-1]
        signs = a @ (w * np.sign(chart @ w)) > 0
        signs[top] = np.linalg.solve(np.vstack([chart, a[top]]).T, height)[1:] > 0
        np.testing.assert_array_equal(pattern, signs if signs[0] else ~signs)


def test_every_vertex_gives_the_same_cells_exactly():
    rows = lift(np.random.default_rng(4).standard_normal((9, 3)), True)
    level = flag.levels(integer_rows(rows), affine=True)[0]
    (chunk, *_) = engine.chunks([level])
    (batch,) = engine.run_chunk(chunk, tops=True)
    cells = cells_at_vertices(level, batch.tops)
    masks = [cell.mask if cell.mask & 1 else cell.mask ^ 511 for cell in cells]
    np.testing.assert_array_equal(pack_masks(masks, 9), batch.patterns)


def test_chunks_of_any_size_cover_everything(monkeypatch):
    X = np.concatenate([lattice(3, 2), np.random.default_rng(0).standard_normal((5, 2))])
    whole = arr.enumerate_patterns(X).packed()
    monkeypatch.setattr(engine, "_CHUNK_BYTES", 14)
    monkeypatch.setattr(engine, "_PATTERNS_PER_CALL", 3)
    monkeypatch.setattr(engine, "_WORK_PER_CALL", 5 * len(X))
    monkeypatch.setattr(engine, "_ODD_PER_CALL", 2)
    pieces = arr.enumerate_patterns(X).packed()
    assert len(pieces) == len(whole)
    assert as_set(pieces) == as_set(whole)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_do_not_change_the_result(backend, monkeypatch):
    monkeypatch.setattr(engine, "_CHUNK_BYTES", 2**12)
    X = np.concatenate([lattice(4, 2), np.random.default_rng(0).standard_normal((14, 2))])
    alone = arr.enumerate_patterns(X)
    with joblib.parallel_config(backend=backend):
        together = arr.enumerate_patterns(X, n_jobs=2)
        np.testing.assert_array_equal(together.packed(), alone.packed())
        np.testing.assert_array_equal(together.witnesses(), alone.witnesses())
    for ours, theirs in zip(together.blocks(100), alone.blocks(100), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("default")
def test_dask_workers_do_not_change_the_result():
    distributed = pytest.importorskip("distributed")
    X = np.random.default_rng(0).standard_normal((20, 3))
    alone = arr.enumerate_patterns(X).packed()
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        np.testing.assert_array_equal(arr.enumerate_patterns(X, n_jobs=2).packed(), alone)


def test_streaming_needs_little_memory():
    X = np.random.default_rng(0).standard_normal((100, 4))
    blocks = arr.enumerate_patterns(X).half_blocks()
    next(blocks)
    tracemalloc.start()
    count = sum(len(block) for block in blocks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 3_800_000
    assert peak < 2e7


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_stops_within_a_second(n_jobs):
    arrangement = arr.enumerate_patterns(np.random.default_rng(0).standard_normal((400, 5)), n_jobs=n_jobs)
    next(arrangement.half_blocks())
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    start = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            len(arrangement)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert time.perf_counter() - start < 1.3


def test_progress_goes_to_stderr(capsys):
    arr.enumerate_patterns(lattice(3, 2), progress=True).packed()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "patterns" in captured.err


def test_special_functionals_are_noticed():
    with pytest.raises(SolverError, match="special position"):
        cells_inside((1, 1, 0), [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)])
    rows = integer_rows(lift(lattice(3, 2), True))
    level = flag.levels(rows, affine=True)[0]
    subsets = np.array(list(combinations(range(9), 2)))
    for chart, height in ((level.rows[0], level.height), (level.chart, level.rows[0])):
        special = flag.Level(level.rows, chart, height, level.frame, level.floats, level.exact)
        with pytest.raises(SolverError, match="special position"):
            cells_at_vertices(special, subsets)


def test_levels_add_up_to_half_of_cover():
    rows = integer_rows(lift(np.random.default_rng(0).standard_normal((11, 4)), True))
    flags = flag.levels(rows, affine=True)
    assert [level.dimension for level in flags] == [5, 3, 1]
    assert sum(len(batch.patterns) for batch in stream_batches(flags)) == arr.count_patterns(11, 4) // 2


def test_frames_map_points_back():
    X = np.random.default_rng(0).integers(-5, 6, (8, 3)).astype(float)
    X[:, 2] = X[:, 0] + 1  # dependent on the first column and the bias
    rows = integer_rows(lift(X, True))
    for level in flag.levels(rows, affine=True):
        point = tuple(range(3, 3 + level.dimension))
        image = [sum(a * b for a, b in zip(row, point, strict=True)) for row in level.frame]
        for row, reduced in zip(rows, level.rows, strict=True):
            value = sum(a * b for a, b in zip(row, image, strict=True))
            local = sum(a * b for a, b in zip(reduced, point, strict=True))
            assert (value > 0) == (local > 0)
            assert (value < 0) == (local < 0)
