"""Call everything public with whatever can be at once, and check what comes back: `python -m tests.fuzz --hours 1`.

    seed -> a call, drawn -> what it returned, or the one sentence it raised -> findings: promises that were not kept

    bounds      lower and upper against fractions: the objective of the network, and gamma(v) by brute force
    stops       time limits and Ctrl-C at random moments of larger problems: what is left holds, and comes soon
    files       certificates and networks, whole and damaged: read back unchanged, refused, or still true
    commands    command lines on damaged tables: 0, or 2 and one line
    arguments   public functions with an argument that is wrong
    estimators  fits and predictions of damaged tables
    norms       gamma of norms that look at the data, against neurons that are solved for in fractions
    ordinary    problems with nothing strange about them, in three guises: what is proven of one is true of the others
    analyses    alpha_max, paths, margins, sets of optima and certificates of such problems, against fits of their own

Problems have one output or several. A finding is a bug. What was refused, and how late stops were, is counted.
"""

from tests.fuzz.rounds import KINDS, attempt
from tests.fuzz.trial import Trial
from tests.fuzz.truth import check_certificate, gamma_of

__all__ = ["KINDS", "Trial", "attempt", "check_certificate", "gamma_of"]
