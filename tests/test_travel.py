"""Certificates with multipliers: what a file proves in any dimension, to the package, the checker and in fractions."""

import copy
import json
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from scipy.sparse import csr_array

import cvxrelu as cr
from cvxrelu.certificate.certificate import certificate_of
from cvxrelu.certificate.multiplier_record import DEPTH_LIMIT, multipliers_of, record_of_multipliers
from cvxrelu.certificate.multipliers import bound_of, settled
from cvxrelu.certificate.rational.numbers import to_fractions
from cvxrelu.certificate.rational.relaxed import gamma_above
from cvxrelu.certificate.trees import Cuts, Leaf, Split, leaves_of
from cvxrelu.pricing import price
from cvxrelu.pricing.points import Points
from cvxrelu.relaxation import relaxed_rounds
from cvxrelu.runtime.clock import Clock
from tests.instances import make_problem, normal_data
from tests.test_checker import checker, verdict

# Of three provers: the claims of a file may differ by the rounding of floats, and a score found is no more exact.
AGREEMENT, FOUND_RTOL = 1e-8, 1e-9


def relaxed(problem, network=None, rounds=4):
    """Return a certificate by multipliers, after so many rounds."""
    network = network or cr.solve(problem, prove=False, random_state=0).network
    *_, last = islice(relaxed_rounds(problem, clock=Clock(20.0)), rounds)
    return certificate_of(problem, network, last.bound)


def grid_problem(bias, slope):
    """Duplicates, and four features of which only two are free, on a lattice."""
    X = np.array([[i % 4, i // 4 % 3] for i in range(14)], dtype=float)
    X = np.column_stack([X, X.sum(axis=1), X[:, 0] - X[:, 1]])
    return cr.Problem(X, np.sin(3.0 * np.arange(14)), "squared", bias=bias, alpha=0.05, negative_slope=slope)


CASES = [
    *(pytest.param(("grid", bias, slope), id=f"grid-{bias}-{slope}")
      for bias, slope in (("free", 0.3), ("free", -1.0), ("free", 2.0), ("joint", 0.0), ("joint", -1.0), ("none", 0.3),
                          ("none", 2.0))),
    *(pytest.param((loss, "free", 0.0), id=loss) for loss in ("interpolation", "margin", "logistic", "hinge")),
    pytest.param(("squared", "free", 0.0), id="squared"),
]  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def certificate(request):
    kind, bias, slope = request.param
    if kind == "grid":
        return relaxed(grid_problem(bias, slope))
    return relaxed(make_problem(kind, 12, 3, bias=bias, negative_slope=slope))


@pytest.fixture(scope="module")
def split():
    """A certificate whose trees have splits and cuts, the scores that there are, and the optimum."""
    problem = make_problem("squared", 14, 3, alpha=0.01)
    fit = cr.solve(problem)
    found = relaxed(problem, fit.network, rounds=7)
    assert min(sum(1 for _ in leaves_of(tree)) for tree in found.multipliers) >= 2
    assert any(len(leaf.cuts) for tree in found.multipliers for _, leaf in leaves_of(tree))
    return found, price(problem.X, found.dual).value, fit.objective


def rows_of(problem):
    return np.column_stack([problem.X, np.ones(len(problem.y))]) if problem.bias == "joint" else problem.X


def three_bounds(certificate, trees, claimed):
    """Yield bounds on gamma(dual): in floats, of the checker, and in fractions."""
    problem, v, slope = certificate.problem, certificate.dual, certificate.problem.negative_slope
    free, rows = problem.bias == "free", rows_of(problem)
    points = Points.prepare(problem.X, problem.bias, slope)
    weights = points.weigh(v)
    n_places = len(points.Z)

    def floats():
        return np.ldexp(bound_of(points, weights, multipliers_of(trees, n_places)), weights.exponent)

    scale = checker.exponent(v)

    def of_checker():
        unit = np.ldexp(v, -scale)
        return np.ldexp(checker.relaxed_score(rows, unit, slope, free, trees, np.ldexp(claimed, -scale)), scale)

    def fractions():
        checked = record_of_multipliers(multipliers_of(trees, n_places))
        exact = to_fractions(np.ldexp(v, -scale))
        if free:  # the last digit of a vector that sums to zero
            exact = [weight - sum(exact) / len(exact) for weight in exact]
        lifted = [tuple(to_fractions(row)) for row in rows]
        return float(gamma_above(lifted, exact, Fraction(slope), free, checked) * Fraction(2) ** scale)

    return floats, of_checker, fractions


def test_floats_checker_and_fractions_prove_the_same(certificate, tmp_path):
    file = tmp_path / "certificate.json"
    certificate.save(file)
    again = cr.load_certificate(file)
    assert again.multipliers is not None
    assert again.method == "relaxation"
    assert (again.lower, again.upper, again.scope) == (certificate.lower, certificate.upper, "global")
    np.testing.assert_allclose(again.gamma, certificate.gamma, rtol=AGREEMENT)
    if certificate.problem.n_features > 2:
        assert checker.main([str(file)]) == 0
    exact = again.verify_exact()
    assert exact.lower >= certificate.lower
    np.testing.assert_allclose(float(exact.lower), certificate.lower, rtol=AGREEMENT)
    record = json.loads(file.read_text())
    found = [bound() for bound in three_bounds(certificate, record["multipliers"], certificate.gamma)]
    np.testing.assert_allclose(found, certificate.gamma, rtol=AGREEMENT)


def test_decimals_are_proved_as_well(certificate):
    decimal = certificate.verify_exact("decimal")
    np.testing.assert_allclose(float(decimal.lower), certificate.lower, rtol=AGREEMENT)


def without_ball(tree):
    """A record of multipliers without what the search for the best bound changes again."""
    if isinstance(tree, dict):
        return {name: without_ball(part) for name, part in tree.items() if name != "ball"}
    return [without_ball(part) for part in tree] if isinstance(tree, list) else tree


def test_what_is_written_is_read_unchanged(split, tmp_path):
    certificate, records = split[0], []
    for name in ("first", "second"):
        certificate.save(tmp_path / f"{name}.json")
        certificate = cr.load_certificate(tmp_path / f"{name}.json")
        records.append(json.loads((tmp_path / f"{name}.json").read_text())["multipliers"])
    assert without_ball(records[0]) == without_ball(records[1])
    record = record_of_multipliers(certificate.multipliers)
    assert record == records[1]
    assert record_of_multipliers(multipliers_of(json.loads(json.dumps(record)), 14)) == record
    assert certificate.of(certificate.network).multipliers is certificate.multipliers


def test_settled_multipliers_prove_the_same(split):
    certificate, *_ = split
    problem = certificate.problem
    points = Points.prepare(problem.X, problem.bias, problem.negative_slope)
    weights = points.weigh(certificate.dual)
    before = bound_of(points, weights, certificate.multipliers)
    after = bound_of(points, weights, settled(points, weights, certificate.multipliers))
    np.testing.assert_allclose(after, before, rtol=1e-9)


def test_files_without_multipliers_are_as_they_were(tmp_path):
    cr.solve(make_problem("squared")).certificate.save(tmp_path / "old.json")
    record = json.loads((tmp_path / "old.json").read_text())
    assert record["format"] == "cvxrelu certificate 1"
    assert "multipliers" not in record
    assert cr.load_certificate(tmp_path / "old.json").multipliers is None


def refused(record, tmp_path, message):
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(record))
    with pytest.raises(cr.InputError, match=message) as error:
        cr.load_certificate(file)
    assert "\n" not in str(error.value)
    assert checker.main([str(file)]) == 1


@pytest.fixture
def record(split, tmp_path):
    split[0].save(tmp_path / "original.json")
    return json.loads((tmp_path / "original.json").read_text())


def first_split(record):
    return next(tree for tree in record["multipliers"] if "sample" in tree)


def leaves(tree):
    if "sample" not in tree:
        return [tree]
    return leaves(tree["above"]) + leaves(tree["below"])


def test_formats_say_whether_there_are_multipliers(record, tmp_path):
    assert record["format"] == "cvxrelu certificate 2"
    with_old_format = record | {"format": "cvxrelu certificate 1"}
    (tmp_path / "certificate.json").write_text(json.dumps(with_old_format))
    with pytest.raises(cr.InputError, match="in files of the format"):
        cr.load_certificate(tmp_path / "certificate.json")
    del record["multipliers"]
    assert verdict(record, tmp_path) == 2
    with pytest.raises(cr.InputError, match="in files of the format"):
        cr.load_certificate(tmp_path / "certificate.json")


@pytest.mark.parametrize("factor", [1.0001, 1.1])
def test_claims_above_what_multipliers_prove_are_refused(record, factor, tmp_path):
    refused(record | {"lower": record["lower"] * factor}, tmp_path, "it claims the lower bound")


def test_a_small_gamma_is_not_believed(record, split, tmp_path):
    less = record | {"gamma": 0.9 * record["gamma"]}
    (tmp_path / "certificate.json").write_text(json.dumps(less))
    with pytest.raises(cr.InputError, match="it claims gamma"):
        cr.load_certificate(tmp_path / "certificate.json")
    for bound in three_bounds(split[0], record["multipliers"], 1e-3 * record["gamma"]):
        assert bound() >= split[1] * (1 - FOUND_RTOL)


def into_first(name, change):
    """A forgery of one entry of all leaves, or of their cuts."""

    def forge(record):
        for tree in record["multipliers"]:
            for leaf in leaves(tree):
                holder = leaf if name in leaf else leaf.get("cuts", {})
                if name in holder:
                    holder[name] = change(holder[name])

    return forge


def swap_above_and_below(record):
    for tree in record["multipliers"]:
        if "sample" in tree:
            tree["above"], tree["below"] = tree["below"], tree["above"]


def other_sample(record):
    for tree in record["multipliers"]:
        if "sample" in tree:
            tree["sample"] = (tree["sample"] + 1) % 14


def swap_sides(record):
    record["multipliers"].reverse()


def empty(record):
    record["multipliers"] = [{}, {}]


def other_cuts(record):
    for tree in record["multipliers"]:
        for leaf in leaves(tree):
            if "cuts" in leaf:
                cuts = leaf["cuts"]
                cuts["places"] = [[(place + 1) % 14 for place in row] for row in cuts["places"]]


def implied_by_nothing(record):
    for tree in record["multipliers"]:
        for leaf in leaves(tree):
            leaf.pop("products", None)
            known = implied_places(tree)
            fresh = next(k for k in range(14) if k not in known)
            leaf["implied"] = {"places": [[fresh]], "shares": [[]], "signs": [1]}


def implied_places(tree):
    return (
        {tree["sample"]} | implied_places(tree["above"]) | implied_places(tree["below"]) if "sample" in tree else set()
    )


def negated(x):
    return [negated(y) for y in x] if isinstance(x, list) else -x


def times(factor):
    return lambda x: [times(factor)(y) for y in x] if isinstance(x, list) else factor * x


UNTRUE = {
    **{
        f"{name}, {how}": into_first(name, change)
        for name in ("curvature", "linear", "credit", "ball", "strip", "products", "mass", "shares")
        for how, change in (("negated", negated), ("tiny", times(1e-3)), ("huge", times(1e3)), ("zero", times(0.0)),
                            ("beyond all", times(1e290)))
    },
    **{f"{name}, permuted": into_first(name, lambda x: x[::-1]) for name in ("curvature", "linear", "credit", "mass")},
    "signs the wrong way round": swap_above_and_below,
    "another sample": other_sample,
    "sides swapped": swap_sides,
    "no multipliers": empty,
    "cuts of other places": other_cuts,
    "a sign that nothing implies": implied_by_nothing,
}  # fmt: skip


@pytest.mark.parametrize("forgery", UNTRUE.values(), ids=UNTRUE)
def test_no_multipliers_prove_too_much(split, record, forgery, tmp_path):
    certificate, score, optimum = split
    forgery(record)
    for bound in three_bounds(certificate, record["multipliers"], 0.999 * score):
        try:
            assert bound() >= score * (1 - FOUND_RTOL)
        except (ValueError, ArithmeticError):
            continue
    record["lower"] = optimum * 1.001
    refused(record, tmp_path, ".")


def node(record, *path):
    for key in path[:-1]:
        record = record[key]
    return record, path[-1]


def put(value, *path):
    """A forgery of an entry of the first split."""

    def forge(record):
        holder, last = node(first_split(record), *path)
        holder[last] = value

    return forge


def drop(*path):
    def forge(record):
        holder, last = node(first_split(record), *path)
        del holder[last]

    return forge


def in_leaf(change):
    def forge(record):
        change(next(leaf for tree in record["multipliers"] for leaf in leaves(tree) if "cuts" in leaf))

    return forge


def deep(depth):
    tree = {}
    for _ in range(depth):
        tree = {"sample": 0, "above": tree, "below": {}}
    return tree


DAMAGED = {
    "no child": (drop("below"), "must have the entries"),
    "a place too many": (put(14, "sample"), "none|no other one"),
    "a place below zero": (put(-1, "sample"), "no other one"),
    "half a place": (put(0.5, "sample"), "no other one"),
    "a child that is none": (put(3.0, "above"), "no record"),
    "one tree": (lambda record: record["multipliers"].pop(), "two trees"),
    "no trees": (lambda record: record.update(multipliers={}), "two trees"),
    "a short vector": (in_leaf(lambda leaf: leaf["curvature"].pop()), "shape"),
    "a word": (in_leaf(lambda leaf: leaf["curvature"].__setitem__(0, "much")), "."),
    "infinity": (in_leaf(lambda leaf: leaf["curvature"].__setitem__(0, float("inf"))), "Infinity"),
    "no number": (in_leaf(lambda leaf: leaf["cuts"]["mass"].__setitem__(0, float("nan"))), "NaN"),
    "a cut of other places": (in_leaf(lambda leaf: leaf["cuts"]["places"][0].__setitem__(0, 99)), "another place"),
    "a cut without places": (in_leaf(lambda leaf: leaf["cuts"]["places"].__setitem__(0, [])), "no place"),
    "a cut without shares": (in_leaf(lambda leaf: leaf["cuts"]["shares"].pop()), "as many lists"),
    "a cut without a mass": (in_leaf(lambda leaf: leaf["cuts"]["mass"].pop()), "shape"),
    "products of other signs": (in_leaf(lambda leaf: leaf.update(products=[[1.0] * 9] * 9)), "products of signs"),
    "a sign of zero": (
        in_leaf(lambda leaf: leaf.update(implied={"places": [[13]], "shares": [[]], "signs": [0]})), "-1 or 1",
    ),
    "signs from nowhere": (
        in_leaf(lambda leaf: leaf.update(implied={"places": [[*range(14)]], "shares": [[1.0] * 13], "signs": [1]})),
        "implied",
    ),
    "splits without end": (lambda record: record["multipliers"].__setitem__(0, deep(DEPTH_LIMIT + 5)), "no other one"),
    "splits beyond all": (lambda record: record["multipliers"].__setitem__(0, deep(900)), "."),
}  # fmt: skip


@pytest.mark.parametrize(("forgery", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_multipliers_are_refused_in_a_sentence(record, forgery, message, tmp_path):
    forgery(record)
    refused(record, tmp_path, message)


def test_an_unknown_entry_is_refused(record, tmp_path):
    first_split(record)["above"]["weight"] = 1.0
    (tmp_path / "certificate.json").write_text(json.dumps(record))
    with pytest.raises(cr.InputError, match=r"must have the entries|other entries"):
        cr.load_certificate(tmp_path / "certificate.json")


def test_truncated_files_are_refused(record, tmp_path):
    text = json.dumps(record)
    for length in range(0, len(text), len(text) // 10):
        assert verdict(text[:length], tmp_path) == 1
        with pytest.raises(cr.InputError):
            cr.load_certificate(tmp_path / "certificate.json")


def test_rows_that_are_no_cuts_are_neither_believed_nor_written():
    problem = make_problem("squared", 5, 3)
    points = Points.prepare(problem.X, "free", 0.0)
    v = problem.y - problem.y.mean()
    two = Cuts(csr_array([[1.0, 1.0, 0.0, 0.0, 0.0]]), np.ones(1), np.ones(1))
    leaf = Leaf(np.ones(5), np.zeros(5), np.zeros(5), two, 1.0, 1.0)
    assert bound_of(points, points.weigh(v), (leaf, leaf)) == np.inf
    with pytest.raises(cr.InputError, match="one positive entry"):
        record_of_multipliers((leaf, leaf))


def test_a_sign_of_zero_proves_nothing():
    points = Points.prepare(np.eye(2), "none", 0.0)
    nowhere = Leaf(*np.zeros((3, 2)), Cuts.none(2), 1.0, 0.0, np.zeros((2, 2)), ((0, 0.0, {}), (1, 0.0, {})))
    assert bound_of(points, points.weigh([1.0, 1.0]), (nowhere, nowhere)) == np.inf


def test_places_are_those_of_the_data_whatever_their_order_and_unit(tmp_path):
    X, y = normal_data(12, 3)
    X = np.vstack([X, X[:3]])[::-1] * 2.0**-40 + 3.0 * 2.0**-40
    problem = cr.Problem(X, np.append(y, y[:3])[::-1], "squared", alpha=0.05 * 2.0**-40)
    certificate = relaxed(problem)
    certificate.save(tmp_path / "certificate.json")
    assert cr.load_certificate(tmp_path / "certificate.json").lower == certificate.lower > 0
    assert checker.main([str(tmp_path / "certificate.json")]) == 0
    assert certificate.verify_exact().lower >= certificate.lower


def test_implied_signs_travel(split, tmp_path):
    """A place that is split at after its multiple, which says nothing new."""
    X = np.vstack([normal_data(8, 3)[0], np.zeros((1, 3))])
    X[1] = 2.0 * X[0]
    problem = cr.Problem(X, np.sin(np.arange(9.0)), "squared", bias="none", alpha=0.05)
    certificate = relaxed(problem)
    order = np.unique(X, axis=0, return_inverse=True)[1].reshape(-1).tolist()
    first, second = order[0], order[1]

    def with_implied(leaf, sign):
        products = np.array([[0.0, 0.1], [0.1, 0.0]])
        return replace(leaf, implied=((second, sign, {first: 2.0}),), products=products)

    def tree(root):
        leaf = next(leaves_of(root))[1]
        leaf = replace(leaf, curvature=leaf.curvature + 0.1, cuts=Cuts.none(9), implied=(), products=np.zeros((1, 1)))
        return Split(first, with_implied(leaf, 1.0), with_implied(leaf, -1.0))

    trees = tuple(map(tree, certificate.multipliers))
    record = record_of_multipliers(trees)
    assert record_of_multipliers(multipliers_of(copy.deepcopy(record), 9)) == record
    points = Points.prepare(X, "none", 0.0)
    weights = points.weigh(certificate.dual)
    record = record_of_multipliers(settled(points, weights, trees))
    expected = np.ldexp(bound_of(points, weights, trees), weights.exponent)
    found = [bound() for bound in three_bounds(certificate, record, expected)]
    np.testing.assert_allclose(found, expected, rtol=AGREEMENT)
    assert expected >= price(X, certificate.dual, bias="none").value


def test_a_problem_that_sweeps_may_claim_more_than_its_multipliers_prove(record, tmp_path):
    problem = make_problem("squared", 9, 2)
    exact, found = cr.solve(problem).certificate, relaxed(problem, rounds=1)
    assert found.lower < exact.lower
    for certificate in (found, replace(exact, multipliers=found.multipliers)):
        certificate.save(tmp_path / "certificate.json")
        again = cr.load_certificate(tmp_path / "certificate.json")
        assert again.lower == certificate.lower
        assert (again.multipliers is None) == (certificate is not found)
        assert checker.main([str(tmp_path / "certificate.json")]) == 0
