"""Lower bounds in many dimensions: a convex program over moments of neurons.

    regions of unit neurons -> moments and cuts -> relaxed program -> multipliers -> gamma(v) <= beta -> a lower bound

    frame -> blocks -> cones, newton, states, steps, starts -> program      the program, and how it is solved
    cuts -> regions, prover -> rounds -> rule                               what is added to it, and where it is used
    moment_rows -> moment_blocks -> moments, output_regions -> outputs      the same of several outputs

What is proved is proved elsewhere: `cvxrelu.certificate.multipliers`, and `norm_multipliers` of several outputs.
"""

from cvxrelu.relaxation.rounds import RelaxedRound, relaxed_rounds
from cvxrelu.relaxation.rule import can_relax, is_relaxed_first, share_of_cones, tighten

__all__ = ["RelaxedRound", "can_relax", "is_relaxed_first", "relaxed_rounds", "share_of_cones", "tighten"]
