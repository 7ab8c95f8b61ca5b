r"""Multipliers as plain records, for the files of certificates.

    [tree for the scores, tree for their negatives]
    tree:  {"sample": k, "above": tree, "below": tree}          where t_k >= 0, and where t_k <= 0
           {"curvature": c, "linear": theta, "credit": h, "ball": nu, "strip": nu2, "products": eta,
            "cuts": {"places": [[k, i, j, ...], ...], "shares": [[lam_i, lam_j, ...], ...], "mass": mu, "curvature": d},
            "implied": {"places": [[k, i, j, ...], ...], "shares": [[c_i, c_j, ...], ...], "signs": [s_k, ...]}}

in the notation of `cvxrelu.certificate.multipliers`: lists with a number for each place, for each cut, and a square
of numbers for the samples whose signs are known. A cut says abs(t_k) <= lam_i abs(t_i) + lam_j abs(t_j) + ... +
abs(e.u), with its first place on the left; a sign is implied by s_k z_k being about c_i s_i z_i + c_j s_j z_j + ...,
from signs that were split at. What is zero is left out.

The places are the distinct rows of X, sorted by their first entries, then by their second, and so on; a free bias takes
the middle of their bounding box off them, a joint one appends 1. Multipliers are in units of powers of two, in which
the largest entry of these rows, and that of the dual vector, is above 1/2 and at most 1. With a free bias, each row has
a last entry, the largest length of all rows, by which the bias is divided.

Several outputs have one tree of another kind instead, see `cvxrelu.certificate.norm_record`.

Every number in such a record is a multiplier, of which none that is not negative can prove anything false; one that is
negative counts as zero. So nothing is believed when it is read, and only its shape is checked.
"""

from collections.abc import Mapping
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cvxrelu.certificate.implied import Implied
from cvxrelu.certificate.trees import Cuts, Leaf, Split, Tree
from cvxrelu.errors import InputError
from cvxrelu.problem.validation import as_real, as_vector

__all__ = ["DEPTH_LIMIT", "implied_of", "is_place", "multipliers_of", "record_of_implied", "record_of_multipliers"]

DEPTH_LIMIT = 200
"""Splits on the way to a leaf: more than any proof of use has, and far fewer than calls of Python can be nested."""

Array = NDArray[np.float64]
Record = dict[str, Any]
SAMPLE, ABOVE, BELOW = "sample", "above", "below"


def record_of_multipliers(trees: tuple[Tree, Tree]) -> list[Record]:
    """Return the record of multipliers.

    Examples
    --------
    >>> leaf = Leaf(np.array([0.5, 0.0]), np.zeros(2), np.zeros(2), Cuts.none(2), 1.0, 0.0)
    >>> record_of_multipliers((leaf, leaf))[0]
    {'ball': 1.0, 'curvature': [0.5, 0.0]}
    """
    return [_record_of(tree) for tree in trees]


def _record_of(tree: Tree) -> Record:
    if isinstance(tree, Split):
        return {SAMPLE: int(tree.sample), ABOVE: _record_of(tree.above), BELOW: _record_of(tree.below)}
    record: Record = {name: float(getattr(tree, name)) for name in ("ball", "strip") if getattr(tree, name) > 0}
    for name in ("curvature", "linear", "credit", "products"):
        values = getattr(tree, name)
        if values.any():
            record[name] = values.tolist()
    if len(tree.cuts):
        record["cuts"] = _record_of_cuts(tree.cuts)
    if tree.implied:
        record["implied"] = record_of_implied(tree.implied)
    return record


def record_of_implied(implied: Implied) -> Record:
    """Return the record of implied signs."""
    return {
        "places": [[int(k), *map(int, shares)] for k, _, shares in implied],
        "shares": [[float(share) for share in shares.values()] for *_, shares in implied],
        "signs": [int(sign) for _, sign, _ in implied],
    }


def _record_of_cuts(cuts: Cuts) -> Record:
    """Return the record of cuts, each with its one positive entry first."""
    if not cuts.valid:
        raise InputError("A cut whose row does not have one positive entry, which is 1, cannot be written to a file.")
    places, shares = [], []
    for start, end in zip(cuts.rows.indptr[:-1], cuts.rows.indptr[1:], strict=True):
        entries = sorted(zip(cuts.rows.indices[start:end].tolist(), cuts.rows.data[start:end].tolist(), strict=True))
        (first,) = (place for place, value in entries if value > 0)
        others = [(place, -value) for place, value in entries if value < 0]
        places.append([first, *(place for place, _ in others)])
        shares.append([share for _, share in others])
    return {"places": places, "shares": shares, "mass": cuts.mass.tolist(), "curvature": cuts.curvature.tolist()}


def multipliers_of(record: object, n_places: int) -> tuple[Tree, Tree]:
    """Return the multipliers of a record.

    Parameters
    ----------
    record : list of two dict
        What `record_of_multipliers` returned, or anything else.
    n_places : int
        Number of distinct places of the data.

    Raises
    ------
    ValueError, TypeError
        If it is none; one sentence that goes on from "it is no certificate:".

    Examples
    --------
    >>> trees = multipliers_of([{"ball": 1.0}, {"sample": 1, "above": {}, "below": {"curvature": [1, 2]}}], 2)
    >>> trees[1].below.curvature
    array([1., 2.])
    >>> multipliers_of([{}], 2)
    Traceback (most recent call last):
        ...
    ValueError: its multipliers must be two trees, for the scores and for their negatives.
    """
    if not isinstance(record, list) or len(record) != 2:
        raise ValueError("its multipliers must be two trees, for the scores and for their negatives.")
    return _tree_of(record[0], n_places, ()), _tree_of(record[1], n_places, ())


def _tree_of(record: object, n_places: int, known: tuple[int, ...]) -> Tree:
    """Return the tree of a record below splits at known samples."""
    if not isinstance(record, Mapping):
        raise ValueError("a node of its multipliers is no record of entries with names.")
    if SAMPLE not in record:
        return _leaf_of(record, n_places, known)
    if set(record) != {SAMPLE, ABOVE, BELOW}:
        raise ValueError(f"a split of its multipliers must have the entries {SAMPLE}, {ABOVE} and {BELOW}.")
    sample = record[SAMPLE]
    if not is_place(sample, n_places) or sample in known:
        raise ValueError(f"its multipliers split at place {sample!r}, which is no other one of the {n_places} places.")
    if len(known) == DEPTH_LIMIT:
        raise ValueError(f"its multipliers are nested more than {DEPTH_LIMIT} splits deep.")
    known = (*known, sample)
    return Split(sample, _tree_of(record[ABOVE], n_places, known), _tree_of(record[BELOW], n_places, known))


def is_place(value: object, n_places: int) -> TypeGuard[int]:
    """Whether an entry of a record is the index of a place."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < n_places


def _leaf_of(record: Mapping[str, Any], n_places: int, split: tuple[int, ...]) -> Leaf:
    """Return the leaf of a record."""
    names = ("curvature", "linear", "credit", "ball", "strip", "products", "cuts", "implied")
    if not set(record) <= set(names):
        raise ValueError(f"a leaf of its multipliers has other entries than {', '.join(names)}.")
    curvature, linear, credit = (_numbers(record, name, n_places) for name in names[:3])
    ball, strip = (as_real(record.get(name, 0.0), f"{name} of a leaf") for name in ("ball", "strip"))
    implied = implied_of(record["implied"], n_places, split) if "implied" in record else ()
    n_known = len(split) + len(implied)
    products = np.zeros((n_known, n_known))
    if "products" in record:
        rows = record["products"]
        if not isinstance(rows, list) or len(rows) != n_known:
            raise ValueError("products of signs in its multipliers must be a square, one row for each known sign.")
        products = np.array([as_vector(row, n_known, "a row of products") for row in rows]).reshape(products.shape)
    cuts = _cuts_of(record["cuts"], n_places) if "cuts" in record else Cuts.none(n_places)
    return Leaf(curvature, linear, credit, cuts, ball, strip, products, implied)


def _numbers(record: Mapping[str, Any], name: str, length: int) -> Array:
    """Return an entry of a record as a vector, zero if it was left out."""
    return as_vector(record[name], length, f"{name} of a leaf") if name in record else np.zeros(length)


def _cuts_of(record: object, n_places: int) -> Cuts:
    """Return the cuts of a record; shares below zero count as zero."""
    record, combinations = _combinations_of(record, n_places, ("mass", "curvature"))
    columns = [place for places, _ in combinations for place in places]
    values = [value for _, shares in combinations for value in (1.0, *(-share for share in shares))]
    ends = np.cumsum([0, *(len(places) for places, _ in combinations)])
    rows = csr_array((np.array(values), np.array(columns, dtype=np.intp), ends), shape=(len(combinations), n_places))
    mass, curvature = (_numbers(record, name, len(combinations)) for name in ("mass", "curvature"))
    return Cuts(rows, mass, curvature)


def implied_of(record: object, n_places: int, split: tuple[int, ...]) -> Implied:
    """Return the implied signs of a record; shares below zero count as zero."""
    record, combinations = _combinations_of(record, n_places, ("signs",))
    signs = record["signs"]
    if not isinstance(signs, list) or len(signs) != len(combinations) or not all(sign in (1, -1) for sign in signs):
        raise ValueError("implied signs of its multipliers must be -1 or 1, one for each combination.")
    implied = [places[0] for places, _ in combinations]
    if len({*implied, *split}) != len(implied) + len(split):
        raise ValueError("a sign of its multipliers is implied twice, or where it is known.")
    if not all({*places[1:]} <= {*split} for places, _ in combinations):
        raise ValueError("a sign of its multipliers is implied by others than those it was split at.")
    return tuple(
        (places[0], float(sign), dict(zip(places[1:], shares, strict=True)))
        for sign, (places, shares) in zip(signs, combinations, strict=True)
    )


def _combinations_of(
    record: object, n_places: int, others: tuple[str, ...]
) -> tuple[Mapping[str, Any], list[tuple[list[int], list[float]]]]:
    """Return a record with lists of places and shares, and those lists, the shares not below zero."""
    if not isinstance(record, Mapping) or set(record) != {"places", "shares", *others}:
        raise ValueError(f"combinations in its multipliers must have the entries places, shares, {', '.join(others)}.")
    places, shares = record["places"], record["shares"]
    if not isinstance(places, list) or not isinstance(shares, list) or len(places) != len(shares):
        raise ValueError("combinations in its multipliers must have as many lists of places as of shares.")
    combinations: list[tuple[list[int], list[float]]] = []
    for row, values in zip(places, shares, strict=True):
        if not isinstance(row, list) or not all(is_place(place, n_places) for place in row):
            raise ValueError(f"a combination in its multipliers names another place than the {n_places} there are.")
        if not row or len(set(row)) != len(row):
            raise ValueError("a combination in its multipliers names no place, or one twice.")
        vector = as_vector(values, len(row) - 1, "shares of a combination")
        combinations.append((row, np.maximum(vector, 0.0).tolist()))
    return record, combinations
