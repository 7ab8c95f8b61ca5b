"""Whatever door was taken, a warning names the line of whoever took it."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cvxrelu as cr

X, Y = np.random.default_rng(0).standard_normal((2, 40, 3))
CLASSES = np.digitize(Y[:, 0], [-0.5, 0.5])
PROBLEM = cr.Problem(X, Y[:, 0], "squared", alpha=1e-3)
QUICK = {"max_rounds": 1, "time_limit": None, "random_state": 0}
MODEL = cr.ReLURegressor(1e-3, **QUICK)

DOORS = {
    "solve": lambda: cr.solve(PROBLEM, "generate", max_rounds=1),
    "path": lambda: cr.path(PROBLEM, [1e-3], method="generate", max_rounds=1),
    "estimator": lambda: MODEL.fit(X, Y[:, 0]),
    "pipeline": lambda: make_pipeline(StandardScaler(), MODEL).fit(X, Y[:, 0]),
    "scores": lambda: cross_val_score(MODEL, X, Y[:, 0], cv=2),
    "certify": lambda: MODEL.fit(X, Y[:, 0]).certify(X, Y[:, 0], time_limit=0.05),
    "workers": lambda: cr.ReLUClassifier("hinge", 1e-3, prove=True, n_jobs=2, **QUICK).fit(X, CLASSES),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_warning_names_the_line_that_called(door):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        DOORS[door]()
    assert caught
    line = DOORS[door].__code__.co_firstlineno
    assert {(warning.filename, warning.lineno) for warning in caught} == {(__file__, line)}
