r"""Several outputs in one network: the largest multi-class margin, and neurons that outputs share.

    cost sum_j norm(v_j) norm(w_j),    one network of K outputs    against    K networks of one output each

- Wei, Lee, Liu & Ma ("Regularization Matters", Theorem 4.1 for several classes): as weight decay vanishes, the margin
  f_y - max_k f_k of the minimiser of the cross-entropy, normalised by twice the cost, tends to the largest one,
  1 / (2 V), V = min cost subject to margins of at least one, which is certified here.
- Zeno et al. 2023: denoisers of data on a few points of the plane, fitted to noisy inputs, are near the projection on
  the clean points. As one network of two outputs, and as two networks of one, with the same alpha, for several draws
  of the noise; beside the error of the nearest clean point, and the least that there is, of the mean given the input.
- The ten digits, by one network of ten outputs and by ten of one: `benchmarks.experiments.shared_digits`.
"""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import cvxrelu as cr
from benchmarks.experiments import shared_digits
from benchmarks.experiments.common import bare, command_line, publish
from benchmarks.experiments.shared_digits import Digits, stacked
from benchmarks.harness import Record, median, score, table, timed, update_page
from cvxrelu.plots import BLUE, GREY, INK, ORANGE

Array = NDArray[np.float64]

# The clean points that the denoiser has to find.
CLEAN = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 1.7]])
NOISE = 0.3
# Seed of the noise that no denoiser has seen, and samples a point.
FRESH, FRESH_COUNT = 1000, 10_000


@dataclass(frozen=True)
class Size:
    """Exponents of alpha = 10^-k, samples a class; noisy samples a point, strengths and draws; size of the digits."""

    exponents: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    samples: int = 8
    noisy: int = 25
    alphas: tuple[float, ...] = (0.1, 0.03, 0.01, 0.003, 0.001)
    draws: int = 10
    digits: Digits = field(default_factory=Digits)


LARGE = Size(exponents=(1, 2, 3, 4, 5, 6, 7, 8), samples=15, noisy=50, draws=30, digits=Digits(samples=1000, seeds=5))


def sectors(samples: int) -> tuple[Array, NDArray[np.int_]]:
    """Return points of three classes, in three sectors of the plane with a gap between them, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), samples)
    angles = 2 * np.pi / 3 * (labels + rng.uniform(0.15, 0.85, len(labels)))
    return rng.uniform(0.5, 1.5, (len(labels), 1)) * np.column_stack([np.cos(angles), np.sin(angles)]), labels


def margins(size: Size) -> Record:
    """Return the certified largest margin, and what the cross-entropy reaches for each alpha."""
    X, labels = sectors(size.samples)
    widest = cr.solve(cr.Problem(X, labels, loss="multiclass-margin"), tol=1e-5, random_state=0)
    largest = cr.max_margin(widest.certificate)
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
    """Return for each draw and alpha what one network of two outputs does, and two networks of one."""
    fresh, truth = noisy_points(FRESH_COUNT, FRESH)
    rows = []
    for seed in range(size.draws):
        X, Y = noisy_points(size.noisy, seed)
        for alpha in size.alphas:
            together = cr.Problem(X, Y, loss="squared", alpha=alpha)
            apart = [cr.Problem(X, y, loss="squared", alpha=alpha) for y in Y.T]
            row: Record = {"draw": seed, "alpha": alpha}
            for way, problems in (("shared", [together]), ("alone", apart)):
                run = timed(lambda some: [cr.solve(problem, random_state=0) for problem in some], problems)
                networks = [fit.network for fit in run.value]
                network = networks[0] if way == "shared" else stacked(networks)
                row[way] = score(together, network) | {
                    "error": float(np.mean((network(fresh) - truth) ** 2)),
                    "relative_gap": max(fit.certificate.relative_gap for fit in run.value),
                    "seconds": run.seconds,
                }
            rows.append(row)
    return rows


def yardsticks() -> Record:
    """Return errors on fresh noise of no denoiser, of the nearest clean point, and of the mean given the input."""
    fresh, truth = noisy_points(FRESH_COUNT, FRESH)
    apart = ((fresh[:, None, :] - CLEAN) ** 2).sum(axis=2)
    weights = np.exp(-(apart - apart.min(axis=1, keepdims=True)) / (2 * NOISE**2))
    guesses = {
        "none": fresh,
        "nearest clean point": CLEAN[apart.argmin(axis=1)],
        "mean given the input": weights @ CLEAN / weights.sum(axis=1, keepdims=True),
    }
    return {name: float(np.mean((guess - truth) ** 2)) for name, guess in guesses.items()}


def run(output: Path, size: Size) -> Record:
    """Run the experiment, and write ``several_outputs.json``, ``several_outputs.png`` and the tables."""
    record: Record = {"margins": margins(size), "denoisers": denoisers(size), "yardsticks": yardsticks()}
    record["digits"] = shared_digits.measure(size.digits)
    full = publish(output, "several_outputs", size, record, draw(record, size), margin_table(record))
    update_page(output, "several_outputs-denoisers", table(denoiser_table(record)))
    update_page(output, "several_outputs-digits", table(shared_digits.lines(record["digits"])))
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
    """Return the table of denoisers, medians over the draws of noise."""
    rows = []
    for alpha in dict.fromkeys(row["alpha"] for row in record["denoisers"]):
        group = [row for row in record["denoisers"] if row["alpha"] == alpha]
        better = sum(row["shared"]["error"] < row["alone"]["error"] for row in group)
        for way, name in (("shared", "one network"), ("alone", "two networks")):
            middle = {key: median(row[way][key] for row in group) for key in ("neurons", "cost", "objective", "error")}
            rows.append(
                {
                    "alpha": f"{alpha:g}",
                    "": name,
                    "neurons": f"{middle['neurons']:.0f}",
                    "cost": f"{middle['cost']:.2f}",
                    "objective": f"{middle['objective']:.5f}",
                    "error": f"{middle['error']:.5f}",
                    "smaller error": f"{better if way == 'shared' else len(group) - better} of {len(group)}",
                    "largest proven gap": f"{max(row[way]['relative_gap'] for row in group):.0e}",
                    "seconds": f"{median(row[way]['seconds'] for row in group):.1f}",
                }
            )
    return rows


def draw(record: Record, size: Size) -> Figure:
    """Return the figure: margins along alpha, where the denoiser takes the plane, and the digits."""
    figure = Figure(figsize=(16, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    rows, largest = record["margins"]["alphas"], record["margins"]["lower"]
    left.semilogx([row["alpha"] for row in rows], [row["margin"] / largest for row in rows], "o-", color=BLUE)
    left.axhline(1.0, color=INK, linewidth=0.8, linestyle="dotted", label="certified, all widths")
    left.set(xlabel=r"$\alpha$", ylabel=r"margin / $\gamma^*$", ylim=(0, 1.05))
    left.set_title("Cross-entropy with ever weaker decay nears the largest margin", fontsize=11)
    left.legend(frameon=False, fontsize=9)
    draw_denoiser(middle, size)
    shared_digits.draw(right, record["digits"])
    for axes in (left, middle, right):
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
    axes.set_title(rf"Where the certified denoiser takes the plane ($\alpha$ = {size.alphas[-1]:g})", fontsize=11)
    axes.legend(framealpha=0.9, fontsize=9)


if __name__ == "__main__":
    command_line(run, Size(), LARGE, __doc__)
