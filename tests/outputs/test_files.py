"""Certificates of several outputs that travel: in files, to the checker, and without rounding."""

import copy
import json
import math
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.by_multipliers import record_of
from cvxrelu.certificate.certificate import certificate_of
from cvxrelu.certificate.norm_multipliers import settled_numbers
from cvxrelu.certificate.norm_trees import Fork, NormMultipliers
from cvxrelu.certificate.rational import exact_bound
from cvxrelu.certificate.rational.circle import gamma_squared, norm_squared_above
from cvxrelu.certificate.rational.numbers import entropy_below, root_above, to_fractions
from cvxrelu.pricing import price
from cvxrelu.pricing.points import Points
from cvxrelu.relaxation import tighten
from cvxrelu.runtime.clock import Clock
from tests.instances import SIX_X, SIX_Y
from tests.outputs.provers import three_bounds
from tests.outputs.test_pricing import draw, norms, random_units
from tests.test_checker import checker, scaled, verdict

LABELS = np.array([0, 1, 2, 0, 1, 2, 1, 0, 2])
CLASSES = ("softmax", "multiclass-margin")


def make(loss, n_features, bias="free", **options):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((9, n_features)), rng.standard_normal((9, 2))
    alpha = None if loss in ("interpolation", "multiclass-margin") else 0.05
    return cr.Problem(X, LABELS if loss in CLASSES else Y, loss, bias=bias, alpha=alpha, **options)


def relaxed(problem, divided=False):
    """A certificate by multipliers, after two rounds, or when there are regions; of a constant, if it is allowed."""
    if problem.loss.regularised:
        constant = problem.loss.constants(problem.y) if problem.bias == "free" else np.zeros(problem.n_outputs)
        network = cr.Network(np.empty((0, problem.n_features)), [], np.empty((0, problem.n_outputs)), constant,
                             problem.negative_slope)  # fmt: skip
    else:
        network = cr.solve(problem, prove=False, random_state=0).network
    rounds = tighten(problem, Clock(), problem.objective(network), False)
    if divided:
        bound = next(found.bound for found in rounds if isinstance(found.bound.multipliers, Fork))
    else:
        bound = max((found.bound for found, _ in zip(rounds, range(2), strict=False)), key=lambda known: known.lower)
    return certificate_of(problem, network, bound)


def swept(loss, n_features, bias="free", **options):
    return cr.solve(make(loss, n_features, bias, **options), tol=1e-3, random_state=0).certificate


CASES = {
    "line": lambda: swept("interpolation", 1),
    "line, huber": lambda: swept("huber", 1, sample_weight=np.arange(1.0, 10.0)),
    "line, softmax, joint": lambda: swept("softmax", 1, "joint"),
    "plane": lambda: swept("squared", 2, negative_slope=-0.5),
    "plane, softmax": lambda: swept("softmax", 2, sample_weight=np.arange(1.0, 10.0)),
    "plane, margin": lambda: swept("multiclass-margin", 2),
    "plane, no bias": lambda: swept("squared", 2, "none"),
    "line, skip": lambda: swept("interpolation", 1, skip=True),
    "plane, softmax, skip": lambda: swept("softmax", 2, skip=True, sample_weight=np.arange(1.0, 10.0)),
    "relaxed": lambda: relaxed(make("squared", 4, negative_slope=0.3)),
    "relaxed, skip": lambda: relaxed(make("squared", 3, skip=True)),
    "relaxed, softmax": lambda: relaxed(make("softmax", 4, sample_weight=np.arange(1.0, 10.0))),
    "relaxed, joint": lambda: relaxed(make("softmax", 3, "joint")),
    "relaxed, huber": lambda: relaxed(make("huber", 3, skip=True, sample_weight=np.arange(1.0, 10.0))),
    "relaxed, interpolation": lambda: relaxed(make("interpolation", 4, negative_slope=0.3)),
    "regions": lambda: relaxed(make("squared", 3), divided=True),
    "regions, margin": lambda: relaxed(make("multiclass-margin", 3, "joint"), divided=True),
    "regions, softmax": lambda: relaxed(make("softmax", 4, "joint", negative_slope=-0.5), divided=True),
}
KNOWN = {}


@pytest.fixture(params=CASES)
def certificate(request):
    if request.param not in KNOWN:
        KNOWN[request.param] = CASES[request.param]()
    return KNOWN[request.param]


@pytest.fixture
def record(certificate, tmp_path):
    certificate.save(tmp_path / "original.json")
    return json.loads((tmp_path / "original.json").read_text())


def test_files_are_proven_again_by_everybody(certificate, record, tmp_path):
    assert (record["format"], record["needs"][-1]) == ("cvxrelu certificate 3", "outputs")
    loaded = cr.load_certificate(tmp_path / "original.json")
    for name in ("upper", "lower", "gamma", "scope", "network", "method"):
        assert getattr(loaded, name) == getattr(certificate, name), name
    np.testing.assert_array_equal(loaded.dual, certificate.dual)
    np.testing.assert_array_equal(loaded.problem.y, certificate.problem.y)
    if certificate.multipliers is not None:
        assert record_of(loaded.multipliers) == record_of(certificate.multipliers)
    assert verdict(record, tmp_path) == 0
    exact = certificate.verify_exact()
    assert 0 < certificate.lower <= exact.lower <= Fraction(certificate.upper)
    assert float(exact.lower) == pytest.approx(certificate.lower, rel=1e-3)
    assert loaded.verify_exact().lower == exact.lower


def swap_targets(record):
    y = record["problem"]["y"]
    other = next(i for i, target in enumerate(y) if target != y[0])
    y[0], y[other] = y[other], y[0]


def swap_duals(record):
    record["dual"][0], record["dual"][1] = record["dual"][1], record["dual"][0]


def one_more(record):
    record["problem"]["outputs"] += 1


def move_constant(record):
    """By more than a share of it: next to an optimum, a hundredth of a small constant is within the rounding."""
    record["network"]["intercept"][0] += 0.1


FORGERIES = {
    "lower": scaled("lower", factor=1.0001),
    "upper": scaled("upper", factor=0.9999),
    "gamma": scaled("gamma", factor=0.999),
    "an entry of the dual": scaled("dual", 0, 1, factor=1.5),
    "two rows of the dual": swap_duals,
    "two targets": swap_targets,
    "the constant": move_constant,
    "the number of outputs": one_more,
    "one column of the dual": lambda record: record.update(dual=[row[0] for row in record["dual"]]),
    "a row too few": lambda record: record["problem"]["X"].pop(),
    "no outputs": lambda record: record["problem"].pop("outputs"),
    "an older format": lambda record: record.update(format="cvxrelu certificate 1", needs=[]),
}
# The checker computes gamma, and does not read it; without a bias the constant is zero.
UNSEEN = {"gamma"}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries_are_caught(name, certificate, record, tmp_path):
    if name == "the constant" and not np.any(certificate.network.intercept):
        pytest.skip("there is none")
    FORGERIES[name](record)
    assert verdict(record, tmp_path) == (0 if name in UNSEEN else 1)
    with pytest.raises(cr.InputError):
        cr.load_certificate(tmp_path / "certificate.json")


def claim(record, gamma):
    """Claim what the dual matrix would prove with another gamma, consistently."""
    task = record["problem"]
    problem = cr.Problem(task["X"], task["y"], task["loss"], task["bias"], alpha=task["alpha"],
                         negative_slope=task["negative_slope"], sample_weight=task.get("sample_weight"))  # fmt: skip
    V, y = np.array(record["dual"]), problem.y
    if problem.bias == "free" and not problem.loss.labels:
        y = y - y.mean(axis=0)
    record["gamma"], record["lower"] = gamma, problem.loss.lower_bound(V, y, gamma, problem.alpha)


def leaves_in(node):
    """The records of multipliers of all regions."""
    return [node] if "pairs" in node else [leaf for side in ("above", "below") for leaf in leaves_in(node[side])]


def smaller_numbers(record):
    for leaf in leaves_in(record["multipliers"]):
        leaf["numbers"] = [0.7 * number for number in leaf["numbers"]]


def no_multipliers_of_places(record):
    for leaf in leaves_in(record["multipliers"]):
        leaf["single"] = [0.1 * tau for tau in leaf["single"]]


def other_amounts(record):
    for leaf in leaves_in(record["multipliers"]):
        leaf["amounts"] = [[3 * amount for amount in row] for row in leaf["amounts"]]


@pytest.mark.parametrize("name", ["relaxed", "relaxed, softmax", "relaxed, joint", "regions"])
@pytest.mark.parametrize("forge", [smaller_numbers, no_multipliers_of_places, other_amounts])
def test_consistent_claims_about_multipliers_are_caught(name, forge, tmp_path):
    """All numbers agree with each other, but the matrix of the multipliers is not semidefinite."""
    KNOWN.setdefault(name, None)
    certificate = KNOWN[name] = KNOWN[name] or CASES[name]()
    certificate.save(tmp_path / "certificate.json")
    record = json.loads((tmp_path / "certificate.json").read_text())
    forge(record)
    claim(record, 0.7 * record["gamma"])
    assert record["lower"] > certificate.lower
    assert verdict(record, tmp_path) == 1
    with pytest.raises(cr.InputError, match="but its dual vector proves"):
        cr.load_certificate(tmp_path / "certificate.json")
    unproven = cr.load_certificate(tmp_path / "certificate.json", verify=False)
    assert unproven.verify_exact().lower < record["lower"]


def test_amounts_that_nobody_sends_prove_nothing(tmp_path):
    """Not even what is true; loading repairs dual vectors, and believes what they then prove."""
    certificate = swept("multiclass-margin", 1, "joint")
    certificate.save(tmp_path / "certificate.json")
    record = json.loads((tmp_path / "certificate.json").read_text())
    V = certificate.dual.copy()
    V[np.arange(9), LABELS] *= 4
    record["dual"] = V.tolist()
    claim(record, price(certificate.problem.X, V, bias="joint").upper)
    assert 0 < record["lower"] < certificate.lower
    assert verdict(record, tmp_path) == 1
    assert cr.load_certificate(tmp_path / "certificate.json").lower == record["lower"]
    assert exact_bound(certificate.problem, V).lower <= certificate.upper


BROKEN = {
    "pairs": [[0, 99]],
    "amounts": [[0.0]],
    "single": [1.0],
    "paired": [1.0, 2.0, 3.0],
    "numbers": [1.0],
}


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_multipliers_are_no_certificate(name, tmp_path):
    certificate = KNOWN["relaxed"] = KNOWN.get("relaxed") or CASES["relaxed"]()
    certificate.save(tmp_path / "certificate.json")
    record = json.loads((tmp_path / "certificate.json").read_text())
    for value in (BROKEN[name], "none", None):
        forged = copy.deepcopy(record)
        forged["multipliers"][name] = value
        assert verdict(forged, tmp_path) == 1
        with pytest.raises(cr.InputError):
            cr.load_certificate(tmp_path / "certificate.json")
    forged = copy.deepcopy(record)
    del forged["multipliers"][name]
    assert verdict(forged, tmp_path) == 1


@pytest.mark.parametrize("huge", [1e160, 1e300, 1e308])
def test_multipliers_beyond_the_range_of_floats_prove_nothing_and_say_so(huge, tmp_path, capfd):
    certificate = KNOWN["relaxed"] = KNOWN.get("relaxed") or CASES["relaxed"]()
    certificate.save(tmp_path / "certificate.json")
    record = json.loads((tmp_path / "certificate.json").read_text())
    leaf = record["multipliers"]
    leaf["single"], leaf["numbers"] = [huge] * len(leaf["single"]), [0.0, 0.0, 0.0]
    assert verdict(record, tmp_path) == 1
    with pytest.raises(cr.InputError, match="proves"):
        cr.load_certificate(tmp_path / "certificate.json")
    unproven = cr.load_certificate(tmp_path / "certificate.json", verify=False)
    unproven.save(tmp_path / "again.json")
    with suppress(cr.InputError):
        assert unproven.verify_exact().lower < 1e-9 * certificate.lower
    assert "illegal value" not in "".join(capfd.readouterr())


def other_half(tree):
    tree["below"] = copy.deepcopy(tree["above"])


def no_half(tree):
    del tree["below"]


def nowhere(tree):
    tree["sample"] = 99


def elsewhere(tree):
    tree["direction"] = [1.0]


def too_much(tree):
    leaves_in(tree)[0]["lifts"] = [[1.0]]


@pytest.mark.parametrize("forge", [other_half, no_half, nowhere, elsewhere, too_much])
def test_damaged_trees_are_no_certificate(forge, tmp_path):
    certificate = KNOWN["regions"] = KNOWN.get("regions") or CASES["regions"]()
    certificate.save(tmp_path / "certificate.json")
    record = json.loads((tmp_path / "certificate.json").read_text())
    forge(record["multipliers"])
    assert verdict(record, tmp_path) == 1
    with pytest.raises(cr.InputError):
        cr.load_certificate(tmp_path / "certificate.json")


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("slope", [0.0, -0.5, 2.0])
def test_any_multipliers_bound_all_scores_to_three_provers(bias, slope):
    for seed, settle in ((0, True), (1, False), (2, True)):
        X, V = draw(8, 3, 2, seed)
        X[7] = X[6]  # two samples at one place
        V = V / np.abs(V).max() * 0.75
        V[0] -= V.sum(axis=0) * (bias == "free")
        rng = np.random.default_rng(seed)
        points = Points.prepare(X, bias, slope)
        n = len(points.Z)
        pairs, single = np.array([(0, 1), (2, 3), (0, 5)]), rng.random(n) - 0.2 + settle
        multipliers = NormMultipliers(pairs, rng.standard_normal((3, 2)) / 4, single, rng.random(3))
        weights = points.weigh(V)
        given = replace(multipliers, numbers=(0.2, 0.1, 0.3))
        given = settled_numbers(points, weights, multipliers) if settle else given
        bounds = three_bounds(points, X, V, given)
        W, b = random_units(X, bias, 5000, seed)
        assert norms(X, V, W, b, slope).max() <= min(bounds)
        assert bounds[2] == pytest.approx(bounds[1], rel=1e-9)
        if settle:  # what is missing is replaced otherwise in floats
            assert bounds[0] == pytest.approx(bounds[2], rel=1e-9)


MODES = [("free", 1), ("free", 2), ("none", 1), ("none", 2), ("joint", 1)]


def exactly(X, V, bias, slope):
    rows = [tuple(to_fractions(row)) for row in (np.column_stack([X, np.ones(len(X))]) if bias == "joint" else X)]
    return rows, [tuple(to_fractions(row)) for row in V], Fraction(slope), bias == "free"


@pytest.mark.parametrize(("bias", "n_features"), MODES)
@pytest.mark.parametrize("slope", [0.0, -1.0, 0.3])
def test_norms_are_swept_without_rounding(bias, n_features, slope):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        size, count = (1 + seed, 1 + seed % 3)
        X = rng.standard_normal((size, n_features))
        X = np.round(2 * X) if seed % 2 else X
        V = rng.integers(-8, 9, (size, count)) / 8
        V[0] -= V.sum(axis=0) * (bias == "free")
        arguments = exactly(X, V, bias, slope)
        gamma = float(root_above(norm_squared_above(*arguments)))
        priced = price(X, V, bias=bias, negative_slope=slope)
        assert gamma <= priced.upper
        assert gamma == pytest.approx(priced.value, rel=1e-11, abs=1e-14)
        if count == 1:
            flat = [weight for (weight,) in arguments[1]]
            assert gamma_squared(arguments[0], flat, *arguments[2:]) == norm_squared_above(*arguments)
        rows = np.column_stack([X, np.ones(size)]) if bias == "joint" else X
        anchors = rows if bias == "free" else np.zeros((1, rows.shape[1]))
        found = max(checker.largest_score(rows - anchor, V, slope, False) for anchor in anchors)
        assert gamma * (1 - 1e-12) <= found <= gamma * (1 + 1e-11) + 1e-13


def test_scores_next_to_nothing_are_not_nothing():
    """Their squares are nothing in floats."""
    E, v = np.array([[0.0, 1e-200], [0.0, 3e-200]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    assert checker.largest_score(E, v, 0.0, False) == pytest.approx(5e-200, rel=1e-9)


def test_outputs_that_are_multiples_are_solved_exactly():
    """The six points at 3 and 4 times their height cost 5 times 30."""
    certificate = cr.solve(cr.Problem(SIX_X, np.outer(SIX_Y, [3.0, 4.0]))).certificate
    bound = certificate.verify_exact("decimal")
    assert (bound.lower, bound.gamma) == (150, 1)
    assert bound.dual[0] == (Fraction(3, 2), 2)


@pytest.mark.parametrize("loss", ["softmax", "multiclass-margin", "squared", "interpolation"])
@pytest.mark.parametrize(("bias", "skip"), [("free", False), ("joint", False), ("free", True), ("joint", True)])
def test_no_matrix_proves_more_than_there_is_to_prove(loss, bias, skip):
    problem = make(loss, 1, bias, skip=skip)
    optimum = cr.solve(problem, tol=1e-4, random_state=0)
    rng = np.random.default_rng(1)
    for noise in (0.0, 1e-9, 0.1, 10.0):
        V = optimum.certificate.dual + noise * rng.standard_normal(problem.no_dual.shape)
        for scale in (1.0, 3.0, -1.0, 1e9):
            assert exact_bound(problem, scale * V).lower <= optimum.objective * (1 + 1e-12)
    assert exact_bound(problem, 0 * V).lower == 0


def test_entropies_of_many_shares_are_bounded_from_below():
    shares = [Fraction(1, 7), Fraction(1, 10**12), Fraction(2, 7)]
    rest = 1 - sum(shares)
    entropy = -sum(float(part) * math.log(part) for part in (*shares, rest))
    assert float(entropy_below(*shares)) == pytest.approx(entropy, rel=1e-14)
    assert entropy_below(Fraction(1, 2), Fraction(1, 2)) == entropy_below(Fraction(1, 2))


def test_beyond_their_reach_they_say_so(tmp_path):
    problem = make("huber", 3)
    certificate = cr.solve(problem, tol=0.3, random_state=0).certificate
    with pytest.raises(cr.InputError, match="Exact verification knows"):
        certificate.verify_exact()
    certificate.save(tmp_path / "certificate.json")
    assert checker.main([str(tmp_path / "certificate.json")]) == 2
    assert cr.load_certificate(tmp_path / "certificate.json").lower == certificate.lower
    with pytest.raises(cr.InputError, match="dual must have 9 finite entries, row of 2 for each sample"):
        exact_bound(make("squared", 1), np.ones(9))
