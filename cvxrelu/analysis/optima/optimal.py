r"""The set of all optimal networks of a problem.

With neurons k = 1..K of score L (`neurons`), outputs phi_k = e_k sigma(Z u_k) and an accurate dual vector (`dual`),
the optimal networks with their weight at these neurons are the polytope

    P = {(lambda, c) : lambda >= 0,  sum_k lambda_k phi_k + F c = z(v) where v_i is inside its domain,
                                     <= or >= z_i(v) where v_i is at a bound of it (margin and hinge loss)}

with F a basis of what is free on the data (constants, or affine functions with a skip connection, where a neuron and
its mirror image count as one), and all others come
from spreading the weight of two joined neurons over the segment between them, or of a neuron on a
ray along it. That moves hinges, and changes neither the cost nor the predictions on the data. At a point x a
neuron is convex in its bias along a segment, with one kink where its hinge passes through x, so the
extreme predictions at x are found with three neurons a segment: its ends, and the one with its hinge at x.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.analysis.optima.members import ExtremePredictions, OptimalNetwork, SparsestNetwork
from cvxrelu.analysis.optima.moves import Move, Parts, best_moves, merged, moved, moves_to, random_moves
from cvxrelu.analysis.optima.neurons import Neurons
from cvxrelu.analysis.optima.polytope import Polytope
from cvxrelu.analysis.optima.sparsity import Cover, carrying, fewest, reweighted
from cvxrelu.errors import InputError
from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.problem.free import Free
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_count, as_generator, as_matrix
from cvxrelu.program.scaling import Scaling, split_groups

__all__ = ["OptimalSet"]

Array = NDArray[np.float64]

# Changes of the function below this share of the change of the weights are rounding.
SAME_FUNCTION = 1e-8
# Neurons up to which `sparsest` may be asked for a proof, and the seconds of its programs in all.
EXACT_NEURONS, EXACT_SECONDS = 80, 60.0
# Random members move hinges on rays by this multiple of the extent of the data, on average.
OUTER_REACH = 0.2


@dataclass(frozen=True, eq=False)
class OptimalSet:
    """All optimal networks of a problem; made by `cvxrelu.optimal_set`.

    What is guaranteed. Every network that is handed out is judged by its own objective on the data, against a proven
    lower bound, and says how far from optimal it can be. Claims about *all* optimal networks (`is_unique`, the ends of
    `extreme_predictions`, `SparsestNetwork.exact`) rest on a dual vector that is accurate to `dual_error`, and on every
    cell of the arrangement having been searched (`exhaustive`); without that they are claims about a subset.

    Attributes
    ----------
    problem : Problem
        The problem.
    neurons : Neurons
        The K neurons that carry weight in some optimal network, in standard coordinates.
    polytope : Polytope
        The weights (lambda, c) of optimal networks on these neurons, in standard coordinates.
    scaling : Scaling
        The standard coordinates.
    lower : float
        A proven lower bound on the optimum.
    exhaustive : bool
        Whether no neuron can be missing.
    dual_error : float
        Share by which the scores of the neurons in use miss the bound.

    Examples
    --------
    Six points, of which all interpolants of least cost agree except on [-0.2, 0.2]:

    >>> from cvxrelu import Problem, optimal_set, solve
    >>> x = np.array([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0])
    >>> optima = optimal_set(solve(Problem(x[:, None], [1, -1, 1, 1, -1, 1])))
    >>> optima.is_unique, optima.sparsest(exact=True, count="hinges").count
    (False, 3)
    >>> extremes = optima.extreme_predictions([[0.0], [0.5]])
    >>> extremes.lower.round(9), extremes.upper.round(9)
    (array([ 1. , -0.5]), array([ 2. , -0.5]))
    """

    problem: Problem
    neurons: Neurons
    polytope: Polytope
    scaling: Scaling
    lower: float
    exhaustive: bool
    dual_error: float

    def __repr__(self) -> str:
        return (
            f"OptimalSet({len(self.neurons)} neurons, {self.dimension} dimensions, unique={self.is_unique}, "
            f"exhaustive={self.exhaustive}, lower={self.lower:.10g})"
        )

    @property
    def dimension(self) -> int:
        """Dimension of the polytope of weights of the neurons; hinges on segments and rays may move as well."""
        return self.polytope.dimension

    @property
    def is_unique(self) -> bool:
        """Whether there is one optimal network only, up to the order and the scale of neurons and to equal neurons."""
        return self.dimension == 0 and not len(self.neurons.segments) and not self.neurons.rays.any()

    @property
    def has_unique_function(self) -> bool:
        """Whether all optimal networks are the same function; several networks may be, facing in different ways."""
        if len(self.neurons.segments) or self.neurons.rays.any():
            return False
        count = len(self.neurons)
        changes = self.neurons.function_map @ self.polytope.basis[:count]
        free = self._free.lift @ self.polytope.basis[count:]
        changes[len(changes) - self.neurons.groups.shape[1] :] += free[: self.neurons.groups.shape[1]]
        return not (np.abs(changes) > SAME_FUNCTION).any()

    @cached_property
    def _free(self) -> Free:
        """What is free on the data, in standard coordinates."""
        norm = self.problem.norm
        return Free.of(split_groups(self.scaling.lifted, norm.has_bias)[0], norm.has_free_constant, self.problem.skip)

    @cached_property
    def center(self) -> OptimalNetwork:
        """An optimal network in which every neuron that can have weight has some."""
        return self._member(self.polytope.center)

    def vertices(self) -> tuple[OptimalNetwork, ...]:
        """Return the vertices of the polytope: the networks that are no mean of others with the same neurons.

        Their neurons have their hinges at the ends of segments and rays, and linearly independent outputs, so at most
        as many as there are samples.

        Returns
        -------
        tuple of OptimalNetwork
            All vertices.

        Raises
        ------
        SizeError
            If the polytope has too many dimensions.
        """
        return tuple(self._member(point) for point in self.polytope.vertices())

    def sample(self, n: int = 1, random_state: int | np.random.Generator | None = None) -> tuple[OptimalNetwork, ...]:
        """Draw optimal networks at random.

        Parameters
        ----------
        n : int, default 1
            How many.
        random_state : int or numpy.random.Generator, optional
            Seed.

        Returns
        -------
        tuple of OptimalNetwork
            Networks spread over the whole set, segments and rays included, by a random walk; close to uniform in the
            polytope, of no particular distribution along segments and rays.

        Raises
        ------
        InputTypeError, InputError
            If n is not a positive integer.
        """
        rng = as_generator(random_state)
        points = self.polytope.sample(as_count(n, "n"), rng)
        return tuple(self._random_member(point, rng) for point in points)

    def sparsest(
        self, exact: bool = False, count: str = "neurons", random_state: int | np.random.Generator | None = 0
    ) -> SparsestNetwork:
        """Return an optimal network with few neurons.

        Parameters
        ----------
        exact : bool, default False
            Whether to find the fewest possible by mixed-integer programming, for small sets. If that takes too long,
            the result of the search is returned, and says so.
        count : {"neurons", "hinges"}, default "neurons"
            What there should be few of. Two neurons with the same hinge that face either way are one hinge: in one
            dimension, a knot of the function.
        random_state : int or numpy.random.Generator, default 0
            Seed of the search by reweighted linear programs, used if `exact` is false.

        Returns
        -------
        SparsestNetwork
            The network, the count, and whether it is proven to be the least.

        Raises
        ------
        InputError
            If `count` is unknown, or an exact answer is asked of a large set.
        """
        if count not in ("neurons", "hinges"):
            raise InputError(f"count={count!r} is unknown; choose 'neurons' or 'hinges'.")
        if exact and len(self.neurons) > EXACT_NEURONS:
            raise InputError(
                f"An exact answer is for up to {EXACT_NEURONS} neurons that can have weight, and here are "
                f"{len(self.neurons)}; use exact=False."
            )
        cover = Cover.of(self.neurons, hinges=count == "hinges")
        point = fewest(self.polytope, cover, EXACT_SECONDS) if exact else None
        proven = point is not None
        if point is None:
            point = reweighted(self.polytope, cover, as_generator(random_state))
        weights = point[: len(self.neurons)]
        elements = cover.members[cover.choose(carrying(weights))]
        member = self._certified(merged(self.neurons, weights, elements), self._predictions(point))
        return SparsestNetwork(member.network, member.objective, member.lower, len(elements), proven)

    def extreme_predictions(self, X: ArrayLike) -> ExtremePredictions:
        """Return the smallest and the largest prediction of any optimal network at each of the given points.

        Parameters
        ----------
        X : (n, d) array_like
            The points.

        Returns
        -------
        ExtremePredictions
            The range at each point, and the networks that attain it: two linear programs a point.

        Raises
        ------
        InputTypeError, InputError
            If X is not numeric, not finite or has another number of features.
        """
        points = as_matrix(X)
        if points.shape[1] != self.problem.n_features:
            raise InputError(
                f"X has {points.shape[1]} features, and the networks take {self.problem.n_features}; pass as many."
            )
        lifted = np.column_stack([points, np.ones(len(points))]) if self.problem.norm.has_bias else points
        lifted = lifted @ self.scaling.transform
        lowest, highest = (tuple(self._extreme(z, sign) for z in lifted) for sign in (-1.0, 1.0))
        values = [
            np.array([float(member.network(x[None])[0]) for x, member in zip(points, members, strict=True)])
            for members in (lowest, highest)
        ]
        return ExtremePredictions(np.minimum(*values), np.maximum(*values), lowest, highest)

    def _predictions(self, point: Array) -> Array:
        """Return the predictions on the data, in standard coordinates."""
        count = len(self.neurons)
        return self.neurons.outputs @ point[:count] + self._free.basis @ point[count:]

    def _member(self, point: Array, moves: list[Move] | None = None, amounts: Array | None = None) -> OptimalNetwork:
        """Return the network at a point of the polytope, after moves of hinges."""
        parts = moved(
            self.neurons, point[: len(self.neurons)], moves or [], np.zeros(0) if amounts is None else amounts
        )
        return self._certified(parts, self._predictions(point))

    def _certified(self, parts: Parts, predictions: Array) -> OptimalNetwork:
        """Return the network of some neurons that makes these predictions, in the units of the problem, judged."""
        problem, used = self.problem, carrying(parts.weights)
        groups, v = parts.groups[used], (parts.signs * parts.weights)[used]
        W, b = split_groups(groups, problem.norm.has_bias)
        slope, data = problem.negative_slope, self.scaling.lifted @ groups.T
        skip, constant = self._free.affine(self._free.coefficients(predictions - leaky_relu(data, slope) @ v))
        network = self.scaling.restore(Network(W, b, v, constant, slope, skip))
        costs = problem.norm.neuron_costs(network.W, network.b)
        unit = replace(network, W=network.W / costs[:, None], b=network.b / costs, v=network.v * costs)
        return OptimalNetwork(unit, problem.objective(unit), self.lower)

    def _random_member(self, point: Array, rng: np.random.Generator) -> OptimalNetwork:
        """Return the network at a point after random moves of random amounts."""
        weights, moves, amounts = point[: len(self.neurons)].copy(), [], []
        extent = float(np.ptp(self.scaling.lifted, axis=0).max())
        for move in random_moves(self.neurons, rng, OUTER_REACH * extent):
            amount = rng.beta(0.5, 0.5) * max(0.0, float((weights[move.sources] / move.shares).min()))
            weights[move.sources] -= amount * move.shares
            moves.append(move)
            amounts.append(amount)
        return self._member(point, moves, np.array(amounts))

    def _extreme(self, z: Array, sign: float) -> OptimalNetwork:
        """Return the network of largest sign * f at a lifted point, by a linear program in (t, amounts of moves)."""
        neurons, polytope = self.neurons, self.polytope
        moves = moves_to(neurons, z)
        outputs = neurons.signs * leaky_relu(neurons.groups @ z, neurons.negative_slope)
        lifted = z if self.problem.norm.has_bias else np.append(z, 1.0)
        slope = np.append(outputs, lifted @ self._free.lift) @ polytope.basis
        gains = np.array([move.gain(neurons, z) for move in moves])
        objective = np.append(slope, gains)
        objective[np.abs(objective) <= SAME_FUNCTION * np.abs(outputs).max(initial=0.0)] = 0.0
        if not objective.any():
            return self.center
        point, amounts = best_moves(polytope, moves, -sign * objective)
        return self._member(point, moves, amounts)
