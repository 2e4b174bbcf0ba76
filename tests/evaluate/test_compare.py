"""Comparison of real runs: counts, p-values and intervals against independent ones, and words that fit them."""

import json
import os
import shutil
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from numpy.typing import NDArray
from scipy import stats

from byhand.data.load import load
from byhand.errors import DataError, UsageError
from byhand.evaluate.compare import Comparison, Pair, _one, _verdict, compare
from byhand.evaluate.statistics import Difference, Proportion, wilson

Train = Callable[..., Path]


@pytest.fixture
def runs(trained: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Copies of the runs, in the working directory, under their names."""
    monkeypatch.chdir(tmp_path)
    for kind, folder in trained.items():
        shutil.copytree(folder, kind)
    return list(trained)


@pytest.fixture(scope="session")
def weak(train_run: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has seen one epoch only."""
    place = tmp_path_factory.mktemp("weak")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYHAND_HOME", str(place / "home"))
        return train_run(place / "weak", epochs=1)


def hits(run: str | Path) -> NDArray[np.bool_]:
    """(N,) what a linear run names right, by NumPy alone."""
    tensors = safetensors.torch.load_file(Path(run) / "model.safetensors")
    weight, bias = tensors["0.weight"].double().numpy(), tensors["0.bias"].double().numpy()
    test = load("digits").test
    return (test.images.reshape(359, -1) / 255 @ weight.T + bias).argmax(axis=1) == test.labels


def test_two_runs_differ_by_their_discordant_images(runs: list[str], weak: Path) -> None:
    shutil.copytree(weak, "weak")
    found = compare(["weak", "linear"])
    first, second = hits("weak"), hits("linear")
    (pair,) = found.pairs
    assert (pair.first, pair.second) == ("weak", "linear")
    assert pair.first_only == (first & ~second).sum()
    assert pair.second_only == (second & ~first).sum()
    expected = stats.binomtest(int(pair.second_only), int(pair.first_only + pair.second_only)).pvalue
    assert pair.p_value == pytest.approx(expected, rel=1e-9, abs=0)
    assert pair.difference.value == pytest.approx(second.mean() - first.mean(), abs=1e-12)
    data = (second.astype(float) - first.astype(float),)
    drawn = stats.bootstrap(data, np.mean, method="percentile", n_resamples=5000, rng=np.random.default_rng(1))
    low, high = drawn.confidence_interval
    assert (pair.difference.low, pair.difference.high) == pytest.approx((low, high), abs=0.01)
    assert pair.real
    assert found.accuracies == {"weak": wilson(int(first.sum()), 359), "linear": wilson(int(second.sum()), 359)}
    assert found.groups == ()  # they differ in their epochs
    assert found.verdict.startswith("linear is better, by ")


def test_the_order_of_the_runs_turns_the_sign_and_nothing_else(runs: list[str], weak: Path) -> None:
    shutil.copytree(weak, "weak")
    one, other = compare(["weak", "linear"]), compare(["linear", "weak"])
    a, b = one.pairs[0], other.pairs[0]
    assert a.difference.value == -b.difference.value
    assert (a.difference.low, a.difference.high) == pytest.approx((-b.difference.high, -b.difference.low), abs=0.006)
    assert (a.first_only, a.second_only) == (b.second_only, b.first_only)
    assert (a.p_value, a.real) == (b.p_value, b.real)
    assert one.accuracies == other.accuracies
    said = [found.verdict.split(" points")[0] for found in (one, other)]
    assert said[0] == said[1] == f"linear is better, by {100 * a.difference.value:.1f}"
    assert "−" not in one.verdict + other.verdict  # by so many points, whichever was named first


def test_runs_that_differ_in_their_seeds_alone_are_summed_up(runs: list[str]) -> None:
    found = compare(["linear", "seed"])
    (group,) = found.groups
    values = [hits(run).mean() for run in ("linear", "seed")]
    assert group.runs == ("linear", "seed")
    assert (group.accuracy.mean, group.accuracy.n) == (pytest.approx(np.mean(values), abs=1e-12), 2)
    assert group.accuracy.sd == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert f"They differ in nothing but their seeds, which make ± {100 * group.accuracy.sd:.2f} points" in found.verdict


def test_other_images_to_learn_from_are_no_other_seed(
    runs: list[str], train_run: Train, tmp_path: Path, trained: dict[str, Path]
) -> None:
    data = load("digits", valid=0)
    few = slice(0, 700)
    arrays = {"x_train": data.train.images[few], "y_train": data.train.labels[few]}
    np.savez("few.npz", x_test=data.test.images, y_test=data.test.labels, **arrays)
    train_run(Path("few"), "few.npz", seed=3)
    found = compare(["linear", "few"])
    assert found.groups == ()
    assert "seeds" not in found.verdict


def test_several_runs_are_compared_each_with_each_and_adjusted(runs: list[str], weak: Path) -> None:
    shutil.copytree(weak, "weak")
    names = ["linear", "seed", "weak"]
    found = compare(names)
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("linear", "seed"), ("linear", "weak"), ("seed", "weak"),
    ]  # fmt: skip
    alone = []
    for pair in found.pairs:
        a, b = hits(pair.first), hits(pair.second)
        alone.append(stats.binomtest(int((a & ~b).sum()), int((a ^ b).sum())).pvalue)
    order = np.argsort(alone)
    running = np.maximum.accumulate([min(1.0, (3 - i) * alone[k]) for i, k in enumerate(order)])
    for rank, k in enumerate(order):
        assert found.pairs[k].p_value == pytest.approx(running[rank], rel=1e-9, abs=0)
    assert [group.runs for group in found.groups] == [("linear", "seed")]
    best = max(names, key=lambda run: hits(run).mean())
    assert found.verdict.startswith(f"{best} is right most often")
    for order_of in permutations(names):
        assert {pair.p_value for pair in compare(order_of).pairs} == {pair.p_value for pair in found.pairs}


def test_each_comparison_opens_the_test_part_of_each(runs: list[str]) -> None:
    for count in (1, 2):
        compare(["linear", "mlp"])
        for run in ("linear", "mlp"):
            assert json.loads((Path(run) / "run.json").read_text())["test_openings"] == count
    assert json.loads(Path("seed/run.json").read_text())["test_openings"] == 0


@pytest.mark.parametrize(
    "names", [[], ["linear"], ["linear", "linear"], ["linear", "./linear"], ["mlp", "linear/../mlp"]]
)
def test_fewer_than_two_different_runs_are_refused_unopened(runs: list[str], names: list[str]) -> None:
    with pytest.raises(UsageError, match="name two different runs or more") as caught:
        compare(names)
    assert caught.value.exit_code == 2
    assert json.loads(Path("linear/run.json").read_text())["test_openings"] == 0


def test_a_link_to_a_run_is_the_run(runs: list[str]) -> None:
    os.symlink("linear", "link")
    with pytest.raises(UsageError, match="two different runs"):
        compare(["linear", "link"])


def test_other_test_images_are_refused(runs: list[str], train_run: Train) -> None:
    data = load("digits", valid=0)
    np.savez("o.npz", x_train=data.train.images, y_train=data.train.labels, x_test=data.test.images[:300],
             y_test=data.test.labels[:300])  # fmt: skip
    train_run(Path("other"), "o.npz", epochs=1)
    with pytest.raises(UsageError, match="linear and other have different test images") as caught:
        compare(["linear", "other"])
    assert "\n" not in str(caught.value)


def test_what_is_no_run_is_one_line(runs: list[str]) -> None:
    with pytest.raises(DataError, match="nowhere is not a run") as caught:
        compare(["linear", "nowhere"])
    assert caught.value.exit_code == 3


# The words, of made-up numbers.


def made(value: float, low: float, high: float, won: int, lost: int, p: float) -> Pair:
    return Pair("a", "b", Difference(value, low, high), lost, won, p, p < 0.05)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (made(0.02, 0.01, 0.03, 30, 10, 0.002),
         "b is better, by 2.0 points (1.0 to 3.0; p = 0.002): 30 images are right in b alone, 10 in a alone."),
        (made(-0.02, -0.03, -0.01, 10, 30, 0.002),
         "a is better, by 2.0 points (1.0 to 3.0; p = 0.002): 10 images are right in b alone, 30 in a alone."),
        (made(-0.01, -0.03, 0.01, 10, 20, 0.099),
         "The difference, −1.0 points (−3.0 to +1.0), may be luck (p = 0.099): 10 images are right in b alone, "
         "20 in a alone."),
        (made(0.0, -0.01, 0.01, 5, 5, 1.0),
         "The difference, +0.0 points (−1.0 to +1.0), may be luck (p = 1): 5 images are right in b alone, 5 in a "
         "alone."),
        (made(0.02, -0.001, 0.04, 40, 20, 0.01),
         "b is better, by 2.0 points (−0.1 to 4.0; p = 0.01): 40 images are right in b alone, 20 in a alone."),
    ],
)  # fmt: skip
def test_the_verdict_says_which_is_better_or_that_it_may_be_luck(pair: Pair, words: str) -> None:
    assert _one(pair) == words


def test_a_name_is_never_changed_by_the_words() -> None:
    pair = Pair("a+-b", "x-1", Difference(-0.01, -0.02, 0.0), 4, 2, 0.7, False)
    said = _one(pair)
    assert "in x-1 alone" in said
    assert "in a+-b alone" in said


def test_of_several_the_best_is_named_and_those_that_may_be_as_good() -> None:
    def pair(first: str, second: str, real: bool) -> Pair:
        return Pair(first, second, Difference(0.0, 0.0, 0.0), 0, 0, 0.01 if real else 0.5, real)

    accuracies = {name: Proportion(value, 0.0, 1.0, 1000) for name, value in (("a", 0.8), ("b", 0.9), ("c", 0.7))}
    pairs = [pair("a", "b", False), pair("a", "c", True), pair("b", "c", True)]
    assert _verdict(pairs, accuracies, ()) == "b is right most often, 90.0 %; a may be as good."
    pairs[0] = pair("a", "b", True)
    assert _verdict(pairs, accuracies, ()) == "b is right most often, 90.0 %, and better than each of the others."


def test_a_comparison_keeps_all_runs_in_their_order(runs: list[str]) -> None:
    found: Comparison = compare(["mlp", "linear", "seed"])
    assert list(found.accuracies) == ["mlp", "linear", "seed"]
    assert len(found.pairs) == 3
