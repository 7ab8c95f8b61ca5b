r"""What a bend costs: weight decay against the costs that label noise makes gradient descent minimise, on a line.

Both of de Dios & Bruna's potentials measure a neuron by what it does on the data (`cvxrelu.problem.norms`):

    weight decay  abs(v w),        response  abs(v) r,        label noise  2 abs(v) r m,
    r^2 = mean_i sigma(w x_i + b)^2,     m^2 = mean over i of (1 + x_i^2) where the neuron is active.

So a bend of f has a price that depends on where it is. For weight decay it is the same everywhere. For the others it is
lowest near the ends of the data, where a neuron that faces outwards is active on few samples: such fits bend sharply at
the ends, and are more careful in the middle. All three fits have the same training error.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import cvxrelu as cr
from cvxrelu.function_space import KnotMeasure
from cvxrelu.plots import BLUE, GREY, INK, ORANGE

Array = NDArray[np.float64]

# Name of the norm: what it is called in the picture, colour, and the alpha that gives the mean squared error 2 * LOSS.
STYLES = {
    "euclidean": ("weight decay", BLUE, 0.00282044),
    "response": ("response", INK, 0.01745354),
    "label-noise": ("label noise", ORANGE, 0.01121172),
}
LOSS = 0.01


def data() -> tuple[Array, Array]:
    """Return noisy samples of a sine, sparser towards the ends."""
    rng = np.random.default_rng(4)
    x = np.sort(rng.normal(0, 0.5, 24))
    return x[:, None], np.sin(4 * x) + 0.15 * rng.standard_normal(24)


def price_of_a_bend(norm: str, hinges: Array) -> Array:
    """Return the least cost of a neuron with a unit kink at each hinge, over the two ways that it can face."""
    problem = cr.Problem(*data(), norm=norm)
    costs = [problem.norm.neuron_costs(np.full((len(hinges), 1), side), -side * hinges) for side in (1.0, -1.0)]
    return np.minimum(*costs)


def fits() -> dict[str, cr.Fit]:
    """Return the three fits of equal training error."""
    return {
        norm: cr.solve(cr.Problem(*data(), loss="squared", norm=norm, alpha=alpha))
        for norm, (_, _, alpha) in STYLES.items()
    }


def main(output: Path = Path("example_output")) -> None:
    """Draw prices, fits and their second derivatives into `output`."""
    X, y = data()
    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, height_ratios=(1.6, 1))
    (graphs, prices), (bends, totals) = axes
    grid = np.linspace(X.min() - 0.25, X.max() + 0.25, 600)
    graphs.plot(X, y, "o", color=GREY, markersize=5, label="data")
    for offset, (norm, fit) in zip((-1, 0, 1), fits().items(), strict=True):
        name, color, _ = STYLES[norm]
        print(f"{name}: {fit.network.n_neurons} neurons. {fit.certificate}")
        graphs.plot(grid, fit.predict(grid[:, None]), color=color, label=name)
        measure = KnotMeasure.from_network(fit.network)
        # Neurons that face each other bend at one place, but for rounding.
        knots, place = np.unique(measure.positions.round(6), return_inverse=True)
        jumps = np.bincount(place, measure.jumps)
        bends.vlines(knots + 0.012 * offset, 0, jumps, color=color, linewidth=2)
        price = price_of_a_bend(norm, grid)
        prices.plot(grid, price / price.max(), color=color, label=name)
        places = np.concatenate([grid[:1], knots, grid[-1:]])
        heights = np.cumsum(np.abs([0.0, *jumps, 0.0]))
        totals.step(places, heights, where="post", color=color)
    bends.axhline(0, color=GREY, linewidth=0.8)
    graphs.set_title("three fits with the same training error", fontsize=11)
    prices.set_title("price of a unit bend, relative to the dearest", fontsize=11)
    bends.set_title("second derivative: jumps of f' at the knots", fontsize=11)
    totals.set_title("total bend to the left of x", fontsize=11)
    names = ("$f(x)$", "price, relative", "jump of $f'$", "sum of abs(jumps)")
    for each, name in zip(axes.flat, names, strict=True):
        each.set_ylabel(name)
    for below in axes[1]:
        below.set_xlabel("$x$")
    graphs.legend(frameon=False)
    prices.legend(frameon=False)
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "label_noise_cost.png", dpi=100)
    print(f"Wrote {output / 'label_noise_cost.png'}.")


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
