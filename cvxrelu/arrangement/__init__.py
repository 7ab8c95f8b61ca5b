"""All sign patterns of a point set by hyperplanes: enumerate, count, sample; facets, witnesses of cells."""

from cvxrelu.arrangement.bounding import bounding_rows
from cvxrelu.arrangement.counting import count_patterns
from cvxrelu.arrangement.enumeration import enumerate_patterns
from cvxrelu.arrangement.packing import unpack_patterns
from cvxrelu.arrangement.parallel_rows import ParallelClasses, parallel_classes
from cvxrelu.arrangement.patterns import Arrangement
from cvxrelu.arrangement.sampling import sample_patterns

__all__ = [
    "Arrangement",
    "ParallelClasses",
    "bounding_rows",
    "count_patterns",
    "enumerate_patterns",
    "parallel_classes",
    "sample_patterns",
    "unpack_patterns",
]
