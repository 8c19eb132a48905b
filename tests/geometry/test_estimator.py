import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from unweave.geometry import Geomancer


# The checks' points lie on no manifold, and warnings of that are as they should be.
@pytest.mark.filterwarnings("ignore:no gap in the spectrum", "ignore:.*too few for a quadratic fit")
@pytest.mark.filterwarnings(
    "ignore:.*cannot be made diagonal together",
    "ignore:the neighbour graph falls into",
    "ignore:.* dimensions are flat",
    "ignore:the estimate of the dimension is",
    "ignore:nearest neighbours look like",
)
@parametrize_with_checks([Geomancer(random_state=0)])
def test_it_is_an_estimator(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)
