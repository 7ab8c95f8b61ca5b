"""Which problems the primal master takes, and whether a dual master follows it.

A round of the primal master takes N k^2 for k neurons in use, one of the dual master N^3; but the dual master is the
faster one in the end, where the last digits are left, which only a proof needs.
"""

from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.sliding import can_slide
from cvxrelu.problem.losses.smoothed import smoothed

__all__ = ["is_alone", "is_followed", "suits"]

# Samples from which on this master takes the place of the others, and from which on it comes first (with fewer a dual
# master takes no time; from 100 on it was measured); also with fewer where nothing needs to be proven.
MANY_SAMPLES, SEVERAL_SAMPLES = 1000, 50
# The same for a loss with a kink, which is smoothed and ends in linear programs: the dual master has it as long as that
# is bearable (guessed).
KINKED_SAMPLES = 3000


def suits(oracle: Oracle) -> bool:
    """Tell whether the loss has a gradient or one kink, and the primal master is sooner than the dual one or enough."""
    several, proof = oracle.problem.n_samples > SEVERAL_SAMPLES, oracle.options.prove
    if can_slide(oracle.standard):
        return is_alone(oracle) or ((several or not proof) and not oracle.pricer.sweeps)
    return oracle.problem.n_samples > KINKED_SAMPLES and smoothed(oracle.standard.loss.plain, 1.0) is not None


def is_alone(oracle: Oracle) -> bool:
    """Tell whether samples are too many for a dual master."""
    return oracle.problem.n_samples > MANY_SAMPLES


def is_followed(oracle: Oracle) -> bool:
    """Tell whether a dual master is to follow, which few samples allow and only a proof needs."""
    return oracle.options.prove and not is_alone(oracle)
