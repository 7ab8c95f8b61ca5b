"""Sample weights: a weight of k is k copies of the row, and zero is its absence."""

import json
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.errors import InputError
from cvxrelu.problem.losses import Loss, LossExpression, Weighted, get_loss
from cvxrelu.problem.sample_weight import merge_samples
from tests.instances import BIASES, LOSSES, NORMS, OTHERS, REGULARISED, RULES, rule_of

CHECKER = Path(__file__).parents[1] / "checker" / "check_certificate.py"


def twins(loss, *, n_samples=9, n_features=2, seed=0, **options):
    """Return a problem with weights 0 to 3, one with that many copies, and the weights, over rows that count."""
    rng = np.random.default_rng(seed)
    rule, weights = rule_of(get_loss(loss)), rng.permutation(np.arange(n_samples) % 4)
    X, y = rng.standard_normal((n_samples, n_features)), rng.standard_normal(n_samples)
    if rule.labels:
        y = np.where(y > np.median(y[weights > 0]), 1.0, -1.0)
    options = {"loss": loss, "alpha": None if rule.constrains else 0.02} | options
    copies = cr.Problem(np.repeat(X, weights, axis=0), np.repeat(y, weights), **options)
    return cr.Problem(X, y, sample_weight=weights / 7, **options), copies, weights[weights > 0]


def agree(weighted, copies, weights, search_rtol=1e-9, **options):
    """Solve one of them; its network and its dual vector have to be worth the same for both."""
    fit = cr.solve(weighted, **options)
    assert copies.objective(fit.network) == pytest.approx(weighted.objective(fit.network), rel=1e-13)
    certificate = fit.certificate
    spread = np.repeat(certificate.dual / weights, weights)
    again = certify_dual(copies, fit.network, spread)
    assert again.lower == pytest.approx(certificate.lower, rel=search_rtol)
    assert certificate.relative_gap <= 1e-6
    return fit


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("loss", [*LOSSES, *OTHERS], ids=str)
def test_weights_are_copies(loss, bias):
    agree(*twins(loss, bias=bias), tol=1e-7)


@pytest.mark.parametrize("method", ["line", "enumerate", "generate"])
@pytest.mark.parametrize("loss", LOSSES)
def test_weights_are_copies_for_every_method(loss, method):
    agree(*twins(loss, n_features=1, negative_slope=0.3), method=method)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("loss", ["interpolation", "squared", "logistic"])
def test_norms_that_are_means_over_the_data_are_weighted(loss, norm):
    weighted, copies, _ = twins(loss, n_samples=7, norm=norm, bias="joint")
    fits = [cr.solve(problem) for problem in (weighted, copies)]
    assert copies.objective(fits[0].network) == pytest.approx(fits[0].objective, rel=1e-12)
    assert fits[0].objective == pytest.approx(fits[1].objective, rel=3e-6)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_weights_are_copies_with_many_samples(loss):
    """The primal master, which goes through parts of the samples."""
    weighted, copies, weights = twins(loss, n_samples=3000)
    fit = agree(weighted, copies, weights, search_rtol=1e-6, tol=1e-6)
    assert fit.network.n_neurons < 100


@pytest.mark.parametrize("loss", [get_loss(name) for name in REGULARISED] + list(OTHERS), ids=repr)
def test_best_constants_and_alpha_max_are_those_of_copies(loss):
    weighted, copies, weights = twins(loss, n_samples=12)
    constant = weighted.loss.best_constant(weighted.y)
    assert constant == pytest.approx(copies.loss.best_constant(copies.y), abs=1e-12)
    assert cr.alpha_max(weighted) == pytest.approx(cr.alpha_max(copies), rel=1e-6)
    for ends, others in zip(
        weighted.loss.pulls(weighted.y, weighted.y), copies.loss.pulls(copies.y, copies.y), strict=True
    ):
        np.testing.assert_allclose(np.repeat(ends / weights, weights) * weights.mean(), others, atol=1e-12)


def test_zero_weights_are_absence():
    """A label that clashes, a NaN-free outlier, a class without weight: none of them is seen."""
    X, y = [[0.0], [0.0], [1.0], [2.0]], [5.0, 0.0, 1.0, 0.0]
    problem = cr.Problem(X, y, sample_weight=[0, 2, 2, 2])
    assert problem.sample_weight is None
    assert cr.solve(problem).objective == pytest.approx(2.0, rel=1e-9)


def test_positive_weights_make_no_difference_to_exact_fits():
    assert cr.Problem([[0.0], [1.0]], [0.0, 1.0], sample_weight=[1, 5]).sample_weight is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -1.0, 1.0], "negative in row 1"),
        ([0.0, 0.0, 0.0], "zero for every sample"),
        ([1.0, np.nan, 1.0], "NaN or infinite in row 1"),
        ([1.0, 1.0], r"sample_weight has shape \(2,\)"),
        ([1.0, 1e-40, 1.0], "less than 1e-30 of the mean in row 1"),
    ],
)
def test_what_is_no_weight_is_refused(weights, message):
    with pytest.raises(InputError, match=message):
        cr.Problem([[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0], "squared", alpha=0.1, sample_weight=weights)


def test_weights_of_any_size_are_shares():
    X, y, w = [[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0], np.array([1.0, 2.0, 3.0])
    huge, small = (cr.Problem(X, y, "squared", alpha=0.1, sample_weight=w * size) for size in (1e300, 1e-300))
    np.testing.assert_allclose(huge.sample_weight, [0.5, 1.0, 1.5], rtol=1e-15)
    np.testing.assert_allclose(small.sample_weight, huge.sample_weight, rtol=1e-15)


@pytest.mark.parametrize(
    ("loss", "n_features"), [(loss, 1) for loss in [*REGULARISED, cr.Huber(0.3)]] + [("squared", 6), ("logistic", 6)]
)
def test_weights_travel(tmp_path, loss, n_features):
    """Files, the checker and rational arithmetic prove the same bound; other weights are noticed."""
    weighted, _, weights = twins(loss, n_samples=8 * min(n_features, 2), n_features=n_features)
    certificate = cr.solve(weighted, prove=True, tol=1e-2).certificate
    file = tmp_path / "weighted.json"
    certificate.save(file)
    np.testing.assert_array_equal(cr.load_certificate(file).problem.sample_weight, weighted.sample_weight)
    exact = certificate.verify_exact()
    assert float(exact.lower) == pytest.approx(certificate.lower, rel=1e-6)
    seen = subprocess.run([sys.executable, CHECKER, file], capture_output=True, text=True, check=False)
    assert seen.returncode == 0, seen.stdout
    record = json.loads(file.read_text())
    record["problem"]["sample_weight"] = weights[::-1].tolist()
    file.write_text(json.dumps(record))
    with pytest.raises(InputError):
        cr.load_certificate(file)
    assert subprocess.run([sys.executable, CHECKER, file], capture_output=True, check=False).returncode == 1
    record["format"] = f"cvxrelu certificate {1 + ('multipliers' in record)}"
    file.write_text(json.dumps(record))
    with pytest.raises(InputError, match="its line `needs` names"):
        cr.load_certificate(file)


def test_paths_and_optimal_sets_are_weighted():
    weighted, copies, _ = twins("squared", n_samples=10)
    alphas = [0.1, weighted.alpha]
    objectives = [cr.path(problem, alphas).objectives for problem in (weighted, copies)]
    np.testing.assert_allclose(*objectives, rtol=1e-5)
    optima = cr.optimal_set(cr.solve(weighted, tol=1e-9))
    assert copies.objective(optima.sparsest().network) == pytest.approx(objectives[1][1], rel=1e-5)


@dataclass(frozen=True, repr=False)
class _Halved(Loss):
    """Half the absolute error, with a lower bound of its own that knows no weights."""

    name = "halved"

    def values(self, z, y):
        return np.abs(z - y) / 2

    def expression(self, z, y):
        import cvxpy as cp

        return LossExpression(cp.abs(z - y) / 2, [])

    def lower_bound(self, v, y, gamma, alpha):
        return 0.0


def test_an_own_loss_that_knows_no_weights_says_so():
    with pytest.raises(InputError, match=r"_Halved\(\) cannot have sample weights: its lower_bound takes none"):
        cr.Problem([[0.0], [1.0]], [0.0, 1.0], _Halved(), alpha=1.0, sample_weight=[1, 2])


def test_merged_samples_forget_order_and_copies():
    rng = np.random.default_rng(1)
    X, y, weights = rng.standard_normal((6, 2)), rng.standard_normal(6), np.array([1, 3, 0, 2, 1, 5])
    order = rng.permutation(weights.sum())
    copies = merge_samples(np.repeat(X, weights, axis=0)[order], np.repeat(y, weights)[order], None)
    for one, other in zip(merge_samples(X, y, weights), copies, strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_losses_of_the_table_are_weighted():
    assert {*RULES} == {*LOSSES}


@pytest.mark.parametrize("loss", [get_loss(name) for name in REGULARISED] + list(OTHERS), ids=repr)
def test_every_part_of_a_weighted_loss_is_that_of_copies(loss):
    """With weights k / 2 for k copies: what multiplies a loss multiplies its dual, w d(v / w), and its box."""
    rng, counts = np.random.default_rng(0), np.array([1, 2, 3, 2])
    y, z, weights = np.array([1.0, -1.0, 1.0, -1.0]), rng.standard_normal(4), counts / 2
    weighted, v = Weighted(loss, weights), weights * y * rng.uniform(0.1, 0.4, 4)
    spread, copies = np.repeat(v / weights, counts), np.repeat(y, counts)
    assert 2 * weighted.values(z, y).sum() == pytest.approx(loss.values(np.repeat(z, counts), copies).sum())
    assert 2 * weighted.dual_value(v, y) == pytest.approx(loss.dual_value(spread, copies))
    bounds = weighted.lower_bound(v, y, 0.7, 0.2), loss.lower_bound(spread, copies, 1.4, 0.2)
    assert bounds[0] == pytest.approx(bounds[1])
    assert bounds[0] > 0
    for end, other in zip(weighted.box(y), loss.box(y), strict=True):
        np.testing.assert_allclose(end, weights * other)
    assert weighted.exact_dual(Fraction).weights == tuple(map(Fraction, weights.tolist()))
    model, plain = weighted.dual_model(v, y), loss.dual_model(v / weights, y)
    np.testing.assert_allclose(model.curvature * weights, plain.curvature)
    np.testing.assert_allclose(model.slope, plain.slope)


def test_the_lightest_sample_decides_which_loss_is_simpler():
    """Huber's loss is a square up to 1/2, which a sample of weight 1/2 pays as 1/4."""
    weighted = Weighted(cr.Huber(1.0), np.array([0.5, 1.5]))
    assert (weighted.below(0.3).plain, weighted.below(0.2).plain) == (cr.Huber(1.0), get_loss("squared"))


def test_the_checker_takes_weights_over_their_mean(tmp_path):
    cr.solve(twins("squared", n_features=1)[0]).certificate.save(tmp_path / "weighted.json")
    record = json.loads((tmp_path / "weighted.json").read_text())
    record["problem"]["sample_weight"] = [2 * weight for weight in record["problem"]["sample_weight"]]
    (tmp_path / "doubled.json").write_text(json.dumps(record))
    seen = subprocess.run([sys.executable, CHECKER, tmp_path / "doubled.json"], capture_output=True, check=False)
    assert seen.returncode == 0
