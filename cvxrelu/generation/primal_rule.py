"""Which problems the primal master takes, and whether a dual master follows it.

A round of the primal master takes N k^2 for k neurons in use, one of the dual master N^3; but the dual master is the
faster one in the end, where the last digits are left, which a proof needs, and where samples are few.
"""

from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.sliding import can_slide
from cvxrelu.problem.losses.smoothed import smoothed

__all__ = ["is_alone", "is_followed", "suits"]

# Samples from which on this master takes the place of the others, and from which on it comes first (with fewer a dual
# master takes no time; from 100 on it was measured). Where nothing needs to be proven it comes first with fewer, too:
# a gap of some per cent takes it a tenth of the time. With a kink the dual master is as quick with 700 samples, more
# accurate with 500, and takes up to thirty times as long with 1000.
MANY_SAMPLES, SEVERAL_SAMPLES = 1000, 50
# Entries of X up to which a dual master follows even where nothing is to be proven: with 100 x 5 it takes as long and
# ends a hundred times nearer to the optimum, with 200 x 10 it takes three times as long, mostly for its ascents.
FEW_ENTRIES = 1000


def suits(oracle: Oracle) -> bool:
    """Tell whether the loss has a gradient or one kink, and the primal master is sooner than the dual one."""
    if can_slide(oracle.standard):
        several = oracle.problem.n_samples > SEVERAL_SAMPLES or not oracle.options.prove
        return is_alone(oracle) or (several and not oracle.pricer.sweeps)
    return is_alone(oracle) and smoothed(oracle.standard.loss.plain, 1.0) is not None


def is_alone(oracle: Oracle) -> bool:
    """Tell whether samples are too many for a dual master."""
    return oracle.problem.n_samples > MANY_SAMPLES


def is_followed(oracle: Oracle) -> bool:
    """Tell whether a dual master is to follow: samples are few, and very few where nothing is to be proven."""
    return not is_alone(oracle) and (oracle.options.prove or oracle.problem.X.size <= FEW_ENTRIES)
