r"""Convex regression, certified: of all convex functions the one with the least error and cost, of one and two inputs.

    min over f convex:  (1/N) sum_i (f(x_i) - y_i)^2 / 2 + alpha * cost(f),
    f(x) = sum_j v_j max(0, w_j.x + b_j) + A x + c,   v >= 0,   cost(f) = sum_j v_j norm(w_j)

`output_sign="positive"` leaves convex functions only, and with `skip=True` a slope that all of f has costs nothing, so
that of one input cost(f) is the total variation of f', the rise of the slope from end to end. The convex fit is drawn
beside the best fit of any shape; both objectives are proven least, over networks of every width. Where the truth is
convex, knowing so takes the noise out of the fit: the errors are at new points, against the truth.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from cvxrelu.plots import INK

FREE, CONVEX = "#a8a8a8", "#d55e00"


def truth(X):
    """Return a convex function: a flat bottom with walls, on a slope."""
    return 2 * np.maximum(0.0, np.linalg.norm(X, axis=1) - 0.4) + 0.5 * X[:, 0]


def data(n_samples, n_features, noise=0.3):
    """Return points in a cube with noisy values of the truth."""
    rng = np.random.default_rng(n_features)
    X = rng.uniform(-1, 1, (n_samples, n_features))
    return X, truth(X) + noise * rng.standard_normal(n_samples)


def fits(X, y, alpha):
    """Return the best fit of any shape, and the best convex one."""
    problem = {"loss": "squared", "alpha": alpha, "skip": True}
    return [cr.solve(cr.Problem(X, y, output_sign=sign, **problem)) for sign in ("any", "positive")]


def error(fit):
    """Return the root mean square distance from the truth, at new points."""
    X = np.random.default_rng(0).uniform(-1, 1, (2000, fit.problem.n_features))
    return float(np.sqrt(np.mean((fit.network(X) - truth(X)) ** 2)))


def draw_line(axes, any_shape, convex):
    """Draw both fits of one input over their data."""
    X, line = convex.problem.X, np.linspace(-1, 1, 400)[:, None]
    axes.plot(X[:, 0], convex.problem.y, "o", color=INK, markersize=4, label="data")
    axes.plot(line[:, 0], truth(line), ":", color=INK, label="truth")
    axes.plot(line[:, 0], any_shape.network(line), color=FREE, label="best fit of any shape")
    axes.plot(line[:, 0], convex.network(line), color=CONVEX, linewidth=2, label="best convex fit")
    axes.legend(frameon=False, loc="upper center", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel="$x$", ylabel="$f(x)$")


def draw_plane(axes, fit, levels):
    """Draw the height lines of a fit of two inputs over its data."""
    ticks = np.linspace(-1, 1, 120)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1)
    heights = fit.network(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    filled = axes.contourf(ticks, ticks, heights, levels, cmap="cividis", extend="both")
    axes.contour(ticks, ticks, heights, levels, colors="white", linewidths=0.5)
    X, y = fit.problem.X, fit.problem.y
    axes.scatter(*X.T, c=y, cmap="cividis", vmin=levels[0], vmax=levels[-1], edgecolors=INK, linewidths=0.7, s=24)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return filled


def title(name, fit):
    """Return what a panel shows, and what is proven."""
    gap = max(fit.certificate.relative_gap, 1e-16)
    return (
        f"{name}\nobjective {fit.objective:.5f}, proven least to {gap:.0e}\n"
        f"{fit.network.n_neurons} neurons, error {error(fit):.3f}"
    )


def main(output: Path = Path("example_output")) -> None:
    """Draw the fits of one and of two inputs into `output`."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    any_shape, convex = fits(*data(60, 1), alpha=2e-4)
    draw_line(first, any_shape, convex)
    first.set_title(title("one input, convex", convex), fontsize=10)
    print(f"one input: error {error(any_shape):.3f} of any shape, {error(convex):.3f} convex")
    pair = fits(*data(120, 2), alpha=2e-4)
    levels = np.linspace(-0.4, 2.0, 9)
    for axes, fit, name in zip((second, third), pair, ("two inputs, any shape", "two inputs, convex"), strict=True):
        filled = draw_plane(axes, fit, levels)
        axes.set_title(title(name, fit), fontsize=10)
    figure.colorbar(filled, ax=third, label="f and data")
    print(f"two inputs: error {error(pair[0]):.3f} of any shape, {error(pair[1]):.3f} convex")
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "convex_regression.png", dpi=75)
    print(f"Wrote {output / 'convex_regression.png'}.")


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
