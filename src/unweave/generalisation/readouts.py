"""Read-outs: regressions from codes (n, latents) to the columns of targets (n, columns)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unweave._check import check_choice
from unweave.metrics._predictors import scikit_learn_seed

__all__ = ["READOUTS", "chosen_readouts", "fitted"]

READOUTS = {
    "ridge": "linear, with a ridge penalty that leave-one-out error chooses for each column",
    "mlp": "a hidden layer of 128 rectified linear units, stopped early on a tenth of its rows",
    "trees": "gradient boosted trees, for each column; constant beyond the values that were learnt",
}
"""By name, what each is; all of scikit-learn, on standardised codes."""


def chosen_readouts(readouts: Sequence[str] | Mapping[str, Any], *, seed: int) -> dict[str, Any]:
    """Estimators by name, of names or of estimators of one's own.

    Raises
    ------
    ValueError
        If there are none, a name is unknown, or an estimator cannot fit and predict.
    """
    if isinstance(readouts, str):
        readouts = [readouts]
    if not readouts:
        raise ValueError(f"no read-out is named: choose from {', '.join(READOUTS)}")
    if not isinstance(readouts, Mapping):
        return {name: _estimator(check_choice("read-out", name, READOUTS), seed)
                for name in readouts}  # fmt: skip
    for name, estimator in readouts.items():
        if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
            raise ValueError(
                f"the read-out {name} is {type(estimator).__name__}, and an estimator with fit and "
                "predict was needed, as a regressor of scikit-learn"
            )
    return dict(readouts)


def _estimator(name: str, seed: int) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "ridge":
        regressor: Any = RidgeCV(np.logspace(-4, 6, 11), alpha_per_target=True)
    elif name == "mlp":
        network = MLPRegressor(
            hidden_layer_sizes=(128,),
            early_stopping=True,
            max_iter=300,
            random_state=scikit_learn_seed(seed),
        )
        regressor = TransformedTargetRegressor(network, transformer=StandardScaler())
    else:
        trees = HistGradientBoostingRegressor(
            early_stopping=False, random_state=scikit_learn_seed(seed)
        )
        regressor = MultiOutputRegressor(trees)
    return make_pipeline(StandardScaler(), regressor)


def fitted(estimator: Any, codes: np.ndarray, columns: np.ndarray) -> Any:
    """A copy of the estimator, fitted.

    Columns of one value in all rows are left to it too: regressions predict that value.
    """
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

    with warnings.catch_warnings():
        # A network that could be trained longer is a read-out as it is.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DataConversionWarning)  # of targets that are one column
        return clone(estimator).fit(codes, columns)
