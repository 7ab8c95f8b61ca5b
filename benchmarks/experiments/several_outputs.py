r"""Several outputs in one network: the largest multi-class margin, and neurons that outputs share.

    cost sum_j norm(v_j) norm(w_j),    one network of K outputs    against    K networks of one output each

- Wei, Lee, Liu & Ma ("Regularization Matters", Theorem 4.1 for several classes): as weight decay vanishes, the margin
  f_y - max_k f_k of the minimiser of the cross-entropy, normalised by twice the cost, tends to the largest one,
  1 / (2 V), V = min cost subject to margins of at least one, which is certified here.
- Zeno et al. 2023: denoisers of data on a few points of the plane, fitted to noisy inputs, are near the projection on
  the clean points. As one network of two outputs, and as two networks of one, with the same alpha.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import cvxrelu as cr
from benchmarks.experiments.common import bare, command_line, publish
from benchmarks.harness import Record, table, update_page
from cvxrelu.plots import BLUE, GREY, INK, ORANGE

Array = NDArray[np.float64]

# The clean points that the denoiser has to find.
CLEAN = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 1.7]])
NOISE = 0.3


@dataclass(frozen=True)
class Size:
    """Exponents of alpha = 10^-k, samples a class; noisy samples a point, and strengths of the denoiser."""

    exponents: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    samples: int = 8
    noisy: int = 25
    alphas: tuple[float, ...] = (0.1, 0.03, 0.01, 0.003)


LARGE = Size(exponents=(1, 2, 3, 4, 5, 6, 7, 8), samples=15, noisy=50)


def sectors(samples: int) -> tuple[Array, Array]:
    """Return points of three classes, in three sectors of the plane with a gap between them, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), samples)
    angles = 2 * np.pi / 3 * (labels + rng.uniform(0.15, 0.85, len(labels)))
    return rng.uniform(0.5, 1.5, (len(labels), 1)) * np.column_stack([np.cos(angles), np.sin(angles)]), labels


def margins(size: Size) -> Record:
    """Return the certified largest margin, and what the cross-entropy reaches for each alpha."""
    X, labels = sectors(size.samples)
    largest = cr.max_margin(cr.solve(cr.Problem(X, labels, loss="multiclass-margin"), tol=1e-5).certificate)
    rows = []
    start = None
    for exponent in size.exponents:
        problem = cr.Problem(X, labels, loss="softmax", alpha=10.0**-exponent)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cr.AccuracyWarning)
            fit = cr.solve(problem, random_state=0, warm_start=start)
        start = fit.network
        rows.append(
            {
                "alpha": problem.alpha,
                "margin": fit.network.normalised_margin(X, labels),
                "relative_gap": fit.certificate.relative_gap,
                "neurons": fit.network.n_neurons,
            }
        )
    return {"lower": largest.lower, "upper": largest.upper, "alphas": rows}


def noisy_points(count: int, seed: int) -> tuple[Array, Array]:
    """Return noisy inputs around the clean points, and the clean points they come from."""
    rng = np.random.default_rng(seed)
    clean = np.repeat(CLEAN, count, axis=0)
    return clean + NOISE * rng.standard_normal(clean.shape), clean


def denoisers(size: Size) -> list[Record]:
    """Return for each alpha what one network of two outputs does, and two networks of one."""
    (X, Y), (fresh, truth) = noisy_points(size.noisy, 0), noisy_points(1000, 1)
    rows = []
    for alpha in size.alphas:
        shared = cr.solve(cr.Problem(X, Y, loss="squared", alpha=alpha), random_state=0)
        alone = [cr.solve(cr.Problem(X, y, loss="squared", alpha=alpha), random_state=0) for y in Y.T]
        apart = np.column_stack([fit.network(fresh) for fit in alone])
        rows.append(
            {
                "alpha": alpha,
                "shared": {
                    "neurons": shared.network.n_neurons,
                    "error": float(np.mean((shared.network(fresh) - truth) ** 2)),
                    "relative_gap": shared.certificate.relative_gap,
                },
                "alone": {
                    "neurons": sum(fit.network.n_neurons for fit in alone),
                    "error": float(np.mean((apart - truth) ** 2)),
                    "relative_gap": max(fit.certificate.relative_gap for fit in alone),
                },
            }
        )
    return rows


def run(output: Path, size: Size) -> Record:
    """Run the experiment, and write ``several_outputs.json``, ``several_outputs.png`` and both tables."""
    record: Record = {"margins": margins(size), "denoisers": denoisers(size)}
    full = publish(output, "several_outputs", size, record, draw(record, size), margin_table(record))
    update_page(output, "several_outputs-denoisers", table(denoiser_table(record)))
    return full


def margin_table(record: Record) -> list[Record]:
    """Return the table of margins."""
    largest = record["margins"]["lower"]
    return [
        {
            "alpha": f"{row['alpha']:.0e}",
            "margin / gamma*": f"{row['margin'] / largest:.4f}",
            "proven gap": f"{row['relative_gap']:.0e}",
            "neurons": row["neurons"],
        }
        for row in record["margins"]["alphas"]
    ]


def denoiser_table(record: Record) -> list[Record]:
    """Return the table of denoisers."""
    return [
        {
            "alpha": f"{row['alpha']:g}",
            "neurons, one network": row["shared"]["neurons"],
            "neurons, two networks": row["alone"]["neurons"],
            "error, one network": f"{row['shared']['error']:.5f}",
            "error, two networks": f"{row['alone']['error']:.5f}",
            "proven gap": f"{row['shared']['relative_gap']:.0e}",
        }
        for row in record["denoisers"]
    ]


def draw(record: Record, size: Size) -> Figure:
    """Return the figure: margins along alpha, and where the denoiser takes the plane."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows, largest = record["margins"]["alphas"], record["margins"]["lower"]
    left.semilogx([row["alpha"] for row in rows], [row["margin"] / largest for row in rows], "o-", color=BLUE)
    left.axhline(1.0, color=INK, linewidth=0.8, linestyle="dotted", label="certified, all widths")
    left.set(xlabel=r"$\alpha$", ylabel=r"margin / $\gamma^*$", ylim=(0, 1.05))
    left.set_title("Cross-entropy with ever weaker decay nears the largest margin", fontsize=11)
    left.legend(frameon=False, fontsize=9)
    draw_denoiser(right, size)
    for axes in (left, right):
        bare(axes)
    return figure


def draw_denoiser(axes: Axes, size: Size) -> None:
    """Draw arrows from places of the plane to where the denoiser of one network takes them."""
    X, Y = noisy_points(size.noisy, 0)
    network = cr.solve(cr.Problem(X, Y, loss="squared", alpha=size.alphas[-1]), random_state=0).network
    xs, ys = np.meshgrid(np.linspace(-0.8, 2.8, 15), np.linspace(-0.8, 2.5, 15))
    places = np.column_stack([xs.ravel(), ys.ravel()])
    moved = network(places) - places
    axes.quiver(*places.T, *moved.T, color=GREY, angles="xy", scale_units="xy", scale=1, width=0.003)
    axes.plot(*X.T, ".", color=BLUE, markersize=4, label="noisy")
    axes.plot(*CLEAN.T, "o", color=ORANGE, markersize=9, label="clean")
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    axes.set_title("Where the certified denoiser takes the plane", fontsize=11)
    axes.legend(frameon=False, fontsize=9)


if __name__ == "__main__":
    command_line(run, Size(), LARGE, __doc__)
