"""The relaxation: it holds every network, its maps are what they say, and its bound closes where regions are few."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import nnls

import cvxrelu as cr
from cvxrelu.certificate.multipliers import reach_of
from cvxrelu.pricing.points import Points
from cvxrelu.program.scaling import standardise
from cvxrelu.relaxation import regions, rounds
from cvxrelu.relaxation.blocks import Block
from cvxrelu.relaxation.cones import Cone, NesterovTodd, inside
from cvxrelu.relaxation.cuts import violated_cuts
from cvxrelu.relaxation.frame import Frame
from cvxrelu.relaxation.newton import newton_matrix
from cvxrelu.relaxation.program import price_block, solve_relaxed, start_from
from cvxrelu.relaxation.rounds import first_dual
from cvxrelu.relaxation.starts import first_moments
from cvxrelu.relaxation.states import Task
from cvxrelu.runtime.clock import Clock
from cvxrelu.solving.run import Round
from tests.instances import BIASES, CONSTRAINTS, LABELLED, LOSSES, make_problem
from tests.relaxed_model import relaxed_value

# What rounding can make of an inequality between integrals of neurons of unit norm and total mass of order one.
ROUNDING = 1e-12


def frame_and_task(problem):
    """Return what the rounds would make of a problem."""
    _, scaling = standardise(problem)
    points = Points.prepare(problem.X, problem.bias, problem.negative_slope)
    bound = problem.n_samples * scaling.alpha if problem.loss.regularised else 1.0
    task = Task(problem.loss, scaling.y, bound, problem.free.basis)
    return Frame.of(points, scaling, reach_of(points)), task, scaling


def random_block(rng, bias, slope=0.3, n_signs=0, n_cuts=0, shape=(9, 3)):
    """Return a block with room in it."""
    X = rng.standard_normal(shape)
    X[-1] = X[0] * 0.999
    frame, _, _ = frame_and_task(
        cr.Problem(X, rng.standard_normal(len(X)), loss="squared", alpha=0.1, bias=bias, negative_slope=slope)
    )
    u = neurons_of(frame, rng, 1)[0]
    signs = {int(k): float(np.sign(frame.Z[k] @ u)) for k in rng.permutation(len(X))[:n_signs]}
    cuts = []
    for _ in range(n_cuts):
        k, *others = rng.permutation(len(X))[: 1 + rng.integers(1, 4)].tolist()
        cuts.append((k, tuple(others), tuple(rng.uniform(0, 1.5, len(others)).tolist())))
    return Block(frame, 1.0, signs, tuple(cuts))


def neurons_of(frame, rng, count):
    """Return unit neurons (count, D); with a free bias, hinges through a place."""
    U = rng.standard_normal((count, frame.dimension))
    if not frame.strip:
        return U / np.linalg.norm(U, axis=1)[:, None]
    W = U[:, :-1] / np.linalg.norm(U[:, :-1], axis=1)[:, None]
    anchors = frame.Z[rng.integers(frame.n_places, size=count)]
    return np.column_stack([W, -(W * anchors[:, :-1]).sum(axis=1) / anchors[:, -1]])


def integrals(block, U, mass):
    """Return x and y of the measure with some mass on each neuron, from their definitions."""
    frame = block.frame
    lifted = np.column_stack([np.ones(len(U)), U])
    M = (lifted.T * mass) @ lifted
    x = np.concatenate([M[frame.upper], (np.abs(frame.unit @ U.T) @ mass)[block.free]])
    return x, np.abs(block.directions @ U.T) @ mass


def members(block, rng, count=200):
    """Return unit neurons of a region."""
    U = neurons_of(block.frame, rng, 4000)
    inside = ((U @ block.oriented.T) >= 0).all(axis=1)
    return U[inside][:count]


def least_slack(cone):
    """Return the least eigenvalue or number of slacks."""
    of_moments, of_pairs = np.linalg.eigvalsh(cone.moments), np.linalg.eigvalsh(matrices(cone.pairs))
    return min(of_moments.min(), of_pairs.min(initial=0.0), cone.numbers.min())


def matrices(pairs):
    """Return matrices of two rows (J, 2, 2) that are given by three numbers each."""
    return pairs[[0, 1, 1, 2]].T.reshape(-1, 2, 2)


@pytest.mark.parametrize(("bias", "n_signs"), list(itertools.product(BIASES, (0, 1, 3))))
def test_every_network_is_in_the_relaxation(bias, n_signs):
    rng = np.random.default_rng(n_signs)
    for n_cuts in (0, 6):
        block = random_block(rng, bias, n_signs=n_signs, n_cuts=n_cuts)
        U = members(block, rng)
        assert len(U) > 3
        for size in (1, 2, len(U)):
            for _ in range(20):
                chosen = rng.permutation(len(U))[:size]
                mass = rng.exponential(size=size)
                assert least_slack(block.slacks(*integrals(block, U[chosen], mass / mass.sum()))) >= -ROUNDING
        # Less than unit norm will do, too.
        assert least_slack(block.slacks(*integrals(block, 0.3 * U, np.full(len(U), 1 / len(U))))) >= -ROUNDING


@pytest.mark.parametrize(("bias", "slope"), list(itertools.product(BIASES, (0.0, -1.0))))
def test_cuts_never_cut_off_a_network(bias, slope):
    """Cuts that the moments of a program violate; networks do not."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 3))
    problem = cr.Problem(
        np.repeat(X, 3, axis=0) + 0.05 * rng.standard_normal((15, 3)),
        rng.standard_normal(15),
        loss="squared",
        alpha=0.01,
        bias=bias,
        negative_slope=slope,
    )
    frame, task, _ = frame_and_task(problem)
    blocks = [Block(frame, side, {}) for side in (1.0, -1.0)]
    state, _ = solved(blocks, task, 1e-4)
    found = 0
    for block, x in zip(blocks, state.xs, strict=True):
        cuts = violated_cuts(block, x, np.ones(frame.n_places), 40, 10)
        found += len(cuts)
        assert all(min(lam) >= 0 and k not in others for k, others, lam in cuts)
        stronger = Block(frame, block.side, {}, tuple(cuts))
        U = members(stronger, rng)
        for size in (1, 3, len(U)):
            chosen = rng.permutation(len(U))[:size]
            assert least_slack(stronger.slacks(*integrals(stronger, U[chosen], np.full(size, 1 / size)))) >= -ROUNDING
        # The moments of networks violate none.
        x, _ = integrals(block, U, np.full(len(U), 1 / len(U)))
        assert violated_cuts(block, x, np.ones(frame.n_places), 100, 15) == []
    assert found > 10


def random_cone(rng, block, definite=False):
    """Return symmetric matrices and numbers in the shape of a block's slacks."""

    def symmetric(*shape):
        G = rng.standard_normal(shape)
        return G @ np.swapaxes(G, -1, -2) + 0.1 * np.eye(shape[-1]) if definite else G + np.swapaxes(G, -1, -2)

    D, J = block.frame.dimension, len(block.directions)
    numbers = rng.standard_normal(block.sizes[1])
    pairs = symmetric(J, 2, 2)
    pairs = np.stack([pairs[:, 0, 0], pairs[:, 0, 1], pairs[:, 1, 1]])
    return Cone(symmetric(1, D + 1, D + 1), pairs, np.exp(numbers) if definite else numbers)


def test_the_scaling_makes_slacks_and_multipliers_the_same():
    rng = np.random.default_rng(11)
    block = random_block(rng, "free", n_signs=2, n_cuts=4)
    S, Z = (random_cone(rng, block, definite=True) for _ in range(2))
    scaling = NesterovTodd.of(S, Z)
    for left, right in zip(scaling.scaled(S, Z)[0][:2], scaling.scaled(S, Z)[1][:2], strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)
    for mine, its in zip(scaling.apply(S), Z, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-9, atol=1e-9)
    changes = random_cone(rng, block), random_cone(rng, block)
    longest = scaling.longest(*scaling.scaled(*changes))
    for share, within in ((0.999, True), (1.001, False)):
        moved = [now.plus(change, share * longest) for now, change in zip((S, Z), changes, strict=True)]
        assert all(inside(cone) for cone in moved) == within


def test_goals_bring_products_to_the_centre():
    """To first order; a correction of products that are where they should be is nothing."""
    rng = np.random.default_rng(12)
    block = random_block(rng, "joint", n_signs=1, n_cuts=4)
    S, Z = (random_cone(rng, block, definite=True) for _ in range(2))
    scaling, centre = NesterovTodd.of(S, Z), 0.7
    none = S.times(0.0), S.times(0.0)
    goal = scaling.predicted(*none, centre)
    # Slacks stay where they are, so all of the product is the multipliers'.
    after = Z.plus(goal)
    np.testing.assert_allclose(S.numbers * after.numbers, centre, rtol=1e-9)
    product = matrices(S.pairs) @ matrices(after.pairs)
    np.testing.assert_allclose(product, centre * np.eye(2)[None].repeat(len(product), 0), atol=1e-9)
    np.testing.assert_allclose(S.moments @ after.moments, centre * np.eye(S.moments.shape[-1])[None], atol=1e-8)
    after_scaling = NesterovTodd.of(S, after)
    for part in after_scaling.corrected(*none, 1.0, centre):
        np.testing.assert_allclose(part, 0.0, atol=1e-9)
    off = after_scaling.corrected(*none, 1.0, centre / 100)
    np.testing.assert_allclose(S.numbers * off.numbers, -10 * centre / 100, rtol=1e-9)
    np.testing.assert_allclose(
        matrices(S.pairs) @ matrices(off.pairs), -10 * centre / 100 * np.eye(2)[None].repeat(len(product), 0), atol=1e-9
    )


KINDS = list(itertools.product(BIASES, (0, 3), (0, 5)))


@pytest.mark.parametrize(("bias", "n_signs", "n_cuts"), KINDS)
def test_the_adjoint(bias, n_signs, n_cuts):
    rng = np.random.default_rng(1)
    block = random_block(rng, bias, n_signs=n_signs, n_cuts=n_cuts)
    for _ in range(5):
        x, y = rng.standard_normal(block.size), rng.standard_normal(len(block.directions))
        cone = random_cone(rng, block)
        on_x, on_y = block.adjoint(cone)
        np.testing.assert_allclose(block.slacks(x, y).dot(cone), x @ on_x + y @ on_y, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("bias", "n_signs", "n_cuts"), KINDS)
def test_newton_steps_are_those_of_the_dense_matrix(bias, n_signs, n_cuts):
    rng = np.random.default_rng(2)
    block = random_block(rng, bias, n_signs=n_signs, n_cuts=n_cuts)
    P, n, J = random_cone(rng, block, definite=True), block.size, len(block.directions)

    def product(z):
        ds = block.slacks(z[:n], z[n:])
        pairs = matrices(P.pairs) @ matrices(ds.pairs) @ matrices(P.pairs)
        pairs = np.stack([pairs[:, 0, 0], pairs[:, 0, 1], pairs[:, 1, 1]])
        scaled = P.moments @ ds.moments @ P.moments, pairs, P.numbers * ds.numbers
        return np.concatenate(block.adjoint(Cone(*scaled)))

    dense = np.array([product(e) for e in np.eye(n + J)]).T
    xx, xy, yy = dense[:n, :n], dense[:n, n:], dense[n:, n:]
    matrix, eliminated = newton_matrix(block, P)
    reduced = xx - xy @ np.linalg.solve(yy, xy.T)
    np.testing.assert_allclose(matrix, reduced, rtol=1e-9, atol=1e-10 * np.abs(dense).max())
    x, right = rng.standard_normal(n), rng.standard_normal(J)
    y = np.linalg.solve(yy, right - xy.T @ x)
    np.testing.assert_allclose(eliminated.forward(right), xy @ np.linalg.solve(yy, right), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(eliminated.backward(right, x), y, rtol=1e-8, atol=1e-8)


def solved(blocks, task, accuracy):
    """Return the solution of the program over some blocks, and its value, N times the mean where there is one."""
    parts = [task.part(block) for block in blocks]
    first = 0.1 if task.loss.regularised else 10.0
    xs = [first * first_moments(block) for block in blocks]
    state = solve_relaxed(
        parts,
        task,
        start_from(parts, task, xs, first_dual(task), np.zeros(task.free.shape[1]), 1e-2 * task.bound),
        accuracy,
    )
    mass = sum(x[0] for x in state.xs)
    f = sum(part.outputs @ x for part, x in zip(parts, state.xs, strict=True)) + task.free @ state.constant
    return state, task.bound * mass + (len(f) * task.loss.value(f, task.y) if task.loss.regularised else 0.0)


MODELS = [
    (loss, bias, (0.0, 0.3, -1.0)[(i + j) % 3], (i + 2 * j) % 4)
    for (i, loss), (j, bias) in itertools.product(enumerate(LOSSES), enumerate(BIASES))
]


@pytest.mark.parametrize(("loss", "bias", "slope", "extra"), MODELS)
def test_the_program_has_the_value_of_its_model(loss, bias, slope, extra):
    """Written down again with relu instead of abs, in the problem's units; with cuts (1, 3) and known signs (2, 3)."""
    # Few samples, and other signs of neurons than the labels': interpolation and separation are possible.
    problem = make_problem(loss, n_samples=7, n_features=3, seed=3, alpha=0.03, bias=bias, negative_slope=slope)
    frame, task, scaling = frame_and_task(problem)
    place = frame.place.tolist()
    cuts = [(0, (1,), (1.0,)), (2, (3, 5), (0.5, 0.8)), (4, (0, 1, 6), (0.3, 0.2, 0.9))] if extra % 2 else []
    regions = [{0: 1.0, 1: 1.0}, {0: 1.0, 1: -1.0}, {0: -1.0}] if extra >= 2 else [{}]
    model = [(side, signs, cuts) for side in (1, -1) for signs in regions]
    blocks = [
        Block(
            frame,
            side,
            {place[k]: sign for k, sign in signs.items()},
            tuple((place[k], tuple(place[i] for i in others), lam) for k, others, lam in cuts),
        )
        for side, signs, cuts in model
    ]
    _, value = solved(blocks, task, 1e-7)
    value *= scaling.objective_scale / (problem.n_samples if problem.loss.regularised else 1)
    assert value > 0
    np.testing.assert_allclose(value, relaxed_value(problem, model), rtol=1e-4)


def small_problem(loss, bias, slope, kind, shape, seed):
    """Return a small problem: normal, duplicate, collinear or lattice data."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    if kind == "duplicates":
        X[len(X) // 2 :] = X[: len(X) - len(X) // 2]
    elif kind == "collinear":
        X[:] = X[:, :1]
    elif kind == "lattice":
        X = np.round(X)
    if loss in CONSTRAINTS:
        _, first, place = np.unique(X, axis=0, return_index=True, return_inverse=True)
        y = y[first][place.ravel()]
    if loss in LABELLED:
        y = np.where(y > np.median(y), 1.0, -1.0)
    alpha = None if loss in CONSTRAINTS else 0.02
    return cr.Problem(X, y, loss=loss, bias=bias, negative_slope=slope, alpha=alpha)


# All losses and bias modes, with every slope, kind of data, and 2 to 15 samples in 1 to 3 features.
PROBLEMS = [
    ("interpolation", "free", 2.0, "lattice", (5, 1), 3),
    ("interpolation", "joint", 0.3, "duplicates", (10, 3), 5),
    ("interpolation", "none", 2.0, "normal", (5, 3), 11),
    ("margin", "free", 0.0, "duplicates", (8, 1), 12),
    ("margin", "joint", 2.0, "duplicates", (5, 2), 19),
    ("margin", "none", -1.0, "duplicates", (12, 2), 22),
    ("squared", "free", -1.0, "duplicates", (3, 3), 26),
    ("squared", "joint", 2.0, "lattice", (15, 2), 31),
    ("squared", "none", 0.3, "duplicates", (2, 1), 33),
    ("logistic", "free", 0.3, "collinear", (10, 2), 37),
    ("logistic", "joint", -1.0, "normal", (3, 1), 42),
    ("logistic", "none", 2.0, "duplicates", (15, 3), 47),
    ("hinge", "free", 2.0, "collinear", (5, 1), 51),
    ("hinge", "joint", 0.3, "normal", (10, 3), 53),
    ("hinge", "none", -1.0, "collinear", (3, 2), 58),
]


def room(problem):
    """What an attained value may be below the optimum: constraints are met up to rounding."""
    return 1e-12 if problem.loss.regularised else 1e-8


@pytest.mark.parametrize("with_cuts", [True, False])
@pytest.mark.parametrize("case", PROBLEMS, ids=str)
def test_the_gap_closes(case, with_cuts, monkeypatch):
    """By regions alone, too; and no bound is above what a network attains."""
    if not with_cuts:
        monkeypatch.setattr(regions, "PAIRS", 0)
        monkeypatch.setattr(regions, "COMBINATIONS", 0)
    problem = small_problem(*case)
    upper, lowers = cr.solve(problem).certificate.upper, []
    for found in rounds.relaxed_rounds(problem, clock=Clock(20.0), target=upper * (1 - 1e-6)):
        lowers.append(found.bound.lower)
        assert with_cuts or found.cuts == 0
        if lowers[-1] >= upper * (1 - 1e-5):
            break
    assert lowers == sorted(lowers)
    assert upper * (1 - 1e-5) <= lowers[-1] <= upper * (1 + room(problem))


@pytest.mark.parametrize(("bias", "loss"), [("free", "squared"), ("joint", "hinge"), ("none", "interpolation")])
def test_one_sample_and_equal_rows(bias, loss):
    """Nothing is proved, or nothing too large, where a program has no room."""
    for X in (np.array([[0.7, -0.2]]), np.zeros((3, 2)), np.full((4, 1), 1.5)):
        if bias == "none" and not X.any():
            continue
        y = np.array([1.0, -1.0, 1.0, 1.0])[: len(X)] if loss == "hinge" else np.full(len(X), 0.8)
        if len(X) == 1 and loss == "hinge":
            continue
        problem = cr.Problem(X, y, loss=loss, bias=bias, alpha=0.05 if loss != "interpolation" else None)
        upper = cr.solve(problem).certificate.upper
        for found in itertools.islice(rounds.relaxed_rounds(problem, clock=Clock(5.0), target=upper), 3):
            assert found.bound.lower <= upper * (1 + room(problem))


def test_a_half_is_never_bounded_worse():
    """What is known of a region is known of its halves: the largest score of a half is at most that of the region."""
    rng = np.random.default_rng(5)
    for bias, slope in itertools.product(BIASES, (0.0, -1.0)):
        block, v = random_block(rng, bias, slope, n_cuts=3, shape=(7, 2)), rng.standard_normal(7)
        v -= v.mean()

        def score(block, v=v):
            x, _ = price_block(block, v, 1e-8)
            return v @ block.outputs @ x

        whole = score(block)
        for k in range(3):
            halves = [Block(block.frame, 1.0, {k: sign}, block.cuts) for sign in (1.0, -1.0)]
            assert max(score(half) for half in halves if first_moments(half) is not None) <= whole + 1e-6 * abs(whole)


def test_signs_that_follow_are_known():
    """In a cell of the plane two rows decide all others, and the largest score is that of one neuron."""
    rng = np.random.default_rng(6)
    X, v = rng.standard_normal((6, 2)), rng.standard_normal(6)
    frame, _, _ = frame_and_task(cr.Problem(X, v, loss="squared", alpha=0.1, bias="none"))
    # Directions that are on a hinge are a quarter turn from the rows.
    angles = np.pi / 2 + np.sort(np.arctan2(frame.Z[:, 1], frame.Z[:, 0]) % np.pi)
    u = np.array([np.cos(angles[:2].mean()), np.sin(angles[:2].mean())])
    signs = np.sign(frame.Z @ u)
    walls = [k for k in range(6) if _is_wall(frame.Z * signs[:, None], k)]
    assert len(walls) == 2
    block = Block(frame, 1.0, {k: signs[k] for k in walls})
    assert block.known.tolist() == list(range(6))
    for k, (sign, shares) in block.implied.items():
        combined = sum(c * signs[j] * frame.unit[j] for j, c in shares.items())
        assert sign == signs[k]
        np.testing.assert_allclose(combined, sign * frame.unit[k], atol=1e-9)
    x, _ = price_block(block, v, 1e-9)
    # The largest g.u in a cone and the unit ball is the distance of -g to the cone that the rows span.
    g = frame.scale * (v * (signs > 0)[frame.place]) @ frame.Z[frame.place]
    best = nnls((signs[:, None] * frame.Z).T, -g)[1]
    np.testing.assert_allclose(v @ block.outputs @ x, best, rtol=1e-6, atol=1e-8)


def _is_wall(rows, k):
    """Whether a row is not a nonnegative combination of the others."""
    return nnls(np.delete(rows, k, axis=0).T, rows[k])[1] > 1e-9


def test_solve_and_certify_prove_by_the_relaxation_in_many_dimensions():
    """Of the same data: a bound that is the relaxation's, below every network, with the multipliers that prove it."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 8))
    problem = cr.Problem(X, np.abs(X[:, 0]) + X[:, 1], loss="squared", alpha=0.05)
    fit = cr.solve(problem, tol=0.1, random_state=0)
    constant = cr.certify(cr.Network(np.zeros((0, 8)), [], [], float(problem.y.mean())), problem, tol=0.9, time_limit=5)
    for certificate in (fit.certificate, constant):
        assert certificate.method == "relaxation"
        assert certificate.multipliers is not None
        assert 0 < certificate.lower <= fit.objective


def test_what_more_time_would_buy_is_an_extrapolation_of_the_rounds_of_the_relaxation():
    problem = cr.Problem([[0.0], [1.0]], [0.0, 1.0], loss="squared", alpha=0.01)
    fit = cr.solve(problem)
    assert fit.status is cr.Status.OPTIMAL
    assert fit.outlook == ""
    rows = [Round(3, fit.objective, share * fit.objective, seconds, note) for seconds, share, note in OUTLOOK]
    open_fit = replace(fit, status=cr.Status.STOPPED, history=tuple(rows))
    # Of the 8 seconds of the relaxation, 37.5 % after 4 and half of that at the end: a quarter after as many again.
    for part in ("no proof", "from 38 % to 19 %", "another 8 s", "about 9.4 %"):
        assert part in open_fit.outlook
    assert replace(open_fit, history=tuple(rows[:2])).outlook == ""
    # Where rounds took a part of the time, they would take more of more, and what they made of it is not known.
    late = [replace(row, seconds=row.seconds + 2) for row in rows]
    assert replace(open_fit, history=tuple(late)).outlook == ""


OUTLOOK = [
    (0.5, 0.0, "fewest neurons"),
    (2.5, 0.4, "relaxation, 0 cuts"),
    (4.5, 0.625, "relaxation, 9 cuts"),
    (8.5, 0.8125, "relaxation, 9 cuts"),
]
