"""The options of the command line, with the names that they have in Python."""

import argparse
from collections.abc import Callable
from typing import get_args

import cvxrelu
from cvxrelu.problem.losses import LOSSES, get_loss
from cvxrelu.problem.norms import NORMS
from cvxrelu.problem.problem import OutputSign
from cvxrelu.solving.methods import METHODS

__all__ = ["known_parameters", "make_parser"]

Command = Callable[[argparse.Namespace], int]


def make_parser(fit_table: Command, predict_table: Command, run_demo: Command) -> argparse.ArgumentParser:
    """Return the parser, whose result has the command to run as `run`."""
    parser = argparse.ArgumentParser(prog="cvxrelu", description="Fit certified globally optimal ReLU networks.")
    parser.add_argument("--version", action="version", version=f"cvxrelu {cvxrelu.__version__}")
    parser.add_argument("--verbose", action="store_true", help="say what is being done and why")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fit = commands.add_parser("fit", help="fit a network to a table", formatter_class=_Formatter)
    fit.set_defaults(run=fit_table)
    fit.add_argument("data", metavar="DATA.csv", help="numbers with a header line, separated by commas, tabs or ;")
    fit.add_argument("--target", required=True, metavar="COLUMN", help="column to predict; the others are inputs")
    fit.add_argument("--features", nargs="+", metavar="COLUMN", help="columns to use as inputs (default: all others)")
    fit.add_argument("--sample-weight", metavar="COLUMN", help="column of weights; a weight of 2 is two equal rows")
    fit.add_argument("--loss", choices=LOSSES, default="squared", help="what a prediction costs")
    fit.add_argument(
        "--loss-parameters",
        nargs="+",
        type=_assignment,
        metavar="NAME=VALUE",
        help=f"parameters of the loss: {known_parameters()}",
    )
    fit.add_argument(
        "--alpha",
        type=float,
        help="weight of the network's cost beside the loss; none for interpolation, margin (default: the estimators')",
    )
    fit.add_argument(
        "--scale",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether inputs count in units of their standard deviations; auto: where alpha is the default one",
    )
    fit.add_argument("--norm", choices=NORMS, default="euclidean", help="what a neuron costs")
    fit.add_argument("--bias", choices=("free", "joint", "none"), default="free", help="what a neuron's bias costs")
    fit.add_argument("--negative-slope", type=float, default=0.0, help="slope of the leaky ReLU")
    fit.add_argument("--skip", action="store_true", help="add a linear function of the inputs, which costs nothing")
    fit.add_argument(
        "--output-sign",
        choices=get_args(OutputSign),
        default="any",
        help="positive: only convex functions (besides --skip)",
    )
    fit.add_argument("--method", choices=("auto", *METHODS), default="auto", help="how sign patterns are found")
    fit.add_argument("--solver", default="CLARABEL", help="conic solver of cvxpy")
    fit.add_argument("--tol", type=float, default=1e-6, help="relative gap to reach")
    fit.add_argument("--time-limit", type=float, metavar="SECONDS", help="stop after this time")
    fit.add_argument("--random-state", type=int, default=0, help="seed of sampled patterns")
    fit.add_argument("--output", metavar="NET.npz", help="where to save the network")
    fit.add_argument("--plot", metavar="FIT.png", help="where to save a picture (one or two inputs)")
    fit.add_argument("--progress", action="store_true", help="show a progress bar")

    predict = commands.add_parser("predict", help="apply a saved network to a table", formatter_class=_Formatter)
    predict.set_defaults(run=predict_table)
    predict.add_argument("network", metavar="NET.npz", help="network saved by fit")
    predict.add_argument("data", metavar="DATA.csv", help="file with the columns the network was fitted to")
    predict.add_argument("--output", metavar="FILE.csv", help="where to write predictions (default: standard output)")

    demo = commands.add_parser("demo", help="fit four small problems, with pictures", formatter_class=_Formatter)
    demo.set_defaults(run=run_demo)
    demo.add_argument("--output", metavar="FOLDER", default="demo_output", help="where to put the pictures")
    return parser


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help that states defaults, except where there is none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None or action.default is False else super()._get_help_string(action)


def _assignment(text: str) -> tuple[str, float]:
    """Return the name and the value of NAME=VALUE."""
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE with a number, as in q=0.9") from None


def known_parameters() -> str:
    """Return which losses have which parameters, in words."""
    known = {name: get_loss(name).params() for name in LOSSES}
    return "; ".join(f"{', '.join(parameters)} of {name}" for name, parameters in known.items() if parameters)
