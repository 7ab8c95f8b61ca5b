"""Losses of one's own: what they say of themselves is believed, and what they do not say is not made up."""

import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.numerics.convex import least_convex
from cvxrelu.problem.losses import Loss, LossExpression, get_loss

X = np.linspace(-1, 1, 8)[:, None]
Y = np.array([1.0, -1, 2, 1, -1, 3, 1, -1])
LABELS = np.sign(Y)


@dataclass(frozen=True, repr=False)
class _Poisson(Loss):
    """exp(z) - y z, less `floor` of it: negative for large y unless that is its least value."""

    floor: bool = False
    name = "poisson"

    def values(self, z, y):
        return np.exp(z) - y * z - (y - y * np.log(y) if self.floor else 0)

    def expression(self, z, y):
        return LossExpression(cp.exp(z) - cp.multiply(y, z) - (y - y * np.log(y) if self.floor else 0), [])


@dataclass(frozen=True, repr=False)
class _Bare(Loss):
    """Half the squared error, of whose dual nothing is told."""

    name = "bare"

    def values(self, z, y):
        return (z - y) ** 2 / 2

    def expression(self, z, y):
        return LossExpression(cp.square(z - y) / 2, [])


@dataclass(frozen=True, repr=False)
class _LogCosh(Loss):
    """A smooth loss with pulls, of whose dual nothing is told."""

    name, smooth = "log-cosh", True

    def values(self, z, y):
        return np.logaddexp(z - y, y - z) - np.log(2)

    def expression(self, z, y):
        return LossExpression(cp.logistic(2 * (z - y)) - (z - y) - np.log(2), [])

    def pulls(self, z, y):
        return np.tanh(y - z), np.tanh(y - z)


@dataclass(frozen=True, repr=False)
class _Tube(_Bare):
    """A constraint, and not that of interpolation."""

    name, regularised = "tube", False


@dataclass(frozen=True, repr=False)
class _Scaled(Loss):
    """Half the squared hinge loss with another margin, which tells its pulls and no best constant."""

    margin: float = 0.5
    name, labels, smooth, curvature = "scaled", True, True, 1.0

    def values(self, z, y):
        return np.maximum(0.0, self.margin - y * z) ** 2 / 2

    def expression(self, z, y):
        return LossExpression(cp.square(cp.pos(self.margin - cp.multiply(y, z))) / 2, [])

    def pulls(self, z, y):
        pull = y * np.maximum(0.0, self.margin - y * z)
        return pull, pull


def problem_of(loss, alpha=0.1, **options):
    return cr.Problem(X, LABELS if loss.labels else Y, loss, alpha=alpha, **options)


def test_a_negative_loss_is_refused_where_it_shows():
    """Every lower bound rests on losses that are not negative: any network was "the best possible"."""
    counts = np.array([3.0, 5, 2, 8, 9, 4, 7, 12])
    problem = cr.Problem(X, counts, _Poisson(), alpha=0.1)
    network = cr.Network([[1.0]], [0.0], [1.0], 1.0)
    for call in (lambda: cr.solve(problem), lambda: cr.certify(network, problem), lambda: cr.path(problem, [0.1])):
        with pytest.raises(InputError, match=r"loss='poisson' is negative, -\d.* add to each loss"):
            call()
    with pytest.warns(cr.AccuracyWarning, match="does not tell its dual"):
        fit = cr.solve(cr.Problem(X, counts, _Poisson(floor=True), alpha=0.1))
    assert (fit.status, fit.certificate.lower) == (cr.Status.UNPROVEN, 0.0)
    shift = np.mean(counts - counts * np.log(counts))
    assert fit.objective + shift == pytest.approx(-5.537, abs=1e-3)


def test_a_constraint_of_ones_own_is_refused():
    """It was solved and certified as interpolation."""
    with pytest.raises(InputError, match=r"loss=_Tube is a constraint, .* penalise what misses it"):
        cr.Problem(X, Y, _Tube())


@pytest.mark.parametrize("loss", [_Bare(), _LogCosh()], ids=repr)
@pytest.mark.parametrize("options", [{}, {"skip": True}, {"bias": "none"}], ids=str)
def test_a_loss_that_tells_no_dual_is_solved_by_its_expression(loss, options):
    """It was solved with the dual of another loss, and ended with the constant."""
    problem = problem_of(loss, alpha=0.01, **options)
    with pytest.warns(cr.AccuracyWarning, match="does not tell its dual: give it `curvature` and `limits`"):
        fit = cr.solve(problem)
    assert fit.certificate.lower == 0
    if loss.name == "bare":
        squared = cr.solve(problem_of(get_loss("squared"), alpha=0.01, **options))
        assert fit.objective == pytest.approx(squared.objective, rel=1e-5)
    assert fit.network.n_neurons
    with pytest.raises(InputError, match="method='generate' rests on the dual of the loss"):
        cr.solve(problem, "generate")


def test_of_many_samples_such_a_loss_is_solved_on_drawn_cells():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((40, 3))
    problem = cr.Problem(inputs, 2 * np.abs(inputs[:, 0]) + inputs[:, 1], _Bare(), alpha=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = cr.solve(problem, prove=False, random_state=0)
        model = cr.ReLURegressorCV(_Bare(), alphas=[0.1], cv=2, random_state=0).fit(inputs, problem.y)
    assert fit.method == "sample"
    assert fit.objective < 0.1
    assert model.score(inputs, problem.y) > 0.8


@pytest.mark.parametrize("weights", [None, [1.0, 3, 1, 2, 1, 1, 1, 5]], ids=str)
def test_the_best_constant_is_found_between_the_candidates(weights):
    """The slopes at the nearest candidate do not sum to zero, and alpha_max was three times too small."""
    for margin in (0.5, 3.0):
        problem = problem_of(_Scaled(margin), sample_weight=weights)
        largest = cr.alpha_max(problem)
        counts = np.ones(8) if weights is None else np.array(weights) * 8 / np.sum(weights)
        positive, negative = counts[LABELS > 0].sum(), counts[LABELS < 0].sum()
        best = margin * (positive - negative) / 8
        assert problem.loss.best_constant(LABELS) == pytest.approx(best, rel=1e-12)
        unit = cr.Problem(X, LABELS, _Scaled(1.0), alpha=0.1, sample_weight=weights)
        assert largest == pytest.approx(margin * cr.alpha_max(unit), rel=1e-9)


def test_the_least_of_a_convex_function():
    for c in (0.3, -1e6, 1e-9):
        assert least_convex(lambda x, c=c: (x - c) ** 2, lambda x, c=c: 2 * (c - x), 1.0, 1.0) == pytest.approx(c, 1e-9)
        assert least_convex(lambda x, c=c: (x - c) ** 2, lambda _: np.nan, 1.0, 1.0) == pytest.approx(c, abs=1e-2)
    assert least_convex(abs, lambda x: -np.sign(x), 3.0, 1.0) == pytest.approx(0.0, abs=1e-15)
    assert least_convex(lambda x: np.exp(-x), lambda x: np.exp(-x), 0.0, 1.0) > 30  # it falls for ever


def test_a_loss_may_be_infinite_at_zero():
    """z - y log z, which nobody evaluates there but to look at it."""

    class Rate(_Bare):
        name = "rate"

        def values(self, z, y):
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(z > 0, z - y + y * np.log(y / z), np.inf)

        def expression(self, z, y):
            return LossExpression(cp.kl_div(y, z), [])

        def pulls(self, z, y):
            return y / z - 1 + 0 * z / z, y / z - 1 + 0 * z / z

    counts = np.array([3.0, 5, 2, 8, 9, 4, 7, 12])
    problem = cr.Problem(X, counts, Rate(), alpha=0.1)
    with pytest.warns(cr.AccuracyWarning, match="does not tell its dual"):
        fit = cr.solve(problem)
    assert fit.objective < problem.objective(cr.Network(np.zeros((0, 1)), [], [], counts.mean()))


def test_labels_of_ones_own_go_with_weights():
    class Twos(_Scaled):
        def check_labels(self, y):
            assert set(y) == {-2.0, 2.0}

    cr.Problem(X, 2 * LABELS, Twos(), alpha=0.1, sample_weight=np.arange(1, 9))


def changed(**methods):
    return type("Changed", (_Bare,), methods)()


@pytest.mark.parametrize(
    ("loss", "error", "sentence"),
    [
        (changed(name="squared"), InputError, "has the name 'squared', by which another loss is known"),
        (changed(values=lambda self, z, y: 1.0), InputTypeError, r"values has to return an array of shape \(8,\), and"),
        (changed(values=lambda self, z, y: y[:3]), InputTypeError, r"and returns an array of shape \(3,\)"),
        (changed(values=lambda self, z, y: np.nan * y), InputError, "values are not numbers"),
        (changed(values=lambda self, z, y: (z - y) ** 2 - 1), InputError, "is negative, -1 for one"),
        (changed(pulls=lambda self, z, y: y - z), InputTypeError, "pulls has to return a pair"),
        (changed(pulls=lambda self, z, y: (y - z + 1, y - z)), InputError, "lower ends first"),
        (
            changed(expression=lambda self, z, y: cp.square(z - y)),
            InputTypeError,
            "return a LossExpression, and returns",
        ),
        (
            changed(expression=lambda self, z, y: LossExpression(cp.sum_squares(z - y), [])),
            InputTypeError,
            "one loss for each of 8 samples",
        ),
        (
            changed(expression=lambda self, z, y: LossExpression(-cp.square(z - y), [])),
            InputTypeError,
            "not convex by the rules of cvxpy",
        ),
        (_Scaled("wide"), InputError, "has the parameter margin='wide'"),
        (_Scaled(np.nan), InputError, "has the parameter margin=nan"),
    ],
)
def test_what_is_no_loss_is_refused_in_a_sentence(loss, error, sentence):
    with pytest.raises(error, match=sentence):
        problem_of(loss)
