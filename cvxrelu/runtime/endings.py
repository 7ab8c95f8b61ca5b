"""Why a search ended before its gap closed, in a sentence that names what helps."""

from enum import Enum

__all__ = ["STOPS", "Cause"]


class Cause(Enum):
    """What an open gap is due to; `explain` fills in the options of the call."""

    TIME = (
        "The search was stopped by time_limit={time_limit:g}; give it longer, from here on with warm_start=fit.network."
    )
    ROUNDS = "The search was stopped by max_rounds={max_rounds}; allow more, from here on with warm_start=fit.network."
    KEYBOARD = "The search was stopped by the keyboard; go on from here with warm_start=fit.network."
    PROOF_TIME = (
        "The proof was stopped by time_limit={time_limit:g}, not the fit: no local search improves the network, and "
        "that no other is better is proven by bounds over all neurons of {n_features} features, which takes "
        "long in many dimensions; give it longer, or leave it out with prove=False."
    )
    PROOF = (
        "No local search improves the network; that no other is better is proven by bounds over all neurons of "
        "{n_features} features, which was stopped after a fixed amount of work; let it use all the time you have "
        "with time_limit=seconds, or leave it out with prove=False."
    )
    SOLVER = "{solver} ended short of its accuracy; try another solver, or a larger tol."
    ROUNDING = (
        "Rounding keeps the gap open: neither bound improves any more; rescale the data, or ask for a larger tol."
    )
    UNTOLD = (
        "Nothing is proven, since the loss does not tell its dual: give it `curvature` and `limits`, or a "
        "`lower_bound`, or leave the proof out with prove=False."
    )

    @classmethod
    def of_proof(cls, limited: bool) -> "Cause":
        """Return what stops a proof: time where that is limited, else a fixed amount of work."""
        return cls.PROOF_TIME if limited else cls.PROOF

    def explain(self, **options: object) -> str:
        """Return the sentence for these options of `solve`."""
        return self.value.format(**options)


STOPS = (Cause.TIME, Cause.ROUNDS, Cause.KEYBOARD, Cause.PROOF_TIME)
"""What the caller asked for, or had to: not something that went wrong."""
