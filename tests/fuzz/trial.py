"""What became of a call: a result, a sentence, or findings."""

import re
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cvxrelu as cr

# The longest message.
LONGEST_MESSAGE = 900
# Warnings of other packages about themselves, and of scikit-learn about columns as targets.
ALLOWED_LEAKS = r"DeprecationWarning|FutureWarning|ConvergenceWarning|DataConversionWarning"


@dataclass
class Trial:
    """What became of one call.

    Attributes
    ----------
    findings : list of str
        Promises that were not kept.
    outcome : str
        What the call ended in: a status, "refused", ...
    late : float or None
        Seconds between the moment it was to stop and its end, if it was stopped.
    """

    findings: list[str] = field(default_factory=list)
    outcome: str = ""
    late: float | None = None

    def require(self, kept: object, finding: str) -> None:
        """Note a finding unless a promise was kept."""
        if not kept:
            self.findings.append(finding)

    def call(self, function: Callable[..., Any], *arguments: Any, allowed: Any = (), **options: Any) -> Any:
        """Return what a call returns, or None if it is refused as it should be; note every other end."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                return function(*arguments, **options)
            except cr.CvxReluError as error:
                message = str(error)
                self.outcome = type(error).__name__
                self.require(0 < len(message) < LONGEST_MESSAGE and "\n" not in message, f"no sentence: {message}")
            except cr.Interrupted as interrupt:
                self.outcome = "interrupted"
                return interrupt.fit
            except allowed:
                self.outcome = "refused"
            except Exception:
                self.outcome = "raised"
                self.findings.append(traceback.format_exc(limit=-6))
            finally:
                leaks = {f"{w.category.__name__}: {w.message}" for w in caught if w.category is not cr.AccuracyWarning}
                self.findings.extend(sorted(leak for leak in leaks if not re.search(ALLOWED_LEAKS, leak)))
        return None
