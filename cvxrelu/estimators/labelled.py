"""What classifiers share: labels, the weights of classes, and the targets that networks are fitted to.

two classes        one network, labels -1 and +1
more, "softmax"    one network with an output for each class, labels 0, ..., K - 1
more, "ovr"        one network for each class against the rest
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import label_binarize
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from cvxrelu.certificate.certificate import Certificate
from cvxrelu.errors import InputError, Interrupted
from cvxrelu.estimators.base import Estimator, validated, weights_of
from cvxrelu.problem.network import Network
from cvxrelu.problem.validation import as_choice, as_jobs
from cvxrelu.runtime.parallel import results_of
from cvxrelu.solving.fit import Fit

__all__ = ["OF_SEVERAL", "Labelled"]

Array = NDArray[np.float64]

# Losses of two classes, and what they are for several in one network.
OF_SEVERAL = {"logistic": "softmax", "margin": "multiclass-margin"}


class Labelled(ClassifierMixin, Estimator):
    """Labels of any kind, and the networks that tell them apart."""

    loss: str
    class_weight: Any
    classes_: NDArray[Any]
    fits_: list[Fit]
    networks_: list[Network]
    certificates_: list[Certificate]

    # Whether one network is fitted to several classes; unless it is asked for, there is one for each against the rest.
    multi_class = "ovr"

    @property
    def _in_one(self) -> bool:
        """Whether one network has an output for each of several classes."""
        able = self.loss in OF_SEVERAL and self.output_sign == "any" and self.method in ("auto", "generate")
        one = self.multi_class == "softmax" and able
        return one and len(self.classes_) > 2

    def _targets(self, labels: NDArray[Any]) -> tuple[str, Array]:
        """Return the loss, and the targets of each network as rows."""
        if not self._in_one:
            return self.loss, self._signs(labels)
        places = np.minimum(np.searchsorted(self.classes_, labels), len(self.classes_) - 1)
        return OF_SEVERAL[self.loss], places.astype(float)[None]

    def _starts(self, count: int) -> Sequence[Network | None]:
        """Return the networks of the fit before where they are to be gone on from, for as many classes."""
        networks = getattr(self, "networks_", []) if self.warm_start else []
        return networks if len(networks) == count else [None] * count

    def _labelled(self, X: Any, y: Any, sample_weight: Any, losses: Sequence[str]) -> tuple[Array, NDArray[Any], Array]:
        """Return the data of a fit once it and the loss are checked, features in their units, and keep the classes."""
        inputs, labels = validated(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        as_choice(self.loss, losses, "loss")
        weights = weights_of(sample_weight, inputs)
        weights = np.ones(len(labels)) if weights is None else weights
        self.classes_ = np.unique(labels[weights != 0])
        if len(self.classes_) < 2:
            raise InputError(
                f"Classifier can't train when only one class is present; y holds only {self.classes_.tolist()[0]!r}."
            )
        return self._scaled(inputs, weights), labels, weights

    def _with_classes(self, weights: Array, labels: NDArray[Any]) -> Array:
        """Return sample weights times those of their classes."""
        counted, result = weights != 0, weights.copy()
        of_classes = compute_class_weight(
            self.class_weight, classes=self.classes_, y=labels[counted], sample_weight=weights[counted]
        )
        result[counted] *= of_classes[np.searchsorted(self.classes_, labels[counted])]
        for label, weight in zip(self.classes_.tolist(), of_classes, strict=True):
            if weight < 0:
                raise InputError(f"class_weight of class {label!r} is negative; weights are zero or more.")
            if not result[labels == label].any():
                raise InputError(
                    f"class_weight leaves class {label!r} no weight; leave its samples out, or give it some."
                )
        return result

    def _gather(self, tasks: Iterable[Any], count: int) -> Self:
        """Keep the fits of all classes; if interrupted, those there are, if there is one for each."""
        fits: list[Fit] = []
        try:
            for fit in results_of(tasks, as_jobs(self.n_jobs)):
                fits.append(fit)
            return self._keep(fits)
        except KeyboardInterrupt as interrupt:
            fits += getattr(interrupt, "fits", ())
            if len(fits) == count:
                self._keep(fits)
            raise Interrupted(
                f"Interrupted; .fits holds what was found for {len(fits)} of {count} networks.", tuple(fits)
            ) from None

    def _keep(self, fits: list[Fit]) -> Self:
        self.fits_ = fits
        self.networks_, self.scale_ = [self._given(fit) for fit in fits], self._units
        self.certificates_ = [fit.certificate for fit in fits]
        return self

    def _signs(self, labels: NDArray[Any]) -> Array:
        """Return the labels as -1 and 1, a row for each network."""
        signs = label_binarize(labels, classes=self.classes_, neg_label=-1, pos_label=1)
        # Labels without weight may be none of the classes, and then two classes have a column each.
        return np.asarray(signs[:, -1:] if len(self.classes_) == 2 else signs, dtype=float).T
