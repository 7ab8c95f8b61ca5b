"""Which problems the primal master takes, and whether a dual master follows it.

A round of the primal master takes N k^2 for k neurons in use, one of the dual master N^3; but the dual master is the
faster one in the end, where the last digits are left, which a proof needs, and where samples are few.
"""

from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.sliding import can_slide
from cvxrelu.problem.losses.smoothed import smoothed

__all__ = ["is_alone", "is_crowded", "is_followed", "suits"]

# Samples from which on this master takes the place of the others; from which on it takes the place of sweeps with few
# neurons (1,000 in the plane 2.7 -> 0.4 s, 600 0.6 -> 0.1 s, 300 as long); and from which on it comes first (with fewer
# a dual master takes no time; from 100 on it was measured). Where nothing needs to be proven it comes first with fewer,
# too: a gap of some per cent takes it a tenth of the time. With a kink the dual master is as quick with 700 samples,
# more accurate with 500, and takes up to thirty times as long with 1000.
MANY_SAMPLES, SWEPT_SAMPLES, SEVERAL_SAMPLES = 1000, 500, 50
# Entries of X up to which a dual master follows even where nothing is to be proven: with 100 x 5 it takes as long and
# ends a hundred times nearer to the optimum, with 200 x 10 it takes three times as long, mostly for its ascents.
FEW_ENTRIES = 1000
# Samples for each neuron in use below which sweeps and the dual master prove sooner (600 random targets in the plane,
# 390 neurons: 3 s, where this master is at 2 % after a minute), and with a kink, where output weights take it a second
# already with 75 neurons; up to a number of samples that the dual master still takes seconds for.
CROWDED, KINKED_CROWDED, MOST_CROWDED = 8, 20, 2000


def suits(oracle: Oracle) -> bool:
    """Tell whether the loss has a gradient or one kink, and the primal master is sooner than the dual one."""
    if is_alone(oracle):
        return can_slide(oracle.standard) or smoothed(oracle.standard.loss.plain, 1.0) is not None
    least = SWEPT_SAMPLES if oracle.pricer.sweeps else SEVERAL_SAMPLES if oracle.options.prove else 0
    return can_slide(oracle.standard) and oracle.problem.n_samples > least


def is_alone(oracle: Oracle) -> bool:
    """Tell whether samples are too many for a dual master."""
    return oracle.problem.n_samples > MANY_SAMPLES


def is_crowded(oracle: Oracle, n_neurons: int) -> bool:
    """Tell whether neurons in use are so many that the proof is left to a dual master."""
    n = oracle.problem.n_samples
    many = n < (CROWDED if can_slide(oracle.standard) else KINKED_CROWDED) * n_neurons
    return many and oracle.options.prove and oracle.pricer.sweeps and n <= MOST_CROWDED


def is_followed(oracle: Oracle) -> bool:
    """Tell whether a dual master follows anyway: samples are few, and very few where nothing is to be proven."""
    few = oracle.options.prove or oracle.problem.X.size <= FEW_ENTRIES
    return few and not is_alone(oracle) and not oracle.pricer.sweeps
