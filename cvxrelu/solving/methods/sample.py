"""Method "sample": the program on random cells, which are then all that the certificate can speak of."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement import sample_patterns
from cvxrelu.problem.problem import Problem
from cvxrelu.program.cells import Cells
from cvxrelu.runtime.progress import progress_stages
from cvxrelu.solving.methods.method import Method
from cvxrelu.solving.methods.on_cells import outcomes_on_cells
from cvxrelu.solving.run import Outcome, Run

__all__ = ["SAMPLE"]

# Patterns times samples (the sign rows of the program) that are drawn; a second or two of solving.
SAMPLED_ROWS = 8_000
FEWEST_PATTERNS, MOST_PATTERNS = 40, 1000


def _sample(run: Run) -> Iterator[Outcome]:
    """Solve on random cells."""
    problem, random_state = run.problem, run.options.random_state
    with progress_stages(run.options.progress, 4) as stage:
        stage("sampling patterns")
        count = int(np.clip(SAMPLED_ROWS // problem.n_samples, FEWEST_PATTERNS, MOST_PATTERNS))
        patterns = sample_patterns(problem.X, count, bias=problem.norm.has_bias, random_state=random_state)
        if problem.norm.has_bias and not problem.loss.regularised:
            patterns = np.unique(np.vstack([patterns, _half_spaces(problem, random_state)]), axis=0)
        yield from outcomes_on_cells(run, stage, Cells(patterns, np.ones_like(patterns)), len(patterns), patterns)


def _half_spaces(problem: Problem, random_state: int | np.random.Generator | None) -> NDArray[np.bool_]:
    """Return the half-spaces along one random direction: neurons with these patterns fit any consistent targets."""
    direction = np.random.default_rng(random_state).standard_normal(problem.n_features)
    heights = (problem.X - problem.X.mean(axis=0)) @ direction
    above = heights >= np.unique(heights)[:, None]
    return np.vstack([above, ~above])


SAMPLE = Method("sample", _sample)
