r"""Multipliers of several outputs as plain records, for the files of certificates.

    {"sample": k, "above": tree, "below": tree}                     where t_k >= 0, and where t_k <= 0
    {"direction": [p_1, ..., p_K], "above": tree, "below": tree}    where p.q >= 0, and where p.q <= 0
    {"pairs": [[i, k], ...], "amounts": [[M_p1, ..., M_pK], ...], "single": tau of places, "paired": tau of pairs,
     "numbers": [nu1, nu2, nu3], "products": eta of signs, "turns": eta of directions, "lifts": [f of -, f of +],
     "implied": as of one output}

in the notation of `cvxrelu.certificate.norm_multipliers`; f is a list with a row for each place, and of that a number
for each direction on the way to the leaf, in order. The last four are left out where they are zero. Units and places
are those of `cvxrelu.certificate.multiplier_record`, and nothing is believed here either.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.multiplier_record import DEPTH_LIMIT, implied_of, is_place, record_of_implied
from cvxrelu.certificate.norm_trees import Fork, Known, NormMultipliers, NormTree
from cvxrelu.problem.validation import as_vector

__all__ = ["norms_of", "record_of_norms"]

Array = NDArray[np.float64]
Record = dict[str, Any]

# Entries of a leaf that are always there, and those that may be left out.
ALWAYS, OFTEN = ("pairs", "amounts", "single", "paired", "numbers"), ("products", "turns", "lifts", "implied")
SAMPLE, DIRECTION = "sample", "direction"


def record_of_norms(tree: NormTree) -> Record:
    """Return the record of multipliers of several outputs.

    Examples
    --------
    >>> none = np.empty((0, 2))
    >>> leaf = NormMultipliers(none.astype(int), none, np.ones(1), np.empty(0), (1.0, 1.0, 0.0))
    >>> record_of_norms(leaf)
    {'pairs': [], 'amounts': [], 'single': [1.0], 'paired': [], 'numbers': [1.0, 1.0, 0.0]}
    >>> list(record_of_norms(Fork(0, leaf, leaf)))
    ['sample', 'above', 'below']
    """
    if isinstance(tree, Fork):
        where = {SAMPLE: tree.where} if isinstance(tree.where, int) else {DIRECTION: list(tree.where)}
        return {**where, "above": record_of_norms(tree.above), "below": record_of_norms(tree.below)}
    record = {name: getattr(tree, name).tolist() for name in ALWAYS[:-1]}
    record["numbers"] = list(tree.numbers or (0.0, 0.0, 0.0))
    record |= {name: getattr(tree, name).tolist() for name in OFTEN[:-1] if getattr(tree, name).any()}
    return record | ({"implied": record_of_implied(tree.implied)} if tree.implied else {})


def norms_of(record: object, n_places: int, n_outputs: int) -> NormTree:
    """Return the multipliers of a record of several outputs.

    Raises
    ------
    ValueError, TypeError
        If it is none; one sentence that goes on from "it is no certificate:".

    Examples
    --------
    >>> record = {"pairs": [[0, 1]], "amounts": [[0.5]], "single": [1, 1], "paired": [1], "numbers": [1, 1, 0]}
    >>> norms_of(record, 2, 1).numbers
    (1.0, 1.0, 0.0)
    >>> norms_of({"direction": [1], "above": record, "below": record}, 2, 1).where
    (1.0,)
    >>> norms_of({}, 2, 1)
    Traceback (most recent call last):
        ...
    ValueError: its multipliers must have the entries pairs, amounts, single, paired, numbers.
    """
    return _tree_of(record, n_places, n_outputs, Known.nothing())


def _tree_of(record: object, n_places: int, n_outputs: int, known: Known) -> NormTree:
    """Return the tree of a record below splits."""
    if not isinstance(record, Mapping):
        raise ValueError("a node of its multipliers is no record of entries with names.")
    name = next((name for name in (SAMPLE, DIRECTION) if name in record), None)
    if name is None:
        return _leaf_of(record, n_places, n_outputs, known)
    if set(record) != {name, "above", "below"}:
        raise ValueError(f"a split of its multipliers must have the entries {name}, above and below.")
    if len(known.signs) + len(known.directions) == DEPTH_LIMIT:
        raise ValueError(f"its multipliers are nested more than {DEPTH_LIMIT} splits deep.")
    where = record[name]
    if name == SAMPLE:
        if not is_place(where, n_places) or where in known.signs:
            raise ValueError(f"its multipliers split at place {where!r}, no other one of the {n_places} places.")
    else:
        where = tuple(as_vector(where, n_outputs, DIRECTION).tolist())
    above, below = (
        _tree_of(record[side], n_places, n_outputs, known.on(where, sign))
        for side, sign in (("above", 1.0), ("below", -1.0))
    )
    return Fork(where, above, below)


def _leaf_of(record: Mapping[str, Any], n_places: int, n_outputs: int, known: Known) -> NormMultipliers:
    """Return the leaf of a record."""
    if not {*ALWAYS} <= set(record) <= {*ALWAYS, *OFTEN}:
        raise ValueError(f"its multipliers must have the entries {', '.join(ALWAYS)}.")
    pairs, amounts = record["pairs"], record["amounts"]
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(is_place(place, n_places) for place in pair) for pair in pairs
    ):
        raise ValueError(f"pairs in its multipliers must be two of the {n_places} places each.")
    if not isinstance(amounts, list) or len(amounts) != len(pairs):
        raise ValueError("amounts in its multipliers must be rows, one for each pair.")
    rows = [as_vector(row, n_outputs, "a row of amounts") for row in amounts]
    single, paired = as_vector(record["single"], n_places, "single"), as_vector(record["paired"], len(pairs), "paired")
    nu1, nu2, nu3 = as_vector(record["numbers"], 3, "numbers").tolist()
    s, J = len(known.signs), len(known.directions)
    shapes = {"products": (s, s), "turns": (J, J), "lifts": (2, n_places, J)}
    arrays = {name: _array(record[name], shape, name) for name, shape in shapes.items() if name in record}
    implied = implied_of(record["implied"], n_places, tuple(known.signs)) if "implied" in record else ()
    places = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    amounts = np.array(rows).reshape(-1, n_outputs)
    return NormMultipliers(places, amounts, single, paired, (nu1, nu2, nu3), **arrays, implied=implied)


def _array(values: Any, shape: tuple[int, ...], name: str) -> Array:
    """Return nested lists as an array of a shape."""
    if len(shape) == 1:
        return as_vector(values, shape[0], name)
    if not isinstance(values, list) or len(values) != shape[0]:
        raise ValueError(f"{name} in its multipliers must be of shape {shape}.")
    return np.array([_array(row, shape[1:], name) for row in values]).reshape(shape)
