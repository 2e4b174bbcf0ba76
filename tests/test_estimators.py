"""The scikit-learn estimators: the same answers as scikit-learn's own, in its pipelines, from any labels and rows."""

import math
import pickle
import re
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from byhand.estimators import LinearClassifier, MLPClassifier

Array = NDArray[Any]


pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def data(name: str) -> tuple[Any, Array]:
    if name == "iris":
        return load_iris(return_X_y=True)
    if name == "digits":
        x, y = load_digits(return_X_y=True)
        return x / 16, y
    if name == "two classes":
        return make_classification(300, 12, n_informative=6, random_state=0)
    if name == "imbalance":
        return make_classification(600, 10, n_informative=6, n_classes=3, weights=[0.9, 0.07], random_state=1)
    if name == "scales":
        x, y = make_classification(400, 12, n_informative=8, n_classes=4, random_state=2)
        return x * np.geomspace(1e-3, 1e3, 12) + 50, y
    x, y = make_classification(400, 40, n_informative=20, n_classes=5, random_state=3)
    return sparse.csr_array(np.where(np.abs(x) > 1.5, x, 0)), y


NAMES = ["iris", "digits", "two classes", "imbalance", "scales", "sparse"]
SMALL: list[Any] = [
    LinearClassifier(max_iter=30, random_state=0),
    LinearClassifier("exact"),
    MLPClassifier(12, max_iter=60, random_state=0),
]
IDS = ["sgd", "exact", "mlp"]


# The optimum is LogisticRegression's.


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("C", [0.01, 1.0, pytest.param(30.0, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", NAMES)
def test_the_exact_solver_agrees_with_logistic_regression(name: str, C: float, weighted: bool) -> None:
    x, y = data(name)
    counts = np.random.default_rng(1).uniform(0.05, 4, len(y)) if weighted else None
    mine = LinearClassifier("exact", C=C).fit(x, y, counts)
    # the line search of newton-cg ends at rounding before it has done with columns so unequal
    solver = "newton-cholesky" if name == "scales" else "newton-cg"
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=100_000, solver=solver)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that rounding ends the search along its last lines
        theirs.fit(x, y, counts)
    assert mine.coef_.shape == theirs.coef_.shape
    assert mine.intercept_.shape == theirs.intercept_.shape
    assert mine.coef_ == pytest.approx(theirs.coef_, abs=1e-4 * np.abs(theirs.coef_).max())
    assert mine.intercept_ == pytest.approx(theirs.intercept_, abs=1e-4 * max(1.0, np.abs(theirs.intercept_).max()))
    assert mine.predict_proba(x) == pytest.approx(theirs.predict_proba(x), abs=1e-4)
    assert mine.decision_function(x) == pytest.approx(theirs.decision_function(x), rel=1e-3, abs=1e-3)
    assert mine.gap_ <= 1e-12


@pytest.mark.parametrize("name", ["two classes", "iris"])
def test_the_exact_gap_is_of_scikit_learns_objective(name: str) -> None:
    """C Σ loss + ½ ‖coef‖², divided by C · N."""
    x, y = data(name)
    best = LinearClassifier("exact", C=0.5).fit(x, y)
    rough = LinearClassifier("exact", C=0.5, tol=1e-3).fit(np.vstack([x] * 300), np.tile(y, 300))

    def objective(model: Any, C: float) -> float:
        return log_loss(y, model.predict_proba(x)) + (model.coef_**2).sum() / (2 * C * len(y))

    assert objective(best, 0.5) == pytest.approx(best.loss_curve_[-1], abs=1e-9)
    best = LinearClassifier("exact", C=150).fit(x, y)
    assert 0 <= objective(rough, 150) - objective(best, 150) <= rough.gap_ + 1e-9
    assert rough.n_iter_ == len(rough.loss_curve_) >= 1


def test_float32_rows_give_float32_coefficients_of_the_same_optimum() -> None:
    x, y = data("digits")
    double, single = (LinearClassifier("exact", C=0.1).fit(x.astype(kind), y) for kind in (np.float64, np.float32))
    assert (double.coef_.dtype, single.coef_.dtype) == (np.float64, np.float32)
    assert single.coef_ == pytest.approx(double.coef_, abs=1e-5)
    assert single.decision_function(x.astype(np.float32)).dtype == np.float32
    assert single.predict_proba(x.astype(np.float32)).dtype == np.float64


def test_a_gap_that_rounding_forbids_is_said() -> None:
    x, y = data("iris")
    with pytest.warns(ConvergenceWarning, match=r"within .* nats of its minimum, and rounding"):
        LinearClassifier("exact", C=1e3, tol=1e-60).fit(x, y)


# The loop comes to the same place.


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("name", ["iris", "two classes", pytest.param("sparse", marks=pytest.mark.full)])
def test_many_epochs_of_the_loop_come_near_the_exact_optimum(name: str, counted: bool) -> None:
    x, y = data(name)
    if name == "iris":  # as it comes, its longest direction is a thousand times as curved as its shortest
        x = StandardScaler().fit_transform(x)
    counts = np.random.default_rng(2).uniform(0.1, 2, len(y)) if counted else None
    exact = LinearClassifier("exact", C=0.1).fit(x, y, counts)
    loop = LinearClassifier(C=0.1, max_iter=1000, batch_size=len(y), random_state=0).fit(x, y, counts)
    assert loop.coef_ == pytest.approx(exact.coef_, abs=0.03 * np.abs(exact.coef_).max())
    assert loop.loss_curve_[-1] == pytest.approx(
        log_loss(y, exact.predict_proba(x), sample_weight=counts), rel=0.01, abs=1e-3
    )


@pytest.mark.parametrize("estimator", SMALL, ids=IDS)
def test_a_row_that_counts_twice_is_the_row_twice_and_one_of_0_is_none(estimator: Any) -> None:
    x, y = data("iris")
    x, y = x[::2], y[::2]  # 75 rows: one batch, also when each comes twice
    times = np.random.default_rng(3).integers(0, 4, len(y))
    weighted = clone(estimator).fit(x, y, sample_weight=times)
    repeated = clone(estimator).fit(x.repeat(times, axis=0), y.repeat(times))
    assert weighted.predict_proba(x) == pytest.approx(repeated.predict_proba(x), rel=1e-6, abs=1e-9)
    scaled = clone(estimator).fit(x, y, sample_weight=7.0)
    assert scaled.score(x, y) > 0.8


@pytest.mark.parametrize("estimator", SMALL, ids=IDS)
def test_the_loss_curve_ends_at_the_loss_of_what_is_predicted(estimator: Any) -> None:
    x, y = data("digits")
    model = clone(estimator).fit(x, y)
    curve = model.loss_curve_
    assert len(curve) == model.n_iter_
    assert curve[-1] < curve[0]
    penalty = (model.coef_**2).sum() / (2 * len(y)) if model.get_params().get("solver") == "exact" else 0
    assert curve[-1] == pytest.approx(log_loss(y, model.predict_proba(x)) + penalty, rel=1e-6)


def test_the_penalty_of_the_mlp_shrinks_its_weights_and_leaves_the_biases() -> None:
    x, y = data("iris")
    free, held = (MLPClassifier(8, alpha=alpha, random_state=0, max_iter=100).fit(x, y) for alpha in (0.0, 0.3))
    norms = [sum(float((w**2).sum()) for w in model.coefs_) for model in (free, held)]
    assert norms[1] < 0.5 * norms[0]
    assert [w.shape for w in free.coefs_] == [(4, 8), (8, 3)]
    assert [b.shape for b in free.intercepts_] == [(8,), (3,)]


def test_a_hidden_layer_learns_what_a_linear_one_cannot() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    assert LinearClassifier("exact").fit(x, y).score(x, y) < 0.7
    model = MLPClassifier((16,), random_state=0, batch_size=32).fit(x, y)
    assert model.score(x, y) > 0.9
    ahead = model.decision_function(x)
    assert ahead.shape == (400,)
    assert model.predict_proba(x)[:, 1] == pytest.approx(1 / (1 + np.exp(-ahead)), abs=1e-12)


# What comes in, and what goes out.


@pytest.mark.parametrize("estimator", SMALL, ids=IDS)
@pytest.mark.parametrize(
    "names",
    [["setosa", "versicolor", "virginica"], [-7, 0, 3], [0.0, 1.0, 2.0]],
    ids=["strings", "negative", "floats"],
)
def test_any_labels_come_back_as_they_were(estimator: Any, names: list[Any]) -> None:
    x, y = data("iris")
    for kind in (None, object) if isinstance(names[0], str) else (None,):
        labels = np.array(names, dtype=kind)[y]
        model = clone(estimator).fit(x, labels)
        assert list(model.classes_) == sorted(names)
        assert model.predict(x).dtype == labels.dtype
        assert (model.predict(x) == labels).mean() > 0.8


@pytest.mark.parametrize("estimator", SMALL, ids=IDS)
def test_data_frames_bring_their_names_and_others_are_refused(estimator: Any) -> None:
    x, y = data("iris")
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    frame = pd.DataFrame(x, columns=names)
    model = clone(estimator).fit(frame, pd.Series(y, dtype="category"))
    assert list(model.feature_names_in_) == names
    assert model.n_features_in_ == 4
    assert (model.predict(frame) == y).mean() > 0.8
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[names[::-1]])


@pytest.mark.parametrize("solver", ["sgd", "exact"])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_rows_are_the_dense_ones(solver: str, kind: Any) -> None:
    x, y = data("sparse")
    dense, thin = x.toarray(), kind(x)
    counts = np.random.default_rng(4).uniform(0.2, 2, len(y))
    given = {"learning_rate_init": 0.1, "batch_size": 512, "max_iter": 20, "random_state": 0}
    mine, reference = (LinearClassifier(solver, **given).fit(rows, y, counts) for rows in (thin, dense))
    assert mine.coef_ == pytest.approx(reference.coef_, rel=1e-6, abs=1e-8)
    assert mine.predict_proba(thin) == pytest.approx(mine.predict_proba(dense), rel=1e-12)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        MLPClassifier().fit(thin, y)


@pytest.mark.parametrize("solver", ["sgd", "exact"])
def test_a_sparse_matrix_that_would_not_fit_into_memory_is_learnt_and_predicted(solver: str) -> None:
    """300,000 rows of 30,000 columns would take 72 GB."""
    rng = np.random.default_rng(5)
    rows, columns = 300_000, 30_000
    y = rng.integers(0, 2, 400)
    own = sparse.csr_array(
        (np.ones(800), (np.repeat(np.arange(400), 2), np.c_[y, 2 + rng.integers(0, 50, 400)].ravel()))
    )
    own.resize(400, columns)
    model = LinearClassifier(solver, max_iter=3, batch_size=100).fit(own, y)
    assert model.score(own, y) == 1.0
    tall = sparse.csr_array(([1.0], ([7], [0])), shape=(rows, columns))
    assert model.predict(tall).shape == (rows,)


def test_integers_are_numbers_and_not_pixels() -> None:
    x, y = load_digits(return_X_y=True)
    whole, real = (LinearClassifier(max_iter=3, random_state=0).fit(x.astype(k), y) for k in (np.uint8, np.float64))
    assert np.array_equal(whole.coef_, real.coef_)


def test_rows_and_weights_are_left_as_they_are(tmp_path: Path) -> None:
    x, y = data("digits")
    np.save(tmp_path / "x.npy", x)
    mapped, counts = np.load(tmp_path / "x.npy", mmap_mode="r"), np.linspace(0.5, 2, len(y))
    for estimator in SMALL:
        model = clone(estimator).fit(mapped, y, counts)
        model.predict_proba(mapped)
    assert np.array_equal(mapped, x)
    assert np.array_equal(counts, np.linspace(0.5, 2, len(y)))


# In scikit-learn's tools.


@pytest.mark.parametrize("estimator", SMALL, ids=IDS)
def test_pipelines_scores_clones_and_pickles(estimator: Any, tmp_path: Path) -> None:
    x, y = data("iris")
    pipe = make_pipeline(StandardScaler(), clone(estimator))
    assert cross_val_score(pipe, x, y, cv=3).mean() > 0.8
    pipe.fit(x, y)
    probs = pipe.predict_proba(x)
    assert np.array_equal(pickle.loads(pickle.dumps(pipe)).predict_proba(x), probs)  # noqa: S301
    joblib.dump(pipe, tmp_path / "model.joblib")
    for mode in (None, "r"):
        assert np.array_equal(joblib.load(tmp_path / "model.joblib", mmap_mode=mode).predict_proba(x), probs)
    with pytest.raises(NotFittedError):
        clone(pipe[-1]).predict(x)
    assert np.array_equal(clone(pipe).fit(x, y).predict_proba(x), probs)
    assert repr(estimator).startswith(type(estimator).__name__)


@pytest.mark.full
def test_a_grid_search_in_two_processes_finds_what_one_finds() -> None:
    x, y = data("digits")
    x, y = x[:400], y[:400]
    grids = [
        (LinearClassifier("exact"), {"C": [1e-3, 1.0]}),
        (LinearClassifier(max_iter=20, random_state=0), {"C": [1e-3, 10.0]}),
        (MLPClassifier(max_iter=20, random_state=0), {"hidden_layer_sizes": [(4,), (32,)]}),
    ]
    for estimator, grid in grids:
        alone, together = (GridSearchCV(estimator, grid, cv=3, n_jobs=jobs).fit(x, y) for jobs in (1, 2))
        assert together.best_params_ == alone.best_params_
        assert together.cv_results_["mean_test_score"] == pytest.approx(alone.cv_results_["mean_test_score"], abs=0.01)
        assert together.score(x, y) > 0.9


def test_a_random_state_decides_and_the_global_ones_stay_as_they_are() -> None:
    x, y = data("digits")
    before, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for kind in (LinearClassifier, MLPClassifier):
        same = [kind(max_iter=2, random_state=state).fit(x, y).predict_proba(x) for state in (1, 1, 2)]
        assert np.array_equal(same[0], same[1])
        assert not np.array_equal(same[0], same[2])
    LinearClassifier("exact").fit(x, y)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002


def test_scikit_learn_is_imported_for_it_only() -> None:
    code = "import byhand, sys; byhand.Learner; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_verbose_shows_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = data("iris")
    LinearClassifier(max_iter=2, verbose=True).fit(x, y)
    assert "train_loss" in capsys.readouterr().out
    LinearClassifier(max_iter=2).fit(x, y)
    assert capsys.readouterr().out == ""


# A stream.


@pytest.mark.parametrize("estimator", [LinearClassifier(random_state=0), MLPClassifier(32, random_state=0)])
def test_a_stream_is_learnt_part_by_part(estimator: Any) -> None:
    x, y = data("digits")
    model = clone(estimator)
    for _ in range(6):
        for start in range(0, len(y), 300):
            model.partial_fit(x[start : start + 300], y[start : start + 300], classes=range(10))
    assert model.score(x, y) > 0.9
    assert model.n_iter_ == len(model.loss_curve_) == 36
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    for one in (model, again):
        one.partial_fit(x[:300], y[:300])
    assert np.array_equal(model.predict_proba(x), again.predict_proba(x))


def test_a_stream_of_two_classes_and_of_weights_goes_on_where_it_was() -> None:
    x, y = data("two classes")
    whole = LinearClassifier(max_iter=1, learning_rate_init=0.1, batch_size=300, C=1e6).fit(x, y)
    part = LinearClassifier(learning_rate_init=0.1, batch_size=300, C=1e6).partial_fit(x, y, classes=[0, 1])
    assert part.coef_ == pytest.approx(whole.coef_, rel=1e-9)  # from zero, one step over all rows
    part.partial_fit(x, y, sample_weight=np.where(y == 1, 1.0, 0.0))
    assert part.intercept_ > whole.intercept_
    assert part.coef_.shape == (1, 12)
    fitted = LinearClassifier(random_state=0).fit(x, y)
    before = fitted.score(x, y)
    assert fitted.partial_fit(x, y).score(x, y) == pytest.approx(before, abs=0.05)


def test_what_a_stream_may_not_do() -> None:
    x, y = data("iris")
    with pytest.raises(ValueError, match="first call of partial_fit needs classes"):
        LinearClassifier().partial_fit(x, y)
    model = LinearClassifier().partial_fit(x, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"the label .*7.* is none of the classes"):
        model.partial_fit(x[:2], [0, 7])
    with pytest.raises(ValueError, match="they cannot change"):
        model.partial_fit(x, y, classes=[0, 1])
    with pytest.raises(ValueError, match="at least 2 classes"):
        LinearClassifier().partial_fit(x[:50], y[:50], classes=[0])
    assert not hasattr(LinearClassifier("exact"), "partial_fit")


# What is refused, in one line.


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (LinearClassifier("lbfgs"), 'solver of LinearClassifier is \'lbfgs\'; give "sgd" or "exact"'),
        (LinearClassifier(C=0), "C of LinearClassifier is 0; give a finite number above 0"),
        (LinearClassifier(C=math.nan), "C of LinearClassifier is nan"),
        (LinearClassifier(C="1"), "C of LinearClassifier is '1'"),
        (LinearClassifier("exact", tol=-1), "tol of LinearClassifier is -1; give a finite number above 0"),
        (
            LinearClassifier(max_iter=0),
            'max_iter of LinearClassifier is 0; give a whole number of at least 1 or "auto"',
        ),
        (LinearClassifier(batch_size=2.5), "batch_size of LinearClassifier is 2.5"),
        (LinearClassifier(learning_rate_init=0), "learning_rate_init of LinearClassifier is 0"),
        (MLPClassifier(True), "hidden_layer_sizes of MLPClassifier is True"),
        (MLPClassifier((3, 0)), "give whole numbers of at least 1, as in (30,)"),
        (MLPClassifier("many"), "hidden_layer_sizes of MLPClassifier is 'many'"),
        (MLPClassifier(alpha=-1e-9), "alpha of MLPClassifier is -1e-09; give a finite number of at least 0"),
    ],
)
def test_a_parameter_that_is_none_is_refused_when_fitting(estimator: Any, says: str) -> None:
    x, y = data("iris")
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        estimator.fit(x, y)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        (np.ones(3), "sample_weight has the shape (3,); give one number for each of the 150 rows"),
        (np.ones((150, 1)), "sample_weight has the shape (150, 1)"),
        (np.arange(150) - 1.0, "sample_weight is -1 in row 0; a row cannot count less than 0"),
        (0.0, "sample_weight is zero in every row"),
        (np.full(150, np.nan), "contains NaN"),
    ],
)
def test_weights_that_are_none_are_refused(weight: Any, says: str) -> None:
    x, y = data("iris")
    with pytest.raises(ValueError, match=re.escape(says)):
        LinearClassifier().fit(x, y, sample_weight=weight)


def test_one_class_alone_is_refused() -> None:
    x, y = data("iris")
    for estimator in SMALL:
        with pytest.raises(ValueError, match="one class alone"):
            clone(estimator).fit(x, np.zeros(150))
        with pytest.raises(ValueError, match="one class alone"):
            clone(estimator).fit(x, y, sample_weight=y == 1)
