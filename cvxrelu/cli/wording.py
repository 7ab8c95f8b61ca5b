"""Sentences of the package in the words of the command line: --time-limit 5 for time_limit=5."""

import re

__all__ = ["in_options"]

# The parameters of the package that are options of the command line.
PARAMETERS = (
    *("loss", "alpha", "bias", "norm", "negative_slope", "sample_weight", "skip", "output_sign"),
    *("method", "solver", "tol", "time_limit", "random_state"),
)
NAMED = re.compile(rf"\b({'|'.join(PARAMETERS)})=('[^']*'|[^\s,;)]*[^\s,;.)])")
# Advice that only a program can follow: the command line starts afresh, and always proves what it can.
NOT_HERE = re.compile(
    r", (or leave (it|the proof) out with prove=False|from here on with warm_start=fit\.network)"
    r"|; go on from here with warm_start=fit\.network"
)


def in_options(message: str) -> str:
    """Return a sentence in which options stand for parameters, and without advice that they cannot follow.

    Examples
    --------
    >>> in_options("stopped by time_limit=5; give it longer, from here on with warm_start=fit.network.")
    'stopped by --time-limit 5; give it longer.'
    >>> in_options("use loss='hinge' and skip=True")
    'use --loss hinge and --skip'
    """

    def option(found: re.Match[str]) -> str:
        name, value = found[1].replace("_", "-"), found[2].strip("'")
        return {"True": f"--{name}", "False": f"no --{name}"}.get(value, f"--{name} {value}")

    return NAMED.sub(option, NOT_HERE.sub("", message.replace("prove=True and ", "")))
