r"""Digits by one network of ten outputs, and by ten networks of one: what sharing neurons buys at each strength.

    one    min  (1/N) sum_i loss(f(x_i), y_i) + alpha sum_j norm(v_j)_2 norm(w_j)
    ten    min  (1/N) sum_i loss(f_k(x_i), y_ik) + alpha sum_j abs(v_j) norm(w_j),      for each digit k by itself

With the squared loss on indicators the ten together minimise the first objective with norm(v_j)_1 in place of
norm(v_j)_2: what differs is whether a neuron is cheaper if digits share it. As norm_2 <= norm_1 <= sqrt(10) norm_2, the
same alpha is stricter to the ten, so both are fitted along alpha, and compared where they are as good as each other.
With labels, one is the cross-entropy of the softmax, and ten are one against the rest with the logistic loss.

In 64 dimensions local search fits, and nothing is proven: "objective" is of the network that was found.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cvxrelu as cr
from benchmarks.harness import Record, median, score, timed
from cvxrelu.plots import BLUE, ORANGE

__all__ = ["Digits", "draw", "lines", "measure", "stacked"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

# Pixels are 0, ..., 16.
BRIGHTEST = 16.0
CLASSES = 10
# Share of the cost that neurons have to carry to be counted.
MOST = 0.99
# The loss of one network, and of one of ten.
LOSSES = {"squared": "squared", "softmax": "logistic"}
ONE, TEN = "one network", "ten networks"
# Ticks of the picture.
TICKS = (20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Digits:
    """Training samples; strengths; random splits; the relative gain a round at which a fit stops; seconds of each."""

    samples: int = 300
    alphas: tuple[float, ...] = (1e-2, 3e-3, 1e-3)
    seeds: int = 3
    tol: float = 1e-3
    time_limit: float = 20.0


@dataclass(frozen=True)
class Split:
    """Inputs and labels to fit, and to test."""

    X: Array
    labels: Labels
    fresh: Array
    truth: Labels

    def errors(self, scores: cr.Network) -> Record:
        """Return the shares of wrong labels."""
        wrong = [
            np.mean(np.argmax(scores(X), axis=1) != y) for X, y in ((self.X, self.labels), (self.fresh, self.truth))
        ]
        return {"train": float(wrong[0]), "test": float(wrong[1])}


def split(size: Digits, seed: int) -> Split:
    """Return so many digits to fit, classes in proportion, and all others to test."""
    X, y = cast("Any", load_digits(return_X_y=True))
    parts: Any = train_test_split(X / BRIGHTEST, y, train_size=size.samples, random_state=seed, stratify=y)
    return Split(parts[0], parts[2], parts[1], parts[3])


def stacked(networks: Sequence[cr.Network]) -> cr.Network:
    """Return networks of one output each as one network, whose neurons have one output each."""
    counts = [network.n_neurons for network in networks]
    v = np.zeros((sum(counts), len(networks)))
    v[np.arange(len(v)), np.repeat(np.arange(len(networks)), counts)] = np.concatenate([one.v for one in networks])
    W, b = np.vstack([one.W for one in networks]), np.concatenate([one.b for one in networks])
    return cr.Network(W, b, v, cast("Any", np.array([one.intercept for one in networks])))


def measure(size: Digits) -> list[Record]:
    """Return a row for each loss, strength, split and way."""
    rows = []
    for seed in range(size.seeds):
        data = split(size, seed)
        for loss in LOSSES:
            for alpha in size.alphas:
                rows += [row | {"loss": loss, "alpha": alpha, "seed": seed} for row in _both(data, loss, alpha, size)]
    return rows


def _both(data: Split, loss: str, alpha: float, size: Digits) -> list[Record]:
    indicators = np.eye(CLASSES)[data.labels]
    together = cr.Problem(data.X, indicators if loss == "squared" else data.labels, loss=loss, alpha=alpha)
    targets = indicators if loss == "squared" else 2 * indicators - 1
    alone = [cr.Problem(data.X, y, loss=LOSSES[loss], alpha=alpha) for y in targets.T]
    one = timed(_fit, [together], size)
    ten = timed(_fit, alone, size)
    rows = []
    for way, run, network in ((ONE, one, one.value[0].network), (TEN, ten, stacked(_networks(ten.value)))):
        # What each side is worth to the other, where the losses are the same.
        apart = sum(problem.objective(network.output(k)) for k, problem in enumerate(alone))
        scored = score(together, network)
        row = {"way": way, "seconds": run.seconds, "stopped": sum(fit.status is cr.Status.STOPPED for fit in run.value)}
        row |= {name: scored[name] for name in ("neurons", "cost", "objective")} | data.errors(network)
        row |= {"objective of ten": apart, "shared": shared_outputs(network), "carrying": carrying(network)}
        rows.append(row)
    return rows


def _networks(fits: Sequence[cr.Fit]) -> list[cr.Network]:
    return [fit.network for fit in fits]


def _fit(problems: Sequence[cr.Problem], size: Digits) -> list[cr.Fit]:
    options: Any = {"tol": size.tol, "time_limit": size.time_limit, "random_state": 0, "prove": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        return [cr.solve(problem, **options) for problem in problems]


def carrying(network: cr.Network) -> int:
    """Return the least number of neurons that have `MOST` of the cost, for local search leaves many small ones.

    Examples
    --------
    >>> carrying(cr.Network([[1.0], [2.0], [1.0]], np.zeros(3), [[1.0, 1.0], [0.0, 1.0], [0.0, 1e-3]]))
    2
    """
    costs = np.sort(np.linalg.norm(network.v, axis=1) * np.linalg.norm(network.W, axis=1))[::-1]
    return int(np.searchsorted(np.cumsum(costs), MOST * costs.sum())) + 1 if costs.any() else 0


def shared_outputs(network: cr.Network) -> float:
    """Return how many outputs share a neuron: norm(v_j)_1^2 / norm(v_j)_2^2, the mean weighted by cost.

    Examples
    --------
    >>> round(shared_outputs(cr.Network([[1.0], [1.0]], [0.0, 0.0], [[1.0, 1.0], [0.0, 0.0]])), 12)
    2.0
    """
    sizes = np.linalg.norm(network.v, axis=1)
    used = sizes > 0
    costs = (sizes * np.linalg.norm(network.W, axis=1))[used]
    counts = (np.abs(network.v[used]).sum(axis=1) / sizes[used]) ** 2
    return float(costs @ counts / costs.sum()) if used.any() else 0.0


def lines(rows: Sequence[Record]) -> list[Record]:
    """Return the table: a line for each loss, strength and way, medians over splits."""
    summaries = []
    for loss, alpha, way in dict.fromkeys((row["loss"], row["alpha"], row["way"]) for row in rows):
        group = [row for row in rows if (row["loss"], row["alpha"], row["way"]) == (loss, alpha, way)]

        def middle(name: str, group: Sequence[Record] = group) -> float:
            return median(row[name] for row in group)

        errors = [100 * row["test"] for row in group]
        summaries.append(
            {
                "loss": loss if way == ONE else LOSSES[loss],
                "alpha": f"{alpha:g}",
                "": way,
                "neurons": f"{middle('neurons'):.0f}",
                "of 99 % of the cost": f"{middle('carrying'):.0f}",
                "outputs a neuron": f"{middle('shared'):.1f}",
                "cost": f"{middle('cost'):.1f}",
                "objective of one": f"{middle('objective'):.5f}" if loss == LOSSES[loss] or way == ONE else "–",
                "objective of ten": f"{middle('objective of ten'):.5f}" if loss == LOSSES[loss] else "–",
                "train error": f"{100 * middle('train'):.1f} %",
                "test error": f"{middle('test') * 100:.1f} ({min(errors):.1f} to {max(errors):.1f}) %",
                "seconds": f"{middle('seconds'):.1f}",
            }
        )
    return summaries


def draw(axes: Axes, rows: Sequence[Record]) -> None:
    """Draw test errors against neurons that carry the cost, along alpha, for losses and ways; medians over splits."""
    for loss, marker in zip(LOSSES, "os", strict=True):
        for way, colour in ((ONE, BLUE), (TEN, ORANGE)):
            group = [row for row in rows if (row["loss"], row["way"]) == (loss, way)]
            alphas = list(dict.fromkeys(row["alpha"] for row in group))
            neurons, errors = (
                [median(row[name] for row in group if row["alpha"] == alpha) for alpha in alphas]
                for name in ("carrying", "test")
            )
            label = f"{way}, {loss if way == ONE else LOSSES[loss]}"
            style = "-" if loss == "squared" else "--"
            axes.plot(neurons, [100 * error for error in errors], marker + style, color=colour, label=label)
    axes.set(xscale="log", xlabel="neurons that carry 99 % of the cost, of all outputs together")
    axes.set(ylabel="wrong labels on fresh digits, %", ylim=(0, None))
    axes.set_xticks(TICKS, [str(tick) for tick in TICKS])
    axes.minorticks_off()
    axes.set_title(r"Ten digits: neurons shared, and not ($\alpha$ falls downwards)", fontsize=11)
    axes.legend(frameon=False, fontsize=8)
