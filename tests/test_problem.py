"""Bad input is refused before any work, in one sentence that names the culprit."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import cvxrelu as cr
from cvxrelu.problem.losses import Squared
from cvxrelu.problem.norms import Euclidean

X = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([1.0, -1.0, 1.0])


def with_entry(array, index, value):
    changed = np.array(array, dtype=float)
    changed[index] = value
    return changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": with_entry(X, (1, 0), np.nan)}, r"X has a NaN or infinite entry in row 1; impute or drop it"),
        ({"X": with_entry(X, (2, 1), np.inf)}, r"X has a NaN or infinite entry in row 2"),
        ({"y": with_entry(Y, 0, np.nan)}, r"y is NaN or infinite in row 0"),
        ({"X": X[:, 0]}, r"X is one-dimensional; .* use X.reshape\(-1, 1\)"),
        ({"X": X[:0]}, r"X has shape \(0, 2\)"),
        ({"X": X[None]}, r"X has shape \(1, 3, 2\)"),
        ({"y": Y[:2]}, r"y has shape \(2,\); it must be \(3,\)"),
        ({"y": Y[:2, None]}, r"y has shape \(2, 1\); it must have 3 rows"),
        ({"y": Y[:, None, None]}, r"y has shape \(3, 1, 1\)"),
        ({"X": X[[0, 0, 2]]}, r"Rows 0 and 1 of X are equal but their y differ \(1 and -1\)"),
        ({"X": X[[0, 0, 2]], "loss": "margin"}, r"Rows 0 and 1 of X are equal but their y differ"),
        ({"loss": "hinge", "alpha": 1.0, "y": [0, 1, 2]}, r"takes labels -1 and \+1, but y is .* in rows 0, 2"),
        ({"loss": "margin", "y": [1, 1, 1]}, r"needs both classes, but every label in y is \+1"),
        ({"loss": "squared"}, r"alpha is required by loss='squared'"),
        ({"loss": "squared", "alpha": 0}, r"alpha=0 must be positive"),
        ({"loss": "squared", "alpha": -1.0}, r"alpha=-1 must be positive"),
        ({"loss": "squared", "alpha": np.nan}, r"alpha=nan must be finite"),
        ({"alpha": 0.1}, r"alpha has no meaning for loss='interpolation'"),
        ({"negative_slope": 1}, r"negative_slope=1 makes the activation linear"),
        ({"negative_slope": np.inf}, r"negative_slope=inf must be finite"),
        ({"loss": "hubris"}, r"loss='hubris' is unknown; choose one of"),
        ({"bias": "maybe"}, r"bias='maybe' is unknown; choose one of 'free', 'joint', 'none'"),
        ({"norm": "taxicab"}, r"norm='taxicab' is unknown"),
        ({"norm": Euclidean("joint")}, r"does not go with bias='free'"),
        ({"bias": "none", "X": with_entry(X, 0, 0.0)}, r"Without bias every network is 0 at the origin.* row 0"),
    ],
)
def test_unusable_values(arguments, message):
    with pytest.raises(cr.InputError, match=message) as caught:
        cr.Problem(**{"X": X, "y": Y, **arguments})
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, cr.CvxReluError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": csr_array(X)}, "X is a sparse matrix; pass a dense array"),
        ({"X": X + 1j}, "X is complex"),
        ({"X": [["a", "b"]] * 3}, "X must hold real numbers"),
        ({"y": ["a", "b", "c"]}, "y must hold real numbers"),
        ({"loss": "squared", "alpha": "much"}, "alpha must be a real number, not 'much'"),
        ({"loss": "squared", "alpha": True}, "alpha must be a real number, not True"),
        ({"negative_slope": None}, "negative_slope must be a real number"),
    ],
)
def test_unusable_types(arguments, message):
    with pytest.raises(cr.InputTypeError, match=message) as caught:
        cr.Problem(**{"X": X, "y": Y, **arguments})
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "guess"}, "method='guess' is unknown; choose one of 'auto', 'enumerate'"),
        ({"tol": 0}, "tol=0 must be positive"),
        ({"time_limit": -1}, "time_limit=-1 must be a positive number of seconds"),
        ({"solver": "ABACUS"}, "solver='ABACUS' is not installed; cvxpy has .*CLARABEL"),
    ],
)
def test_unusable_arguments_of_solve(arguments, message):
    with pytest.raises(cr.InputError, match=message):
        cr.solve(cr.Problem(X, Y), **arguments)


def test_too_many_patterns_are_refused_with_the_count():
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.standard_normal((200, 12)), rng.standard_normal(200))
    with pytest.raises(cr.SizeError, match="patterns") as caught:
        cr.solve(problem, "enumerate")
    assert isinstance(caught.value, MemoryError)


def test_what_no_network_can_do_without_bias():
    with pytest.raises(
        cr.SolverError, match=r"No network with bias='none' meets loss='interpolation'.*use bias='free'"
    ):
        cr.solve(cr.Problem([[1.0], [2.0], [3.0]], [1.0, 0.0, 1.0], bias="none"))


def test_a_failing_solver_is_an_error(monkeypatch):
    import cvxpy as cp

    from cvxrelu.program import solvers

    def fail(*_, **__):
        raise cp.SolverError("out of breath")

    monkeypatch.setattr(solvers, "_run", fail)
    with pytest.raises(cr.SolverError, match=r"CLARABEL failed on this program .*out of breath"):
        cr.solve(cr.Problem(X, Y), "enumerate")


def test_a_solver_that_stops_early_gets_an_honest_gap():
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.standard_normal((25, 2)), rng.standard_normal(25), loss="squared", alpha=0.01)
    with pytest.warns(cr.AccuracyWarning, match="above tol=1e-15"):
        fit = cr.solve(problem, "enumerate", tol=1e-15)
    assert fit.status is cr.Status.INACCURATE
    assert 0 <= fit.certificate.relative_gap < 1e-6


def test_problems_are_values():
    source = X.copy()
    problem = cr.Problem(source, Y, loss=Squared(), norm=Euclidean("joint"), bias="joint", alpha=1)
    source[:] = 0
    assert problem.X.sum() == X.sum()
    with pytest.raises(ValueError, match="read-only"):
        problem.X[0, 0] = 1.0
    with pytest.raises(AttributeError):
        problem.alpha = 2.0
    assert repr(problem) == (
        "Problem(3 samples, 2 features, loss='squared', bias='joint', norm='euclidean', alpha=1, negative_slope=0)"
    )


def test_data_frames_and_lists_are_taken():
    import pandas as pd

    frame = pd.DataFrame(X, columns=["a", "b"])
    assert cr.solve(cr.Problem(frame, pd.Series(Y))).objective == cr.solve(cr.Problem(X.tolist(), Y.tolist())).objective
