"""Norms of one's own: what CONTRIBUTING asks is enough, and what contradicts itself is refused."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.problem.norms import Euclidean, Norm

X = np.array([[-1.0, 0.4], [-0.3, 1.0], [0.4, -0.7], [1.1, 0.9], [0.2, 0.1]])
Y = np.array([1.0, -1.0, 0.5, 2.0, -0.3])


@dataclass(frozen=True, eq=False)
class Weighted(Norm):
    units: np.ndarray | None = None
    name = "weighted"

    @property
    def has_free_bias(self):
        return self.bias == "free"

    def neuron_costs(self, W, b):
        return np.linalg.norm(W * self.units, axis=1)

    def group_matrices(self, patterns, lifted, transform):
        return (self.units[:, None] * transform[: len(self.units)])[None]


UNITS = np.array([1.0, 5.0])


def problem_with(norm, **arguments):
    return cr.Problem(X, Y, "squared", norm.bias, norm, alpha=0.01, **arguments)


@pytest.mark.parametrize("bias", ["free", "none"])
def test_the_example_runs_as_printed(bias):
    page = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
    (printed,) = (code for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "(Norm)" in code)
    names = {"__name__": "printed"}
    exec(printed, names)
    fit = cr.solve(problem_with(names["Weighted"](bias, UNITS)))
    # Weights in other units are features in other units.
    same = cr.solve(cr.Problem(X / UNITS, Y, "squared", bias, alpha=0.01))
    assert fit.objective == pytest.approx(same.objective, rel=1e-5)
    assert fit.certificate.lower == pytest.approx(same.objective, rel=1e-5)
    with pytest.raises(cr.InputError, match="costs nothing for neurons that respond"):
        problem_with(names["Weighted"]("joint", UNITS))


@pytest.mark.parametrize("bias", ["free", "none"])
def test_weights_may_leave_the_space_of_the_data_where_that_costs_less(bias):
    """On a line x_2 = x_1 the slope s = w_1 + w_2 costs 5 / sqrt(26) at the least."""
    x = np.array([-1.0, -0.4, 0.3, 0.8, 1.5])
    problem = cr.Problem(np.outer(x, [1.0, 1.0]), Y, "squared", bias, Weighted(bias, UNITS), alpha=0.01)
    alone = cr.Problem(x[:, None], Y, "squared", bias, Weighted(bias, UNITS[1:] / np.sqrt(26)), alpha=0.01)
    optimum = cr.solve(alone).objective
    program = cr.build_program(problem)
    cp.Problem(cp.Minimize(program.objective), program.constraints).solve("CLARABEL")
    assert program.scope == "global"
    assert program.objective.value == pytest.approx(optimum, rel=1e-5)
    assert problem.objective(program.network()) == pytest.approx(optimum, rel=1e-4)
    fit = cr.solve(problem)
    assert fit.status is cr.Status.OPTIMAL
    assert fit.objective == pytest.approx(optimum, rel=1e-5)


@dataclass(frozen=True, eq=False)
class Spread(Weighted):
    """Weights in units of the columns' standard deviations."""

    shares: bool = True
    name = "spread"

    def on(self, X, negative_slope, weights=None):
        shares = np.ones(len(X)) if weights is None or not self.shares else weights
        mean = np.average(X, axis=0, weights=shares)
        return replace(self, units=np.sqrt(np.average((X - mean) ** 2, axis=0, weights=shares)))


def test_a_norm_of_the_data_is_the_same_for_merged_samples():
    x, y = np.array([[0.0], [0.0], [0.0], [0.0], [1.0], [3.0]]), [0.0, 0.1, 0.0, 0.1, 2.0, -1.0]
    problem = cr.Problem(x, y, "squared", "free", Spread("free"), alpha=0.05)
    scaled = cr.Problem(x / x.std(), y, "squared", "free", alpha=0.05)
    program = cr.build_program(problem)
    value = cp.Problem(cp.Minimize(program.objective), program.constraints).solve("CLARABEL")
    assert value == pytest.approx(cr.solve(scaled).objective, rel=1e-5)
    assert cr.solve(problem).objective == pytest.approx(value, rel=1e-5)
    with pytest.raises(cr.InputError, match="two equal samples"):
        cr.Problem(x, y, "squared", "free", Spread("free", shares=False), alpha=0.05)


class Sphere(Weighted):
    cellwise = False


class Half(Euclidean):
    name = "half"

    def neuron_costs(self, W, b):
        return 0.5 * super().neuron_costs(W, b)


class Taken(Weighted):
    name = "response"


class Nameless(Weighted):
    name = None


def changed(**methods):
    """Return a norm of which some methods return something else."""
    made = {name: lambda self, *arguments, of=of: of(*arguments) for name, of in methods.items()}
    return type("Changed", (Weighted,), made)("free", UNITS)


def length(W, b):
    return np.linalg.norm(W * UNITS, axis=1)


REFUSED = {
    "leave `cellwise` True": [Sphere("free", UNITS), Half("free")],
    "needs a name": [Taken("free", UNITS), Nameless("free", UNITS)],
    "is not what `neuron_costs` says": [changed(neuron_costs=lambda W, b: 0.5 * length(W, b))],
    "do not cost twice as much": [changed(neuron_costs=lambda W, b: length(W, b) ** 2)],
    "negative or not finite": [
        changed(neuron_costs=lambda W, b: -length(W, b)),
        changed(neuron_costs=lambda W, b: np.full(len(W), np.nan)),
        changed(neuron_costs=lambda W, b: np.full(len(W), np.inf)),
    ],
    "neuron_costs has to return": [
        changed(neuron_costs=lambda W, b: 1.0),
        changed(neuron_costs=lambda W, b: length(W, b)[:, None]),
        changed(neuron_costs=lambda W, b: length(W, b).tolist()),
        changed(neuron_costs=lambda W, b: length(W, b) * 1j),
        changed(neuron_costs=lambda W, b: None),
    ],
    "group_matrices has to return": [
        changed(group_matrices=lambda patterns, lifted, transform: transform),
        changed(group_matrices=lambda patterns, lifted, transform: np.zeros((len(patterns) + 1, 2, 3))),
        changed(group_matrices=lambda patterns, lifted, transform: np.zeros((1, 2, 2))),
        changed(group_matrices=lambda patterns, lifted, transform: np.zeros((1, 0, 3))),
        changed(group_matrices=lambda patterns, lifted, transform: None),
    ],
    "group_matrices are not finite": [
        changed(group_matrices=lambda patterns, lifted, transform: np.full((1, 2, 3), np.nan)),
    ],
    "costs nothing for neurons that respond": [Weighted("none", np.array([1.0, 0.0])), Weighted("joint", UNITS)],
}


@pytest.mark.parametrize(("sentence", "norm"), [(s, norm) for s, norms in REFUSED.items() for norm in norms])
def test_what_contradicts_itself_is_refused(sentence, norm):
    with pytest.raises(cr.CvxReluError, match=sentence):
        problem_with(norm)


def test_a_class_is_no_norm():
    with pytest.raises(cr.InputError, match=r"pass an object of it, Weighted\('free', ...\)"):
        cr.Problem(X, Y, norm=Weighted)


@pytest.mark.parametrize("slope", [0.0, 0.3, -1.0])
@pytest.mark.parametrize("data", [X, X + 1e6, 1e-6 * X, np.tile(X, (2, 1)), X[:1], np.ones((3, 2)), X * [1.0, 0.0]])
def test_what_does_not_contradict_itself_is_a_norm(data, slope):
    for bias in ("free", "none"):
        cr.Problem(data, np.resize(Y, len(data)), "squared", bias, Weighted(bias, UNITS), 0.01, slope)
