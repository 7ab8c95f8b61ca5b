"""One vertex in which most rows meet: it is looked at once, exactly, and with an eye on the clock."""

import _thread
import time

import joblib
import numpy as np
import pytest

import cvxrelu.arrangement as arr
from cvxrelu.arrangement import engine, local, seen, vertices
from cvxrelu.arrangement.exact import exact_half_cells
from cvxrelu.arrangement.flag import levels
from cvxrelu.arrangement.integers import integer_rows
from cvxrelu.arrangement.lifting import lift
from cvxrelu.arrangement.packing import pack_masks
from cvxrelu.arrangement.signs import exact_signs
from cvxrelu.errors import SolverError
from cvxrelu.pricing import make_pricer
from tests.arrangement.instances import Patience, cube, lattice, rare_column

RNG = np.random.default_rng(0)
RARE = {
    "one": rare_column(24, 3),
    "one-of-two": np.vstack([rare_column(12, 3), rare_column(10, 3, seed=1)]),
    "two-columns": np.column_stack([rare_column(13, 3), np.arange(13) == 5]),
    "integers": np.column_stack([RNG.integers(-2, 3, (14, 2)), np.arange(14) < 1]),
    "four": rare_column(13, 4),
}
DEGENERATE = RARE | {
    "cube": cube(4),
    "lattice": lattice(3, 3)[:20],
    "duplicates": np.vstack([cube(3), rare_column(9, 3), cube(3)]),
}


def arrangement(X, clock, n_jobs=1):
    return arr.Arrangement(X, True, 2**30, n_jobs, False, clock)


def assert_is_everything(X, bias):
    found = arr.enumerate_patterns(X, bias)
    half = np.concatenate(list(found.half_blocks()))
    zero = np.packbits(found.classes.zero, bitorder="little")
    reference = pack_masks(exact_half_cells(integer_rows(found.lifted)), len(X)) | zero
    assert len(half) == len(reference)
    assert set(map(bytes, half)) == set(map(bytes, reference))


@pytest.mark.parametrize("largest", [0, 2**22])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", list(DEGENERATE))
def test_all_patterns_each_once(monkeypatch, name, bias, largest):
    monkeypatch.setattr(local, "_MAX_INCIDENCES", largest)
    assert_is_everything(np.asarray(DEGENERATE[name], dtype=float), bias)


def test_vertices_that_are_forgotten_do_no_harm(monkeypatch):
    monkeypatch.setattr(seen, "_REMEMBERED", 2)
    monkeypatch.setattr(seen, "_ENTRIES", 1)
    monkeypatch.setattr(engine, "_ODD_PER_CALL", 7)
    monkeypatch.setattr(engine, "_CHUNK_BYTES", 300)
    for X in (lattice(4, 2), cube(4), rare_column(14, 3)):
        assert_is_everything(X, True)


def test_latest_vertices_are_remembered(monkeypatch):
    monkeypatch.setattr(seen, "_REMEMBERED", 2)
    known = seen.SeenVertices(6)
    pairs = np.array([[0, 1], [1, 2], [2, 3], [0, 5]])
    assert not known.span(pairs).any()
    for vertex in ([0, 1, 2], [1, 2, 3], [2, 3, 4]):
        known.add(vertex)
    assert known.span(pairs).tolist() == [False, True, True, False]


def test_a_vertex_is_looked_at_once_however_many_bases_it_has(monkeypatch):
    """Of 40 points C(39, 3) = 9139 triples span the one vertex of 39 rows."""
    looked_at = []
    usual = vertices.null_vector
    monkeypatch.setattr(vertices, "null_vector", lambda rows: looked_at.append(1) or usual(rows))
    X = rare_column(40, 3)
    assert len(arr.enumerate_patterns(X)) == 2 * 2 * (1 + 38 + 37 * 38 // 2)
    assert len(looked_at) <= 5


@pytest.mark.parametrize("name", list(RARE))
def test_points_inside(monkeypatch, name):
    """They are found from expansions where the cells around a vertex are enumerated for it alone."""
    monkeypatch.setattr(local, "_MAX_INCIDENCES", 0)
    found = arr.enumerate_patterns(np.asarray(RARE[name], dtype=float))
    signs = exact_signs(found.lifted, found.witnesses())
    assert signs.all()
    np.testing.assert_array_equal(signs > 0, found.to_bool())


def test_cells_of_a_vertex_come_in_parts(monkeypatch):
    whole = arr.enumerate_patterns(RARE["one"]).packed()
    monkeypatch.setattr(vertices, "_ENTRIES", 100)
    np.testing.assert_array_equal(arr.enumerate_patterns(RARE["one"]).packed(), whole)


@pytest.mark.parametrize("looks", [0, 1, 10, 50])
@pytest.mark.parametrize("what", ["to_bool", "facets", "witnesses", "__len__"])
def test_the_clock_is_looked_at_while_one_vertex_is_enumerated(monkeypatch, what, looks):
    """There are few batches, and of these one has nearly everything: what ended early is not taken for it."""
    monkeypatch.setattr(local, "_MAX_INCIDENCES", 0)
    clock = Patience(looks)
    some = arrangement(rare_column(40, 3), clock)
    with pytest.raises(SolverError, match="time_limit=1 ended before all sign patterns"):
        getattr(some, what)()
    assert clock.looks == looks + 1
    with pytest.raises(SolverError, match="ended before"):
        len(some)


def test_points_inside_are_sought_with_an_eye_on_the_clock(monkeypatch):
    monkeypatch.setattr(local, "_MAX_INCIDENCES", 0)
    patient = Patience(10**6)
    arrangement(rare_column(20, 3), patient).packed()
    clock = Patience(patient.looks + 30)
    with pytest.raises(SolverError, match="time_limit=1 ended"):
        arrangement(rare_column(20, 3), clock).witnesses()
    assert clock.looks == clock.enough + 1


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_look_at_the_clock(monkeypatch, backend):
    # The clock of a process that is sent there has looked as often as here.
    clock = Patience(20)
    with joblib.parallel_config(backend=backend), pytest.raises(SolverError, match="time_limit=1 ended"):
        arrangement(rare_column(60, 3), clock, n_jobs=2).packed()
    assert clock.looks < 100


def test_an_interrupt_comes_through():
    def interrupt():
        raise KeyboardInterrupt

    level = levels(integer_rows(lift(rare_column(30, 3), True)), affine=True)[0]
    with pytest.raises(KeyboardInterrupt):
        vertices.cells_at_vertices(level, np.array([[1, 2, 3]]), pause=interrupt)


def test_threads_do_not_go_on_after_an_interrupt():
    """The vertex takes thousands of looks, during which the thread that waits for it is interrupted."""
    X = rare_column(150, 3)
    whole = Patience(10**6)
    arrangement(X, whole).packed()

    class Interrupting(Patience):
        @property
        def expired(self):
            if self.looks == 20:
                _thread.interrupt_main()
            return super().expired

    clock = Interrupting(10**6)
    with pytest.raises(KeyboardInterrupt):
        arrangement(X, clock, n_jobs=2).packed()
    looks = -1
    while clock.looks != looks:
        looks = clock.looks
        time.sleep(0.3)
    assert looks < whole.looks / 2


@pytest.mark.parametrize("outputs", [None, 2])
def test_pricing_over_cells_does_not_wait_for_the_list(outputs):
    """What is known without it is a bound; and the list is made once there is time."""
    X = rare_column(14, 3)
    v = np.random.default_rng(0).standard_normal((14, *([] if outputs is None else [outputs])))
    pricer = make_pricer(X, "joint", method="cells")
    early = pricer(v, time_limit=1e-9)
    assert not early.complete
    exact = pricer(v, tol=0.1)
    assert exact.complete
    assert early.upper >= exact.value
