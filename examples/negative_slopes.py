r"""Leaky ReLU: how the slope for negative arguments changes the price of six points.

    sigma(t) = t for t >= 0 and a t for t < 0,      min sum_j abs(v_j w_j)   subject to   f(x_i) = y_i

On a line the optimum has a closed form. With l_n the slopes between neighbours, C the sum of their absolute changes and
S = abs(l_first + l_last), it is

    max( C / abs(1 - a),  (C + S) / (abs(1 - a) + abs(1 + a)) ).

The six points of Kumar & Haupt, Figure 1, have C = 30 and S = 0, so they cost 30 / abs(1 - a): the more the activation
bends, the cheaper.
"""

from pathlib import Path

from matplotlib.figure import Figure

import cvxrelu as cr
from cvxrelu.plots import BLUE, GREY, plot_network_1d

X = [[-1.0], [-0.6], [-0.2], [0.2], [0.6], [1.0]]
Y = [1.0, -1.0, 1.0, 1.0, -1.0, 1.0]
SLOPES = (-1.0, -0.3, 0.0, 0.1, 2.0)
NAMES = {-1.0: "absolute value", 0.0: "ReLU"}


def main(output: Path = Path("example_output")) -> None:
    """Fit the six points for five slopes and draw the activations and the networks into `output`."""
    figure = Figure(figsize=(13, 4.8), layout="constrained")
    rows = figure.subplots(2, len(SLOPES), sharey="row", height_ratios=(1, 2))
    for slope, above, below in zip(SLOPES, *rows, strict=True):
        fit = cr.solve(cr.Problem(X, Y, negative_slope=slope))
        print(f"slope {slope:g}: cost {fit.objective:.4f}. {fit.certificate}")
        above.axhline(0, color=GREY, linewidth=0.8)
        above.axvline(0, color=GREY, linewidth=0.8)
        above.plot([-1, 0, 1], [-slope, 0, 1], color=BLUE, linewidth=2.2)
        above.set(xticks=[], yticks=[], ylim=(-2.1, 1.3))
        above.spines[:].set_visible(False)
        name = f" ({NAMES[slope]})" if slope in NAMES else ""
        above.set_title(f"$a = {slope:g}${name}", fontsize=12)
        plot_network_1d(fit.network, X, Y, below)
        below.set_title(f"cost {fit.objective:.2f}, gap {fit.certificate.relative_gap:.0e}", fontsize=11)
        below.set(yticks=[-1, 0, 1, 2])
        below.label_outer()
    rows[0, 0].set_ylabel(r"$\sigma(t)$")
    handles, labels = rows[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "negative_slopes.png", dpi=130)
    print(f"Wrote {output / 'negative_slopes.png'}.")


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
