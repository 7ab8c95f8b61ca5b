"""Method "enumerate": the program on cells that cover all neurons, so that its optimum is that of the problem."""

from collections.abc import Iterator

from cvxrelu.arrangement import enumerate_patterns
from cvxrelu.program.cells import Cells, covering_cells
from cvxrelu.runtime.progress import progress_stages
from cvxrelu.solving.methods.method import Method
from cvxrelu.solving.methods.on_cells import outcomes_on_cells
from cvxrelu.solving.run import Outcome, Run

__all__ = ["ENUMERATE"]


def _enumerate(run: Run) -> Iterator[Outcome]:
    """Solve on cells that cover all neurons."""
    problem, n_jobs = run.problem, run.options.n_jobs
    with progress_stages(run.options.progress, 4) as stage:
        stage("enumerating patterns")
        arrangement = enumerate_patterns(problem.X, problem.norm.has_bias, n_jobs=n_jobs, time_limit=run.clock.left)
        cells = Cells(arrangement.to_bool(), arrangement.facets())
        covering = covering_cells(problem, cells, arrangement.classes.leaders)
        yield from outcomes_on_cells(run, stage, covering, len(cells), None)


ENUMERATE = Method("enumerate", _enumerate)
