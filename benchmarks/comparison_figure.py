"""The picture of the comparison: a panel a problem, how far above the best objective each method is, and when."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.experiments.common import bare
from benchmarks.harness import Record

__all__ = ["draw"]

# Okabe & Ito's colours, which everyone can tell apart, and a marker each.
STYLES = {
    "cvxrelu": ("#0072B2", "o"),
    "cvxrelu, sampled": ("#56B4E9", "s"),
    "Adam": ("#D55E00", "^"),
    "gradient descent": ("#E69F00", "v"),
    "scikit-learn": ("#009E73", "D"),
    "pyscnn": ("#CC79A7", "P"),
}
# Excesses are drawn between these; what is smaller is the best, up to rounding.
LOWEST, HIGHEST = 1e-7, 10.0
# Seconds on the left, and how far the axis goes on behind the last mark.
EARLIEST, LATER = 2e-3, 1.5
COLUMNS = 5
UNPROVEN = "0.9"


def draw(problems: Mapping[str, Record]) -> Figure:
    """Return the figure: excess against seconds in logarithms, and in grey what is not proven of the best."""
    scored = {name: problem for name, problem in problems.items() if "best" in problem}
    rows = -(-len(scored) // COLUMNS)
    figure = Figure(figsize=(14, 0.9 + 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    latest = max(run["seconds"] for problem in scored.values() for run in problem["runs"].values())
    panels[0, 0].set_xlim(EARLIEST, LATER * latest)
    for axes, (name, problem) in zip(panels.flat, scored.items(), strict=False):
        _panel(axes, name, problem)
    for axes in panels.flat[len(scored) :]:
        axes.set_axis_off()
    figure.supxlabel("seconds")
    figure.supylabel("objective above the best found, relative")
    handles = {handle.get_label(): handle for axes in panels.flat for handle in axes.get_legend_handles_labels()[0]}
    handles |= {"way": Line2D([], [], color="0.4", label="on the way")}
    handles |= {"failure": Line2D([], [], color="0.4", marker="x", linestyle="", label="no network")}
    figure.legend(handles=list(handles.values()), loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _panel(axes: Axes, name: str, problem: Record) -> None:
    if problem["relative_gap"] > LOWEST:
        axes.axhspan(LOWEST, problem["relative_gap"], color=UNPROVEN, linewidth=0, label="not proven of the best")
    for method, run in problem["runs"].items():
        colour, marker = STYLES[method]
        style = {"color": colour, "markeredgecolor": "white", "markersize": 9, "linestyle": "", "clip_on": False}
        if run.get("failure"):
            axes.plot(run["seconds"], HIGHEST, "x", color=colour, markersize=8, clip_on=False)
            continue
        if run["seconds, objective"]:
            seconds, objectives = np.array(run["seconds, objective"]).T
            axes.plot(seconds, _excess(objectives, problem["best"]), color=colour, linewidth=1.2)
        end = _excess(np.array([run["objective"]]), problem["best"])
        axes.plot([run["seconds"]], end, marker, label=method, **style, zorder=3)
    axes.set(xscale="log", yscale="log", ylim=(LOWEST, HIGHEST))
    axes.set_title(f"{name}  (N={problem['n_samples']}, d={problem['n_features']})", fontsize=9)
    bare(axes)


def _excess(objectives: np.ndarray, best: float) -> np.ndarray:
    return np.clip(objectives / best - 1, LOWEST, HIGHEST)
