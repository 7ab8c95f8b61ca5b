r"""Max-margin classification in the plane: the cheapest network that separates two classes with margin one.

    min sum_j abs(v_j) * norm(neuron j)   subject to   y_i f(x_i) >= 1,   y_i in {-1, +1}

as in Kumar & Haupt, "Convexifying Sparse Interpolation with Infinitely Wide Neural Networks: An Atomic Norm Approach",
Figure 2 (a) and (b), on two interleaved arcs, which no straight line separates. The network is linear between the
hinges, so the boundary f(x) = 0 turns only where it meets one. With free biases the hinges may be anywhere at no
cost; where the bias counts like a weight those near the origin are cheaper.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from cvxrelu.plots import plot_network_2d

N_PER_CLASS = 16
NOISE = 0.1
PANELS = {
    "free": r"Free bias: a neuron costs $|v|\,\|w\|$",
    "joint": r"Costed bias: a neuron costs $|v|\,\|(w,\,b)\|$",
}


def two_arcs(random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (2 N_PER_CLASS, 2) points on two interleaved half circles, with noise, and their labels."""
    angles = np.pi * (np.arange(N_PER_CLASS) + 0.5) / N_PER_CLASS
    upper = np.column_stack([np.cos(angles), np.sin(angles)])
    lower = np.column_stack([1 - np.cos(angles), 0.4 - np.sin(angles)])
    noise = NOISE * np.random.default_rng(random_state).standard_normal((2 * N_PER_CLASS, 2))
    X = np.vstack([upper, lower]) - [0.5, 0.2] + noise
    return X, np.repeat([1.0, -1.0], N_PER_CLASS)


def main(output: Path = Path("example_output")) -> None:
    """Separate the two arcs with both costs and draw the two classifiers into `output`."""
    X, y = two_arcs(random_state=0)
    figure = Figure(figsize=(11, 4.1), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (bias, title) in zip(panels, PANELS.items(), strict=True):
        fit = cr.solve(cr.Problem(X, y, loss="margin", bias=bias), method="enumerate")
        print(f"{bias} bias: cost {fit.objective:.4f}. {fit.certificate}")
        plot_network_2d(fit.network, X, y, axes)
        axes.set_aspect("equal")
        proof = f"{fit.network.n_neurons} neurons, cost {fit.objective:.4f}, gap {fit.certificate.relative_gap:.0e}"
        axes.set_title(f"{title}\n{proof}", fontsize=11)
        axes.label_outer()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "classification_2d.png", dpi=100)
    print(f"Wrote {output / 'classification_2d.png'}.")


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
