"""Ctrl-C stops the program, and time limits hold; nothing that was found is lost."""

import gc
import importlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import clarabel
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp

import cvxrelu as cr
from cvxrelu.analysis import certify as certify_module
from cvxrelu.analysis import path as regularisation_path
from cvxrelu.cli import main as command_line
from cvxrelu.estimators import base, cross_validation
from cvxrelu.pricing import NormPricer
from cvxrelu.program import decode, dual_face, groups, polish, solvers
from cvxrelu.program.zero_cost import best_of_zero_cost
from cvxrelu.relaxation import moments
from cvxrelu.relaxation.outputs import relaxed_outputs
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.keyboard import MOMENT, heeding_interrupts
from cvxrelu.solving import run
from cvxrelu.solving.methods import on_cells

X = np.random.default_rng(0).standard_normal((12, 2))
Y = np.abs(X[:, 0]) - X[:, 1] ** 2
PROBLEM = cr.Problem(X, Y, loss="squared", alpha=0.01)


def interrupt(*_, **__):
    raise KeyboardInterrupt


def interrupt_after(original, calls):
    """Return a function that works so many times, and is then interrupted."""
    left = iter(range(calls))

    def wrapper(*arguments, **options):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    return wrapper


def interrupted(call):
    with pytest.raises(cr.Interrupted) as caught:
        call()
    assert isinstance(caught.value, KeyboardInterrupt)
    return caught.value


@pytest.mark.parametrize("method", ["enumerate", "sample"])
@pytest.mark.parametrize("stage", ["decode", "prove_dual"])
def test_what_the_solver_found_is_kept(monkeypatch, method, stage):
    whole = cr.solve(PROBLEM, method, random_state=0)
    monkeypatch.setattr(on_cells, stage, interrupt)
    fit = interrupted(lambda: cr.solve(PROBLEM, method, random_state=0)).fit
    assert fit.status is cr.Status.STOPPED
    assert fit.certificate.lower == 0
    np.testing.assert_allclose(PROBLEM.objective(fit.network), fit.objective)
    np.testing.assert_allclose(fit.objective, whole.objective, rtol=1e-4)


@pytest.mark.parametrize("method", ["enumerate", "sample"])
def test_nothing_found_yet(monkeypatch, method):
    monkeypatch.setattr(run, "run_solver", interrupt)
    error = interrupted(lambda: cr.solve(PROBLEM, method))
    assert error.fit is None
    assert "before a network was found" in str(error)


def test_interrupted_survives_the_way_from_a_worker(monkeypatch):
    monkeypatch.setattr(on_cells, "prove_dual", interrupt)
    error = interrupted(lambda: cr.solve(PROBLEM, "enumerate"))
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert copy.fit.network == error.fit.network


def test_path_keeps_what_is_finished(monkeypatch):
    alphas = [0.1, 0.03, 0.01, 0.003]
    whole = cr.path(PROBLEM, alphas, random_state=0)
    monkeypatch.setattr(regularisation_path, "solve_as", interrupt_after(regularisation_path.solve_as, 2))
    error = interrupted(lambda: cr.path(PROBLEM, alphas, random_state=0))
    done = len(error.path.fits)
    assert 2 <= done < len(alphas)
    np.testing.assert_array_equal(error.path.objectives, whole.objectives[:done])
    assert error.fit is error.path.fits[-1]


def test_a_path_without_a_finished_fit_has_a_text(monkeypatch):
    monkeypatch.setattr(regularisation_path, "solve_as", interrupt)
    error = interrupted(lambda: cr.path(PROBLEM, [0.01]))
    assert error.fit is None
    assert repr(error.path) == "Path(0 alphas)"


def test_estimators_are_left_with_what_was_found(monkeypatch):
    monkeypatch.setattr(on_cells, "prove_dual", interrupt)
    model = cr.ReLURegressor(alpha=0.01, method="enumerate")
    error = interrupted(lambda: model.fit(X, Y))
    assert model.fit_ is error.fit
    np.testing.assert_array_equal(model.predict(X), error.fit.predict(X))


def test_classes_that_are_finished_are_kept(monkeypatch):
    monkeypatch.setattr(base, "solve_as", interrupt_after(base.solve_as, 2))
    model = cr.ReLUClassifier(method="enumerate")
    error = interrupted(lambda: model.fit(X[:9], np.repeat([0, 1, 2], 3)))
    assert len(error.fits) == 2
    assert not hasattr(model, "fits_")


def test_cross_validation_stops(monkeypatch):
    monkeypatch.setattr(cross_validation, "path", interrupt_after(cr.path, 1))
    error = interrupted(lambda: cr.ReLURegressorCV(alphas=[0.1], cv=3).fit(X, Y))
    assert "after 1 of 3 folds" in str(error)


@pytest.mark.parametrize("output", [True, False])
def test_command_line(monkeypatch, tmp_path, capsys, output):
    data, network = tmp_path / "data.csv", tmp_path / "net.npz"
    data.write_text("a,b,y\n" + "\n".join(",".join(map(str, row)) for row in np.column_stack([X, Y])))
    monkeypatch.setattr(on_cells, "prove_dual", interrupt)
    arguments = ["fit", str(data), "--target", "y", "--alpha", "0.01", "--method", "enumerate"]
    code = command_line.main([*arguments, "--output", str(network)] if output else arguments)
    assert code == 130
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "interrupted; the best network so far" in line
    assert (str(network) in line) == output
    assert network.exists() == output


@pytest.mark.parametrize("solver", ["ECOS", "SCS"])
def test_solvers_that_catch_the_signal_say_so(monkeypatch, solver):
    key, code = solvers.INTERRUPT_CODE[solver]
    chain = type("Chain", (), {"solve_via_data": lambda *_, **__: {"info": {key: code}}})
    with pytest.raises(KeyboardInterrupt):
        solvers._run(None, solver, {}, chain(), {})


def test_what_the_garbage_collector_drops_is_sent_again():
    """A KeyboardInterrupt raised in a callback of the collector, as JAX registers one, ends there otherwise."""
    cr.solve(PROBLEM)  # imports what there is to import
    pressed, before = [], sys.unraisablehook

    def callback(phase, info):
        if phase == "stop" and not pressed:
            pressed.append(phase)
            raise KeyboardInterrupt

    gc.callbacks.append(callback)
    try:
        # some seconds, of which the first milliseconds are waited for
        rng = np.random.default_rng(0)
        problem = cr.Problem(rng.standard_normal((100, 4)), rng.standard_normal(100), "squared", alpha=1e-3)
        interrupted(lambda: cr.solve(problem, time_limit=30))
    finally:
        gc.callbacks.remove(callback)
    assert pressed
    assert sys.unraisablehook is before


class Dropping:
    """What raises a KeyboardInterrupt where Python drops it."""

    def __del__(self):
        raise KeyboardInterrupt


def drop():
    Dropping()


def test_what_is_dropped_in_the_end_is_raised_in_the_end():
    """Whoever called has nothing to fear any more after the block."""
    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), heeding_interrupts():
        drop()
    threading.Event().wait(3 * MOMENT)  # nothing comes
    assert sys.unraisablehook is before


def test_what_is_dropped_is_raised_once():
    """Also if it is pressed once more before it is sent again, or dropped several times."""

    @heeding_interrupts()
    def pressed_thrice():
        drop()
        drop()
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        pressed_thrice()
    came = 0
    for _ in range(8):
        try:
            threading.Event().wait(MOMENT)
        except KeyboardInterrupt:
            came += 1
    assert not came


def test_another_hook_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    with heeding_interrupts():
        sys.unraisablehook = print
    assert sys.unraisablehook is print


@pytest.mark.parametrize(
    ("call", "inside"),
    [
        (lambda fit: cr.path(PROBLEM, [0.1, 0.01]), "analysis.path.solve_as"),
        (lambda fit: cr.certify(fit.network, PROBLEM), "analysis.certify.solve"),
        (lambda fit: cr.alpha_max(PROBLEM), "analysis.alpha_max.best_of_zero_cost"),
        (lambda fit: cr.optimal_set(fit), "analysis.optima.find.refined_dual"),
        (lambda fit: cr.ReLURegressor().fit(X, Y), "estimators.base.default_alpha"),
        (lambda fit: cr.ReLUClassifier().fit(X, Y > 0), "estimators.base.default_alpha"),
        (lambda fit: cr.ReLURegressorCV(n_alphas=2, cv=2).fit(X, Y), "estimators.cross_validation.path"),
    ],
)
def test_every_door_heeds_what_is_dropped(monkeypatch, call, inside):
    fit, (room, _, name) = cr.solve(PROBLEM), f"cvxrelu.{inside}".rpartition(".")
    module = importlib.import_module(room)
    function = getattr(module, name)

    def dropping(*arguments, **options):
        drop()
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, dropping)
    with pytest.raises(KeyboardInterrupt):
        call(fit)


def test_a_path_that_was_interrupted_in_its_last_moment_is_kept(monkeypatch):
    def dropping(*arguments):
        fit = original(*arguments)
        drop()
        return fit

    original = regularisation_path.solve_as
    monkeypatch.setattr(regularisation_path, "solve_as", dropping)
    error = interrupted(lambda: cr.path(PROBLEM, [0.01]))
    assert len(error.path.fits) == 1


SCRIPT = """
import sys, warnings
import numpy as np, cvxrelu as cr
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X, y = rng.standard_normal((300, 8)), rng.standard_normal(300)
work = {
    "generate": lambda: cr.solve(cr.Problem(X, y, loss="squared", alpha=1e-3), "generate"),
    "sample": lambda: cr.solve(cr.Problem(X, y, loss="squared", alpha=1e-3), "sample"),
    "workers": lambda: cr.ReLURegressorCV(alphas=[1e-3], cv=4, n_jobs=2).fit(X, y),
}[sys.argv[1]]
cr.solve(cr.Problem(X[:20], y[:20], loss="squared", alpha=1e-3), "generate", max_rounds=1)
cr.ReLURegressorCV
print("begun", flush=True)
for _ in range(100):
    work()
"""


@pytest.mark.parametrize(("work", "wait"), [("generate", 0.5), ("sample", 1.0), ("workers", 2.0)])
def test_a_signal_ends_the_program(tmp_path, work, wait):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    process = subprocess.Popen(
        [sys.executable, str(script), work], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    try:
        errors = process.communicate(timeout=60)[1].decode()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert "cvxrelu.errors.Interrupted" in errors, errors
    assert process.returncode != 0
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return  # The workers have gone, too.
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("workers are left behind")


def test_clock():
    clock = Clock(1000.0)
    assert 0 <= clock.elapsed < 1000
    assert clock.limited
    assert not clock.expired
    assert clock.share(0.1).left <= 100
    assert not Clock().limited
    assert Clock(np.inf).left == np.inf
    assert Clock(0.0).expired


def test_a_clock_goes_on_where_it_is_sent_to():
    assert 0 < pickle.loads(pickle.dumps(Clock(1000.0))).left <= 1000
    assert not pickle.loads(pickle.dumps(Clock())).limited


def test_no_cutting_plane_is_sought_that_would_end_late(monkeypatch):
    """The linear program for the hinge loss cannot be stopped; what is known without it stands."""
    labels = np.where(np.quantile(Y, 0.3) < Y, 1.0, -1.0)
    problem = cr.Problem(X, labels, loss="hinge", alpha=0.01)
    monkeypatch.setattr(dual_face, "_least_on_columns", lambda *_: pytest.fail("a linear program without time"))
    found = best_of_zero_cost(problem, Clock(1e-9))
    assert not found.complete
    monkeypatch.undo()
    assert found.alpha_max >= cr.alpha_max(problem)


def test_enumeration_keeps_its_time():
    with pytest.raises(cr.SolverError, match="time_limit=1e-09 ended before all sign patterns"):
        cr.enumerate_patterns(X, time_limit=1e-9).to_bool()


def test_the_cells_of_a_norm_are_prepared_in_time():
    """A hundred thousand of them take seconds; what is known without them stands."""
    rng = np.random.default_rng(0)
    problem = cr.Problem(
        rng.standard_normal((36, 4)), rng.standard_normal(36), "squared", "joint", "response", alpha=0.01
    )
    with pytest.raises(cr.SolverError, match="ended before all"):
        cr.alpha_max(problem, time_limit=0.05)
    patterns = cr.enumerate_patterns(problem.X[:5], False).to_bool()
    with pytest.raises(cr.SolverError, match=r"all \d+ cells of norm='response' were prepared"):
        NormPricer.of(problem.norm, problem.X[:5], 0.5, patterns, Clock(0.0))
    with pytest.warns(cr.AccuracyWarning):
        fit = cr.solve(problem, time_limit=0.05)
    assert fit.certificate.lower == 0
    with pytest.warns(cr.AccuracyWarning):
        found = cr.path(problem, [0.1], time_limit=0.05)
    assert np.isfinite(found.fits[0].objective)


def test_decoding_stops_in_time(monkeypatch):
    """Once time is up the first network is taken, whatever it is."""
    problem = cr.Problem(X, Y, loss="interpolation")
    solution = groups.as_solution(problem, cr.solve(problem, "enumerate").network, np.zeros(len(X)))
    networks = []
    original = decode._proposals
    monkeypatch.setattr(decode, "_proposals", lambda *args: (networks.append(n) or n for n in original(*args)))
    decode.decode(problem, solution, lambda cells: solution, clock=Clock(0.0))
    assert len(networks) == 1


def test_decoding_begins_no_polish_that_cannot_end_in_time(monkeypatch):
    """What the solver was stopped in has many neurons with points beyond their hinges: seconds of least squares."""
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.standard_normal((60, 20)), rng.standard_normal(60), bias="joint")
    network = cr.Network(rng.standard_normal((59, 20)), rng.standard_normal(59), rng.standard_normal(59))
    solution = groups.as_solution(problem, network, np.zeros(60))
    solution = replace(
        solution, cells=replace(solution.cells, patterns=rng.random(solution.cells.patterns.shape) < 0.5)
    )
    occupied = groups.occupied(solution, 0.0, 0.0)
    asked = []

    def unchanged(matrix, *_, **__):
        asked.append(matrix.shape)
        return (np.zeros(matrix.shape[1]),)

    monkeypatch.setattr(scipy.linalg, "lstsq", unchanged)
    assert polish.polish(problem, solution.scaling, occupied, 0.0, Clock(0.01)) is None
    assert not asked
    assert polish.polish(problem, solution.scaling, occupied, 0.0, Clock()) is not None
    assert np.prod(asked[0], dtype=float) * min(asked[0]) > 1e9


def test_a_solver_that_takes_a_long_step_is_left_to_itself():
    """Clarabel looks at its clock between steps, of which one may take seconds."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    rows = sp.csc_matrix(-np.eye(300)), np.full(300, -1.0), [clarabel.NonnegativeConeT(300)]
    program = sp.csc_matrix(np.triu(np.ones((300, 300)) + np.eye(300))), np.ones(300), *rows, settings
    assert solvers.run_clarabel(*program).x == pytest.approx([1.0] * 300, abs=1e-5)
    with pytest.raises(TimeoutError):
        solvers.run_clarabel(*program, 0.0)


def test_what_a_relaxation_of_several_outputs_does_not_get_in_time_is_not_there(monkeypatch):
    def patient(*_):
        raise TimeoutError

    monkeypatch.setattr(moments, "run_clarabel", patient)
    problem = cr.Problem(np.random.default_rng(0).standard_normal((12, 3)), np.arange(12) % 3, "softmax", alpha=0.1)
    assert list(relaxed_outputs(problem, Clock(60.0), 1.0)) == []


def test_what_the_relaxation_has_proven_is_not_lost(monkeypatch):
    """Of a network that is certified by it alone."""
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.standard_normal((40, 12)), rng.standard_normal(40), "squared", alpha=0.1)
    network = cr.solve(problem, prove=False).network
    usual = certify_module.tighten

    def interrupted(*arguments):
        yield next(usual(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(certify_module, "tighten", interrupted)
    with pytest.raises(cr.Interrupted, match="what was proven until then") as caught:
        cr.certify(network, problem)
    assert caught.value.certificate.lower > 0
    assert caught.value.fit is None
