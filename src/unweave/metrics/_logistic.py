"""Logistic regression: the optimum and the steps of scikit-learn's, from compiled terms.

The objective is that of `sklearn.linear_model.LogisticRegression`, and L-BFGS of SciPy gets the
same start, order of parameters and criteria to stop. Both take the same steps, to rounding, also
where the limit on steps ends a fit before its optimum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unweave._compiled import njit

__all__ = ["LogisticRegression", "objective"]

_STEPS = 100
_GRADIENT = 1e-4  # largest entry of the gradient of the mean loss at which a fit ends
_DECREASE = 64 * np.finfo(np.float64).eps  # relative decrease of the loss at which it ends
_LOG2_E = 1.4426950408889634
# The first has so few digits that its multiples up to a thousand are exact.
_LN2_HIGH, _LN2_LOW = (
    0.693147180369123816490,
    1.90821492927058770002e-10,
)  # n times the first: exact
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to a whole number, in the lowest bits
_ROWS = 4_096  # whose products are taken at a time
_BLOCK = 64  # rows whose exponentials are
_MOST_ROWS = 32_768  # whose logits are computed at a time, as probabilities take several copies
_TINY = 1e-30  # residuals in single precision below it are 0: products with denormals are slow
_LEAST = -700.0  # exponents below which exp is 0 for our purposes


@dataclass(frozen=True)
class LogisticRegression:
    """A fitted regression of classes on codes: multinomial, or binomial if there are two."""

    classes: np.ndarray
    """(classes,) sorted."""
    coefficients: np.ndarray
    """(classes, latents), or (1, latents) of the second of two classes."""
    intercepts: np.ndarray
    """(classes,), or (1,)."""

    @classmethod
    def fit(
        cls, codes: Any, labels: np.ndarray, *, penalty: float = 1.0, balanced: bool = False
    ) -> LogisticRegression:
        """Fit ``labels`` (rows,) of at least two classes to ``codes`` (rows, latents).

        Parameters
        ----------
        codes
            An array of floats, whose precision products are taken in, or a sparse matrix.
        penalty
            Times half the squared coefficients, in the sum of the losses of all rows. It is the
            inverse of scikit-learn's C.
        balanced
            Whether rows are weighted by the inverse of how often their class occurs.
        """
        from scipy.optimize import minimize

        classes, own = np.unique(labels, return_inverse=True)
        weights = np.ones(len(own))
        if balanced:
            weights = len(own) / (len(classes) * np.bincount(own)[own])
        n_latents, n_outputs = codes.shape[1], 1 if len(classes) == 2 else len(classes)
        found = minimize(
            objective,
            np.zeros((n_latents + 1) * n_outputs),
            args=(_parts(codes), own, weights, penalty / weights.sum()),
            method="L-BFGS-B",
            jac=True,
            options={"maxiter": _STEPS, "maxls": 50, "gtol": _GRADIENT, "ftol": _DECREASE},
        )
        parameters = found.x.reshape(n_latents + 1, n_outputs)
        return cls(classes, parameters[:-1].T, parameters[-1])

    def decisions(self, codes: Any) -> np.ndarray:
        """Logits (rows, classes), or (rows, 1) of the second of two classes."""
        return np.asarray(codes @ self.coefficients.T + self.intercepts)

    def probabilities(self, codes: Any) -> np.ndarray:
        """Probability (rows, classes) of each class, in [0, 1]."""
        found = np.empty((codes.shape[0], len(self.classes)))
        for rows, own in self._in_pieces(codes):
            found[rows] = own
        return found

    def likelihoods(self, codes: Any, labels: np.ndarray) -> np.ndarray:
        """Probability (rows,) of the class of each row, which ``labels`` count from 0 on."""
        found = np.empty(codes.shape[0])
        for rows, own in self._in_pieces(codes):
            found[rows] = own[np.arange(len(own)), labels[rows]]
        return found

    def _logits_in_pieces(self, codes: Any) -> Iterator[tuple[slice, np.ndarray]]:
        """Some rows after the others, and their logits, as of :meth:`decisions`."""
        for start in range(0, codes.shape[0], _MOST_ROWS):
            rows = slice(start, start + _MOST_ROWS)
            yield rows, self.decisions(codes[rows])

    def _in_pieces(self, codes: Any) -> Iterator[tuple[slice, np.ndarray]]:
        """Some rows after the others, and their probabilities (rows, classes)."""
        from scipy.special import expit, softmax

        for rows, logits in self._logits_in_pieces(codes):
            if len(self.classes) > 2:
                yield rows, softmax(logits, axis=1)
            else:
                second = expit(logits)
                yield rows, np.concatenate([1 - second, second], axis=1)

    def predict(self, codes: Any) -> np.ndarray:
        """Class (rows,) of the largest probability."""
        best = np.empty(codes.shape[0], dtype=np.intp)
        for rows, logits in self._logits_in_pieces(codes):
            best[rows] = logits.argmax(axis=1) if len(self.classes) > 2 else logits[:, 0] > 0
        return self.classes[best]


def objective(
    parameters: np.ndarray,
    parts: Sequence[Any],
    labels: np.ndarray,
    weights: np.ndarray,
    ridge: float,
) -> tuple[float, np.ndarray]:
    """Mean loss in nats plus ``ridge`` / 2 times the squared coefficients, and its gradient.

    Parameters
    ----------
    parameters
        Those of one latent after the other, and last the intercepts, each for all classes; of two
        classes, the second has them.
    parts
        Codes (rows, latents), some rows after the others.
    labels, weights
        Class, from 0 on, and weight (rows,) of each row.
    ridge
        The penalty over the sum of weights.
    """
    matrix = parameters.reshape(parts[0].shape[1] + 1, -1)
    coefficients, intercepts = matrix[:-1], matrix[-1]
    factors = coefficients.astype(parts[0].dtype, copy=False)
    gradient, sums, loss, start = np.zeros_like(matrix), np.empty_like(intercepts), 0.0, 0
    for codes in parts:
        rows = slice(start, start + codes.shape[0])
        logits = np.ascontiguousarray(codes @ factors)
        loss += _loss_and_residuals(logits, intercepts, labels[rows], weights[rows], sums)
        gradient[:-1] += codes.T @ logits
        gradient[-1] += sums
        start = rows.stop
    gradient /= weights.sum()
    gradient[:-1] += ridge * coefficients
    loss = loss / weights.sum() + 0.5 * ridge * float((coefficients * coefficients).sum())
    return loss, gradient.ravel()


def _parts(codes: Any) -> list[Any]:
    """``codes`` (rows, latents) in pieces whose logits stay in the processor's cache."""
    pieces = [codes[start : start + _ROWS] for start in range(0, codes.shape[0], _ROWS)]
    # Products with few columns are fast in columns.
    return [np.asfortranarray(p) if isinstance(p, np.ndarray) else p for p in pieces]


# Sums and maxima over classes may take any order, so that they become vectors.
@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "nnan", "nsz", "contract"})
def _loss_and_residuals(logits, intercepts, labels, weights, sums):  # pragma: no cover - compiled
    """Weighted loss in nats; ``logits`` (rows, classes) become its derivatives by them.

    ``sums`` (classes,) becomes the sums of the derivatives.
    """
    n, n_classes = logits.shape
    sums[:] = 0
    loss = 0.0
    if n_classes == 1:
        for i in range(n):
            z = np.float64(logits[i, 0]) + intercepts[0]
            away = np.exp(-abs(z))
            chance = (1.0 if z >= 0 else away) / (1 + away)
            loss += weights[i] * (max(z, 0.0) + np.log1p(away) - labels[i] * z)
            residual = weights[i] * (chance - labels[i])
            logits[i, 0] = residual
            sums[0] += residual
        return loss
    least = _TINY if logits.itemsize == 4 else 0.0
    block = np.empty((min(n, _BLOCK), n_classes))
    for start in range(0, n, _BLOCK):
        own = logits[start : start + _BLOCK]
        terms = block[: len(own)]
        for i in range(len(own)):
            top = -np.inf
            for k in range(n_classes):
                terms[i, k] = own[i, k] + intercepts[k]
                top = terms[i, k] if terms[i, k] > top else top
            loss -= weights[start + i] * (terms[i, labels[start + i]] - top)
            for k in range(n_classes):
                terms[i, k] -= top
        _exponentials(terms.ravel())
        for i in range(len(own)):
            total = 0.0
            for k in range(n_classes):
                total += terms[i, k]
            loss += weights[start + i] * np.log(total)
            scale = weights[start + i] / total
            terms[i, labels[start + i]] -= total
            for k in range(n_classes):
                residual = terms[i, k] * scale
                own[i, k] = residual if abs(residual) >= least else 0.0
                sums[k] += residual
    return loss


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _exponentials(terms):  # pragma: no cover - compiled
    """Exponentials of ``terms``, at most 0, in place, by arithmetic that becomes vectors.

    A power of two, whose exponent is written into the bits of a float, times Taylor's polynomial
    on [-ln 2 / 2, ln 2 / 2], within two units in the last place.
    """
    powers = np.empty(len(terms))
    bits = powers.view(np.int64)
    for k in range(len(terms)):
        x = terms[k] if terms[k] > _LEAST else _LEAST
        shifted = x * _LOG2_E + _ROUND
        powers[k] = shifted
        n = shifted - _ROUND
        r = (x - n * _LN2_HIGH) - n * _LN2_LOW
        p = 1 / 6227020800.0
        p = p * r + 1 / 479001600.0
        p = p * r + 1 / 39916800.0
        p = p * r + 1 / 3628800.0
        p = p * r + 1 / 362880.0
        p = p * r + 1 / 40320.0
        p = p * r + 1 / 5040.0
        p = p * r + 1 / 720.0
        p = p * r + 1 / 120.0
        p = p * r + 1 / 24.0
        p = p * r + 1 / 6.0
        p = p * r + 0.5
        p = p * r + 1.0
        terms[k] = p * r + 1.0
    for k in range(len(terms)):
        bits[k] = (bits[k] + 1023) << 52
    for k in range(len(terms)):
        terms[k] *= powers[k]
