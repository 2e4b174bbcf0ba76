"""Does the score that ``byhand kaggle`` expects come? MNIST split by chance as Kaggle splits it, again and again.

Each round puts 42,000 of the 70,000 images into a table with labels and 28,000 into one without, trains on the first as
the command does (fewer epochs), and compares the interval with the accuracy on 7,000 of the others, whose answers are
known here.
"""

import sys
from statistics import mean, stdev

import measure
import numpy as np

import byhand
from byhand.data.content import digest
from byhand.data.dataset import Raw, Rows
from byhand.data.split import split
from byhand.evaluate.statistics import wilson
from byhand.kaggle.entry import PUBLIC_SHARE, judge, name_images
from byhand.recipe import fit
from byhand.settings import Settings

TRAIN, TEST = 42_000, 28_000
PUBLIC = round(PUBLIC_SHARE * TEST)


def one(images: np.ndarray, labels: np.ndarray, seed: int) -> tuple[float, float, float, float, float, float]:
    """The validation accuracy, the score's low, high and floor, and what is true of 7,000 others and of all."""
    order = np.random.default_rng(seed).permutation(len(labels))
    first, second = order[:TRAIN], order[TRAIN:]
    none = Rows(images[:0], labels[:0])
    raw = Raw(Rows(images[first], labels[first]), None, none, tuple("0123456789"))
    data = split("train.csv", digest(raw))
    model = fit(Settings(epochs=5, lr=0.3).resolved(), data)
    valid, score = judge(model, data.valid, TEST) or sys.exit("no image was kept to judge by")
    right = name_images(model, images[second]) == labels[second]
    return valid.value, score.low, score.high, score.floor, float(right[:PUBLIC].mean()), float(right.mean())


def main() -> None:
    args = measure.options(__doc__, rounds=100)
    data = byhand.load(measure.data_folder(), valid=0)
    images = np.concatenate([data.train.images, data.test.images])
    labels = np.concatenate([data.train.labels, data.test.labels])
    rounds = []
    for seed in range(args.rounds):
        rounds.append(one(images, labels, seed))
        print(seed, *(f"{100 * value:.2f}" for value in rounds[-1]), file=sys.stderr)
    valid, low, high, floor, public, whole = (np.array(column) for column in zip(*rounds, strict=True))
    n = len(rounds)
    held = wilson(int(((low <= public) & (public <= high)).sum()), n)
    gap = [100 * value for value in public - valid]
    lines = [
        measure.versions("torch", "numpy"),
        f"linear, 5 epochs, rate 0.3; MNIST split {n} times by chance: {TRAIN:,} to learn from, {TEST:,} to name",
        "",
        f"validation accuracy                  {100 * mean(valid):.2f} ± {100 * stdev(valid):.2f} %, on 4,200",
        f"score on {PUBLIC:,} of the others          {100 * mean(public):.2f} ± {100 * stdev(public):.2f} %",
        f"accuracy on all {TEST:,} others        {100 * mean(whole):.2f} ± {100 * stdev(whole):.2f} %",
        f"score less validation accuracy       {mean(gap):+.2f} ± {stdev(gap):.2f} points",
        f"half an interval of the score        {50 * mean(high - low):.2f} points",
        f"the score lay in the interval        {100 * held.value:.0f} % of the times "
        f"({100 * held.low:.0f} to {100 * held.high:.0f}); 95 % is promised",
        f"the score lay below the floor        {int((public < floor).sum())} of {n} times",
    ]
    measure.report("kaggle", lines, args.save)


if __name__ == "__main__":
    main()
