r"""The cost of a convex network, read off its graph: the Laplacian formula of Savarese et al., Claim 5.1.

A neuron v sigma(w.x + b) is bent along its hyperplane, with the Laplacian (1 - a) v norm(w) times the measure of area
on it. A ball of radius r around the origin cuts a (d - 1)-dimensional ball of radius sqrt(r^2 - b^2 / norm(w)^2) out of
the hyperplane, so with k the volume of the unit ball in d - 1 dimensions,

    (1 / (k r^(d-1))) * integral over norm(x) <= r of Laplacian f  ->  (1 - a) sum_j v_j norm(w_j)     as r grows.

If f is convex in this sense, with all v_j >= 0, the limit for ReLU is the cost of the network: no network computes f
for less. With output weights of both signs it is only a lower bound, since bends that cancel are not seen.

The integral is found without any hinges, from the gradient on the sphere alone (divergence theorem): it is the flux of
the gradient through norm(x) = r, by differences of f.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import cvxrelu as cr
from cvxrelu.plots import BLUE, GREY, INK, ORANGE

Array = NDArray[np.float64]

N_POINTS = 100_000
RADII = np.geomspace(0.5, 40, 13)
STEP = 1e-6  # of the differences, in radii


def sphere(n_features: int, n_points: int = N_POINTS) -> Array:
    """Return points spread evenly over the unit circle or sphere."""
    k = np.arange(n_points) + 0.5
    if n_features == 2:
        angles = 2 * np.pi * k / n_points
        return np.column_stack([np.cos(angles), np.sin(angles)])
    height, angles = 1 - 2 * k / n_points, np.pi * (1 + 5**0.5) * k
    return np.column_stack([np.sqrt(1 - height**2) * np.cos(angles), np.sqrt(1 - height**2) * np.sin(angles), height])


def mean_bend(network: cr.Network, radius: float) -> float:
    """Return the integral of the Laplacian over the ball, divided by k r^(d-1)."""
    directions = sphere(network.n_features)
    outer, inner = (network(radius * (1 + side * STEP) * directions) for side in (1, -1))
    flux = np.mean(outer - inner) / (2 * STEP * radius)
    area = {2: 2 * np.pi, 3: 4 * np.pi}[network.n_features]
    return float(flux * area / {2: 2.0, 3: np.pi}[network.n_features])


def prediction(network: cr.Network, radius: float) -> float:
    """Return the same from the hinges."""
    sizes = np.linalg.norm(network.W, axis=1)
    cut = np.sqrt(np.maximum(1 - (network.b / sizes / radius) ** 2, 0)) ** (network.n_features - 1)
    return float((1 - network.negative_slope) * (network.v * sizes) @ cut)


def networks() -> dict[str, cr.Network]:
    """Return convex networks of two and three inputs, and one that is not convex."""
    rng = np.random.default_rng(3)
    found = {}
    for name, d, convex in (("convex, d = 2", 2, True), ("convex, d = 3", 3, True), ("not convex, d = 2", 2, False)):
        W, b = rng.standard_normal((8, d)), 2 * rng.standard_normal(8)
        v = rng.random(8) if convex else rng.standard_normal(8)
        network = cr.Network(W, b, v)
        found[name] = cr.Network(W, b, v / network.cost())
    return found


def main(output: Path = Path("example_output")) -> None:
    """Draw the mean bend in balls of growing radius into `output`."""
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
    examples = networks()

    grid = np.linspace(-6, 6, 301)
    plane = np.stack(np.meshgrid(grid, grid), axis=-1)
    values = examples["convex, d = 2"](plane.reshape(-1, 2)).reshape(plane.shape[:2])
    left.contour(grid, grid, values, levels=18, colors=BLUE, linewidths=0.9)
    for w, b in zip(examples["convex, d = 2"].W, examples["convex, d = 2"].b, strict=True):
        left.axline(
            -b * w / (w @ w), -b * w / (w @ w) + np.array([-w[1], w[0]]), color=GREY, linewidth=0.8, dashes=(4, 3)
        )
    for radius in RADII[RADII < 6]:
        circle = radius * sphere(2, 400)
        left.plot(*circle.T, color=INK, linewidth=0.6)
    left.set(xlim=(-6, 6), ylim=(-6, 6), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    left.set_title("a convex network, its hinges, and the balls", fontsize=11)

    fine = np.geomspace(RADII[0], RADII[-1], 400)
    for (name, network), color, marker in zip(examples.items(), (BLUE, ORANGE, INK), "os^", strict=True):
        right.plot(fine, [prediction(network, radius) for radius in fine], color=color, linewidth=1.4)
        measured = [mean_bend(network, radius) for radius in RADII]
        right.plot(RADII, measured, marker, color=color, markersize=5, label=name)
        print(f"{name}: cost {network.cost():.4f}, bend in the largest ball {measured[-1]:.4f}")
    right.axhline(1, color=GREY, linewidth=0.9, dashes=(4, 3))
    right.annotate("cost of each network", (RADII[0], 1), (0, 4), textcoords="offset points", color=GREY)
    right.set(
        ylim=(-0.38, 1.12),
        xscale="log",
        xlabel="radius of the ball",
        ylabel="integral of the Laplacian / (k r$^{d-1}$)",
    )
    right.set_title("points: flux of the gradient; lines: from the hinges", fontsize=11)
    right.legend(frameon=False, loc="center right")
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "laplacian.png", dpi=90)
    print(f"Wrote {output / 'laplacian.png'}.")


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
