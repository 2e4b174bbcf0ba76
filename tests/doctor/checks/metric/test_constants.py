"""Sums of batches' losses over a number that stands in the text."""

import pytest

from byhand.doctor.checks.metric.evaluate import sum_of_means_over_count
from byhand.doctor.text import edits

SOURCE = """\
for i, (xb, yb) in enumerate(dl):
    total += loss.item()
    if (i + 1) % 30 == 0:
        print(f"loss: {total / 100:.4f}")
        total = 0.0
"""


def lines(make_run, source, divisor, *, parts=2, count=30):
    """A training that prints after so many batches the sum of their losses over a divisor."""
    run = make_run(source)
    for part in range(parts):
        losses = [2.3 - 0.01 * i - 0.3 * part for i in range(count)]
        run.train(range(count * 64), losses=losses)
        run.print(f"loss: {sum(losses) / divisor:.4f}")
    return run.evidence()


def test_a_divisor_of_another_program(make_run):
    evidence = lines(make_run, SOURCE, 100)
    (finding,) = sum_of_means_over_count(evidence)
    assert (finding.level, finding.proof, finding.place.line) == ("error", "arithmetic", 4)
    assert "the losses of 30 batches add up to 55.65, and are divided by 100" in finding.saw
    assert "3.33 times too small" in finding.so
    assert "total / 30:.4f" in edits.apply(evidence.program, finding.edits[0])["main.py"]


@pytest.mark.parametrize(
    ("source", "divisor"),
    [
        (SOURCE.replace("100", "30"), 30),  # as many as they are
        (SOURCE.replace("100", "n"), 100),  # no number of the text
        (SOURCE, 97.3),  # something else
        (SOURCE.replace("/ 100", "/ 100 * 1.5"), 100 / 1.5),
    ],
)
def test_right_means_and_other_figures_are_left_alone(make_run, source, divisor):
    assert not list(sum_of_means_over_count(lines(make_run, source, divisor)))


def test_a_first_line_that_comes_too_early_is_no_fault_of_those_after_it(make_run):
    run = make_run(SOURCE.replace("100", "30"))
    run.train(range(11 * 64), losses=[2.0] * 11)
    run.print(f"loss: {22 / 30:.4f}")
    run.train(range(30 * 64), losses=[1.5 + 0.01 * i for i in range(30)])
    run.print(f"loss: {sum(1.5 + 0.01 * i for i in range(30)) / 30:.4f}")
    assert not list(sum_of_means_over_count(run.evidence()))
