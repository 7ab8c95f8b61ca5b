"""What the README and the contributing page show works as shown."""

import re
from pathlib import Path

import pytest

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


def test_the_new_loss_of_the_contributing_page_works():
    import numpy as np

    import cvxrelu as cr

    snippet = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    namespace = {}
    exec(snippet.group(1), namespace)
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.standard_normal((9, 2)), rng.standard_normal(9), loss=namespace["Absolute"](), alpha=0.05)
    fit = cr.solve(problem)
    assert 0 <= fit.certificate.relative_gap <= 1e-6
    along = cr.path(problem, [0.1, 0.05])
    assert along.objectives[1] == pytest.approx(fit.objective, rel=1e-6)
    assert (along.relative_gaps <= 1e-6).all()
