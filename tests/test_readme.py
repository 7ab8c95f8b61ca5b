"""What the README and the contributing page show works as shown."""

import re
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest

import cvxrelu as cr
from tests.direct import optimum_by_brute_force
from tests.instances import RULES, Rule, normal_data

ROOT = Path(__file__).parent.parent
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_snippets_of_the_readme_run(capsys, tmp_path, monkeypatch):
    """One after the other, as a reader would: later ones use what the earlier ones made."""
    monkeypatch.chdir(tmp_path)  # what snippets save is not to be kept
    namespace = {}
    for snippet in SNIPPETS:
        exec(snippet, namespace)
    assert capsys.readouterr().out.startswith("30.000000\n30.000000\n")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "benchmarks/results/README.md"])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / page).parent.joinpath(target).exists(), target


def test_the_new_loss_of_the_contributing_page_works(monkeypatch):

    snippet = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    namespace = {}
    exec(snippet.group(1), namespace)
    loss = namespace["SquaredHinge"]()
    rule = Rule(lambda z, y: 0, lambda z, y: cp.sum_squares(cp.pos(1 - cp.multiply(y, z))) / 2, labels=True)
    monkeypatch.setitem(RULES, loss.name, rule)
    X, y = normal_data(9)
    problem = cr.Problem(X, np.sign(y), loss=loss, alpha=0.05)
    fit = cr.solve(problem)
    assert 0 <= fit.certificate.relative_gap <= 1e-6
    assert fit.objective == pytest.approx(optimum_by_brute_force(problem), rel=1e-6)
    along = cr.path(problem, [0.1, 0.05])
    assert along.objectives[1] == pytest.approx(fit.objective, rel=1e-6)
    assert (along.relative_gaps <= 1e-6).all()
    assert repr(problem.loss) == "SquaredHinge(margin=1)"
    X, y = normal_data(70)
    for margin, weights in ((0.5, None), (3.0, np.arange(1, 71))):
        narrow = cr.Problem(
            X, np.sign(y), namespace["SquaredHinge"](margin), alpha=0.02 * margin, sample_weight=weights
        )
        fit = cr.solve(narrow, random_state=0)
        assert 0 <= fit.certificate.relative_gap <= 1e-6
        # Predictions in units of the margin are those for margin one.
        unit = cr.Problem(X, np.sign(y), loss, alpha=0.02, sample_weight=weights)
        assert fit.objective == pytest.approx(margin**2 * cr.solve(unit, random_state=0).objective, rel=2e-6)


@pytest.mark.parametrize("bias", ["free", "none"])
def test_the_new_norm_of_the_contributing_page_works(bias):
    """Weights in units of their own are Euclidean ones of features in the inverse units."""
    import numpy as np

    import cvxrelu as cr

    page = (ROOT / "CONTRIBUTING.md").read_text()
    (snippet,) = (text for text in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "(Norm)" in text)
    namespace = {}
    exec(snippet, namespace)
    rng, units = np.random.default_rng(0), np.array([3.0, 0.5])
    X, y = rng.standard_normal((8, 2)), rng.standard_normal(8)
    options = {"loss": "squared", "alpha": 0.05, "bias": bias}
    fit = cr.solve(cr.Problem(X, y, norm=namespace["Weighted"](bias, units), **options))
    assert 0 <= fit.certificate.relative_gap <= 1e-6
    assert fit.objective == pytest.approx(cr.solve(cr.Problem(X / units, y, **options)).objective, rel=2e-6)
    with pytest.raises(cr.InputError, match="use method='enumerate' for 'weighted'"):
        cr.solve(fit.problem, "generate")
