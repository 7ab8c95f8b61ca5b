r"""Minimum-norm interpolation on a line: what it costs to fit six points, with free and with costed biases.

    min sum_j abs(v_j) * norm(neuron j)   subject to   f(x_i) = sum_j v_j max(w_j x_i + b_j, 0) + c = y_i

The data are those of Kumar & Haupt, "Convexifying Sparse Interpolation with Infinitely Wide Neural Networks: An Atomic
Norm Approach", Figure 1 (c) and (d). With free biases a neuron costs abs(v w) and the optimum is 30, the total
variation of the slope of f. If the bias counts like a weight, a neuron costs abs(v) norm([w, b]): hinges far from the
origin are dearer, the constant is no longer free, and the optimum is 10 + 20 sqrt(1.36) = 33.3238. The number above a
hinge is the cost of the neurons there; the function happens to be the same.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from cvxrelu.plots import plot_network_1d

X = [[-1.0], [-0.6], [-0.2], [0.2], [0.6], [1.0]]
Y = [1.0, -1.0, 1.0, 1.0, -1.0, 1.0]
PANELS = {
    "free": r"Free bias: a neuron costs $|v|\,|w|$",
    "joint": r"Costed bias: a neuron costs $|v|\,\|(w,\,b)\|$",
}


def main(output: Path = Path("example_output")) -> None:
    """Fit the six points with both costs and draw the two networks into `output`."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (bias, title) in zip(panels, PANELS.items(), strict=True):
        fit = cr.solve(cr.Problem(X, Y, bias=bias))
        print(f"{bias} bias: cost {fit.objective:.4f}. {fit.certificate}")
        plot_network_1d(fit.network, X, Y, axes)
        for hinge, cost in cost_of_hinges(fit.network, bias).items():
            axes.text(hinge, 3.5, f"{cost:.2f}", ha="center", va="top", backgroundcolor="white")
        gap = fit.certificate.relative_gap
        axes.set_title(
            f"{title}\ntotal {fit.objective:.4f}, certified to a relative gap of {gap:.0e}", fontsize=11, pad=10
        )
        axes.set(ylim=(-1.6, 3.5), yticks=[-1, 0, 1, 2, 3])
        axes.label_outer()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "interpolation_1d.png", dpi=150)
    print(f"Wrote {output / 'interpolation_1d.png'}.")


def cost_of_hinges(network: cr.Network, bias: str) -> dict[float, float]:
    """Return the total cost of the neurons at each hinge; the hinge's position is rounded to three digits."""
    costs: dict[float, float] = {}
    for w, b, v in zip(network.W[:, 0], network.b, network.v, strict=True):
        hinge = round(-b / w, 3) + 0.0
        costs[hinge] = costs.get(hinge, 0.0) + abs(v) * (abs(w) if bias == "free" else np.hypot(w, b))
    return costs


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
