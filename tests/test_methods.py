"""What `solve` is asked, and what its methods ask of a problem: both are checked before any work starts."""

from dataclasses import fields, replace

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.generation import column_rounds, primal_rule
from cvxrelu.program.options import Options
from cvxrelu.solving import fit as solving
from cvxrelu.solving.choice import methods_to_try
from cvxrelu.solving.methods import METHODS
from tests.instances import make_problem

X = np.random.default_rng(0).standard_normal((8, 2))
# So large an alpha that a constant is best: that is found without any method, which is asked all the same.
CONSTANT = cr.Problem(X, X[:, 0], "squared", alpha=1e6)
RESPONSE = cr.Problem(X, X[:, 0], "squared", norm="response", bias="joint", alpha=0.1)


@pytest.mark.parametrize(
    ("method", "problem", "sentence"),
    [
        ("line", CONSTANT, "method='line' takes one input, bias='free' and the Euclidean norm; use method='auto'."),
        ("line", make_problem(n_features=1, bias="joint"), "method='line' takes one input"),
        ("generate", RESPONSE, "method='generate' takes the Euclidean norm; use method='enumerate' for 'response'."),
    ],
)
def test_a_method_refuses_what_it_does_not_take(monkeypatch, method, problem, sentence):
    monkeypatch.setattr(solving, "climb", lambda *_: pytest.fail("work on what is refused"))
    with pytest.raises(cr.InputError, match="takes") as caught:
        cr.solve(problem, method)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("problem", [CONSTANT, RESPONSE, make_problem(n_features=1), make_problem(n_samples=40)])
def test_auto_tries_what_takes_the_problem(problem):
    names, reason = methods_to_try(problem)
    assert reason
    assert len(set(names)) == len(names)
    assert all(METHODS[name].takes(problem) for name in names)


def test_methods_have_the_names_they_are_listed_under():
    assert {name: method.name for name, method in METHODS.items()} == {name: name for name in METHODS}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tol", -1e-6),
        ("tol", "small"),
        ("time_limit", 0.0),
        ("max_rounds", 0),
        ("solver", "NONE"),
        ("n_jobs", 0),
        ("random_state", -1),
        ("progress", 1),
        ("warm_start", "network"),
        ("prove", "yes"),
    ],
)
def test_options_are_checked_wherever_they_are_made(name, value):
    assert name in {field.name for field in fields(Options)}
    for make in (Options, lambda **option: replace(Options(), **option)):
        with pytest.raises((cr.InputError, cr.InputTypeError), match=name):
            make(**{name: value})
    with pytest.raises((cr.InputError, cr.InputTypeError), match=name):
        cr.path(CONSTANT, [1.0], **{name: value})


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
def test_a_path_starts_from_a_network():
    problem = make_problem("squared", n_samples=12, alpha=1e-3)
    start = cr.solve(problem, "generate").network
    (warm,) = cr.path(problem, [1e-3], warm_start=start, method="generate", max_rounds=1).fits
    assert warm.objective <= problem.objective(start) * (1 + 1e-12)
    (cold,) = cr.path(problem, [1e-3], method="generate", max_rounds=1).fits
    assert cold.objective > warm.objective * (1 + 1e-6)


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
def test_masters_hand_over_and_count_rounds_together(monkeypatch):
    """Sliding goes first and the dual master goes on from its network; neither knows of the other."""
    monkeypatch.setattr(primal_rule, "SEVERAL_SAMPLES", 10)
    begun = []
    original = column_rounds.ColumnMaster.begin

    def begin(self, start, rounds):
        begun.append((start, rounds))
        return original(self, start, rounds)

    monkeypatch.setattr(column_rounds.ColumnMaster, "begin", begin)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((40, 3))
    problem = cr.Problem(inputs, np.abs(inputs[:, 0]) + 0.1 * rng.standard_normal(40), "squared", alpha=1e-3)
    fit = cr.solve(problem, "generate", max_rounds=10, random_state=0)
    ((start, rounds),) = begun
    assert 0 < rounds < 10
    assert problem.objective(start) == pytest.approx(fit.history[rounds - 1].upper, rel=1e-12)
    assert sum(row.note == "master and pricing" for row in fit.history) == 10
