"""Every check that scikit-learn generates for a classifier, none of them expected to fail."""

import os
import subprocess
import sys
from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from byhand.estimators import LinearClassifier, MLPClassifier

pytestmark = pytest.mark.usefixtures("one_thread")


QUICK = [
    LinearClassifier(max_iter=60),
    LinearClassifier("exact"),
    MLPClassifier(8, max_iter=40),
]
LONG = [
    LinearClassifier(),
    LinearClassifier(learning_rate_init=0.1, batch_size=64, C=0.1, max_iter=30),
    LinearClassifier("exact", C=1e-3, tol=1e-6),
    LinearClassifier("exact", C=1e3),
    MLPClassifier(),
    MLPClassifier((12, 6), alpha=0.01, learning_rate_init=0.5, max_iter=100),
]


def checks(estimators: list[Any], *marks: Any) -> list[Any]:
    return [
        pytest.param(one, check, id=f"{estimator}-{check.func.__name__}-{number}", marks=marks)
        for estimator in estimators
        for number, (one, check) in enumerate(estimator_checks_generator(estimator))
    ]


@pytest.mark.parametrize(("estimator", "check"), [*checks(QUICK), *checks(LONG, pytest.mark.full)])
def test_scikit_learns_own_check(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_check_that_needs_scipys_array_api() -> None:
    """SciPy decides at its import, so scikit-learn skips this one above; here it runs in a process of its own."""
    code = """
from sklearn.utils.estimator_checks import estimator_checks_generator
from byhand.estimators import LinearClassifier, MLPClassifier
for estimator in (LinearClassifier(max_iter=5), LinearClassifier("exact"), MLPClassifier(4, max_iter=5)):
    found = [check for _, check in estimator_checks_generator(estimator) if "array_api" in check.func.__name__]
    for check in found:
        check(estimator)
    print(len(found))
"""
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["1", "1", "1"]
