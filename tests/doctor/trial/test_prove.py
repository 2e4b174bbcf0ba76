"""The experiments, on a program whose accuracy with any set of fixes is known beforehand."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.finding import Edit, Effect, Finding, Level, Proof
from byhand.doctor.place import Place
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import End, Trace, Training
from byhand.doctor.trial.outcome import Outcome
from byhand.doctor.trial.prove import Proven, prove

LINES = 12
N = 2000
SOURCE = "".join(f"x{line} = {line}\n" for line in range(1, LINES + 1))
Reach = Callable[[frozenset[str], int], float | str | None]


def fix(name: str, line: int) -> Edits:
    """An edit that the fake program knows by its name."""
    return (Edit(Place("my.py", line, 0, line, len(f"x{line} = {line}")), name),)


def suspect(
    check: str,
    line: int,
    *names: str,
    level: Level = "warning",
    proof: Proof | None = None,
    effect: Effect | None = None,
    sure: bool = False,
) -> Finding:
    edits = tuple(fix(name, line) for name in names or (check.replace("-", "_"),))
    place = Place("my.py", line, 0, line, 2)
    return Finding(check, level, place, "saw", "so", "instead", proof, effect, edits, needs_proof=not sure)


class Fake:
    """Runs nothing: an arm reaches what ``reach`` says of its fixes' names, in ``seconds`` of a clock of its own.

    Of these it spends ``around`` beside its steps; where None, none, and its trace does not tell.
    """

    def __init__(
        self, reach: Reach, seconds: float = 1.0, steps: int = 1000, how: str = "done", around: float | None = None
    ) -> None:
        self.reach, self.seconds, self.steps, self.around, self.time = reach, seconds, steps, around, 0.0
        self.arms: list[tuple[frozenset[str], int | None, int]] = []
        self.trace = self._trace(frozenset(), None, 0, how)

    def _trace(self, names: frozenset[str], steps: int | None, shift: int, how: str = "done") -> Trace:
        value = self.reach(names, shift)
        crashed = value == "crash"
        last = self.steps if steps is None else steps
        return Trace(
            End(
                "error" if crashed else how,
                self._lasts(last),
                training=None if self.around is None else self._lasts(last) - self.around,
            ),
            "" if value is None or crashed else str(value),
            True,
            (),
            (),
            trainings=(Training(0, last, None, True, 0.1, (), None, None),),
        )

    def run(self, sets: Sequence[Edits], steps: int | None, shift: int) -> list[Trace]:
        arms = [frozenset(edit.text for edit in one) for one in sets]
        self.arms += [(names, steps, shift) for names in arms]
        self.time += self._lasts(self.steps if steps is None else steps)
        return [self._trace(names, steps, shift) for names in arms]

    def _lasts(self, steps: int) -> float:
        around = self.around or 0.0
        return around + (self.seconds - around) * steps / self.steps

    def now(self) -> float:
        return self.time


def accuracy(trace: Trace) -> Outcome | None:
    """Rows of which the first ones are right, so that arms are paired and differ in no more than their accuracies."""
    if not trace.output:
        return None
    value = float(trace.output)
    right = np.arange(N) < round(value * N)
    return Outcome("accuracy", value, math.sqrt(value * (1 - value) / N), right, np.arange(N))


def loss(trace: Trace) -> Outcome | None:
    return Outcome("loss", float(trace.output), 0.001) if trace.output else None


def proven(fake: Fake, findings: Iterable[Finding], budget: float = 100, **options: Any) -> Proven:
    program = Program(Path("/nowhere/my.py"), (Unit("my.py", None, SOURCE, SOURCE),))
    evidence = Evidence(program, fake.trace, cast("Any", None))
    options.setdefault("measure", accuracy)
    return prove(evidence, findings, fake.run, budget, now=fake.now, **options)


def by_check(result: Proven) -> dict[str, Finding]:
    return {finding.check: finding for finding in result.findings}


def adding(gains: dict[str, float], base: float = 0.5, noise: Collection[float] = ()) -> Reach:
    """Fixes whose gains add up; ``noise`` is what each shift of the seed adds where anything is fixed."""
    return lambda names, shift: (
        base + sum(gains.get(name, 0) for name in names) + (list(noise)[shift] if noise and names else 0)
    )


def second_seed(names: frozenset[str], _: int) -> float:
    """As measured: a start at zero alone does harm; after the shuffle it is worth four points."""
    return {(0, 0): 0.698, (0, 1): 0.618, (1, 0): 0.878, (1, 1): 0.922}["shuffle" in names, "zeros" in names]


def test_a_fix_that_does_harm_alone_is_proven_in_company():
    fake = Fake(second_seed)
    found = [suspect("class-sorted-batches", 1, "shuffle"), suspect("initial-loss-above-chance", 2, "zeros")]
    result = proven(fake, found)
    first, second = result.findings
    assert (first.check, first.level, first.proof) == ("class-sorted-batches", "error", "experiment")
    assert first.effect is not None
    assert (first.effect.before, first.effect.after, first.effect.steps) == (0.618, 0.922, 1000)
    assert second.effect is not None
    assert (second.effect.before, second.effect.after) == (0.878, 0.922)
    assert second.effect.low is not None
    assert second.effect.high is not None
    assert second.effect.low < 0.044 < second.effect.high
    assert (result.all_fixed, result.measure) == (0.922, "accuracy")
    assert result.fixes == (*first.edits[0], *second.edits[0])
    assert {steps for _, steps, _ in fake.arms} == {None}


def test_one_suspect_is_compared_with_the_run_that_was_observed():
    fake = Fake(adding({"a": 0.2}))
    result = proven(fake, [suspect("a", 1)])
    assert fake.arms == [(frozenset({"a"}), None, 0)]
    assert result.all_fixed == pytest.approx(0.7)


def test_no_arm_is_run_twice():
    fake = Fake(adding({"a": 0.2, "b": 0.1, "c": 0.005}, noise=(0, 0.001, -0.001)))
    proven(fake, [suspect(name, line) for line, name in enumerate("abc", 1)])
    assert len(fake.arms) == len(set(fake.arms))


def test_a_fix_that_changes_nothing_makes_a_note():
    fake = Fake(adding({"a": 0.2, "b": 0.001}))
    result = proven(fake, [suspect("a", 1), suspect("b", 2, level="error", sure=True)])
    note = by_check(result)["b"]
    assert (note.level, note.proof) == ("note", None)
    assert note.so == "harmless here: with it 0.700, without 0.701"
    assert result.all_fixed == pytest.approx(0.7)
    assert result.fixes == fix("a", 1)


def test_of_two_fixes_for_one_harm_one_is_found_to_be_needed():
    def reach(names: frozenset[str], _: int) -> float:
        return 0.9 if names else 0.3

    result = by_check(proven(Fake(reach), [suspect("a", 1), suspect("b", 2)]))
    assert (result["a"].level, result["b"].level) == ("error", "note")
    effect = result["a"].effect
    assert effect is not None
    assert (effect.before, effect.after) == (0.3, 0.9)


def test_a_suspicion_whose_fix_does_harm_is_dropped_and_strong_evidence_becomes_a_note():
    reach = adding({"a": 0.2, "b": -0.1, "c": -0.1})
    result = proven(Fake(reach), [suspect("a", 1), suspect("b", 2), suspect("c", 3, sure=True)])
    found = by_check(result)
    assert set(found) == {"a", "c"}
    assert found["c"].level == "note"
    assert found["c"].so.startswith("the fix does not help here")
    assert result.all_fixed == pytest.approx(0.7)


def test_a_small_gain_is_measured_over_three_seeds():
    fake = Fake(lambda names, shift: 0.9 + ((0.012, 0.026, 0.022)[shift] if names else 0))
    effect = proven(fake, [suspect("a", 1)]).findings[0].effect
    assert effect is not None
    assert effect.after == pytest.approx(0.92)
    assert (effect.low, effect.high) == (pytest.approx(0.012), pytest.approx(0.026))
    assert {shift for *_, shift in fake.arms} == {0, 1, 2}


def test_luck_is_no_proof():
    fake = Fake(lambda names, shift: 0.9 + ((0.02, -0.03, 0.02)[shift] if names else 0))
    found = proven(fake, [suspect("a", 1)]).findings
    assert [one.level for one in found] == ["note"]


def test_a_check_may_ask_for_more():
    fake = Fake(adding({"a": 0.04}))
    note = proven(fake, [suspect("learning-rate-too-low", 1, "a")], gains={"learning-rate-too-low": 0.05}).findings[0]
    assert (note.level, note.so) == ("note", "it costs little here: with it 0.500, without 0.540")


def test_the_best_of_several_fixes_is_chosen_in_short_runs_and_written_down():
    fake = Fake(lambda names, _: {"x10": 0.6, "x100": 0.9, "x1000": 0.1}.get("".join(names - {"b"}), 0.5))
    found = [suspect("learning-rate-too-low", 1, "x10", "x100", "x1000"), suspect("b", 2)]
    error = proven(fake, found).findings[0]
    assert error.edits == (fix("x100", 1), fix("x10", 1), fix("x1000", 1))
    assert error.instead == "x100"
    assert [steps for _, steps, _ in fake.arms[:3]] == [100] * 3
    assert all("b" in names for names, *_ in fake.arms[:3])


def test_of_fixes_that_are_about_as_good_the_first_is_taken():
    fake = Fake(lambda names, _: {"x10": 0.89, "x100": 0.9}.get("".join(names), 0.5))
    (error,) = proven(fake, [suspect("learning-rate-too-low", 1, "x10", "x100")]).findings
    assert error.edits[0] == fix("x10", 1)


def test_a_fix_with_which_the_program_crashes_is_left_out():
    def reach(names: frozenset[str], _: int) -> float | str:
        return "crash" if "b" in names else 0.5 + 0.2 * ("a" in names)

    result = proven(Fake(reach), [suspect("a", 1), suspect("b", 2, level="error", sure=True), suspect("c", 3)])
    found = by_check(result)
    assert (found["a"].level, found["b"].level, found["c"].level) == ("error", "warning", "note")
    assert found["b"].edits == ()
    assert result.all_fixed == pytest.approx(0.7)


def test_the_next_fix_is_tried_where_the_first_crashes():
    def reach(names: frozenset[str], _: int) -> float | str:
        return "crash" if "bad" in names else 0.5 + 0.2 * ("good" in names) + 0.2 * ("a" in names)

    found = [suspect("a", 1), suspect("proven", 2, "bad", "good", level="error", proof="arithmetic")]
    result = proven(Fake(reach), found)
    assert by_check(result)["proven"].instead == "good"
    assert result.all_fixed == pytest.approx(0.9)


def test_fixes_that_overlap_are_tried_by_themselves():
    result = proven(Fake(adding({"a": 0.2, "b": 0.1})), [suspect("a", 1), suspect("b", 1)])
    found = by_check(result)
    assert (found["a"].level, found["b"].level) == ("error", "error")
    assert result.fixes == fix("a", 1)
    effect = found["b"].effect
    assert effect is not None
    assert (effect.before, effect.after) == (0.5, 0.6)


def test_what_arithmetic_has_proven_stays_an_error_and_gets_its_effect():
    fake = Fake(adding({"a": -0.05, "b": 0.1}))
    found = [suspect("a", 1, level="error", proof="arithmetic"), suspect("b", 2)]
    result = proven(fake, found)
    error = by_check(result)["a"]
    assert (error.level, error.proof) == ("error", "arithmetic")
    assert error.effect is not None
    assert error.effect.after == pytest.approx(0.55)
    assert result.all_fixed == pytest.approx(0.55)


def test_a_wrong_metric_needs_no_arm_of_its_own():
    printed = Effect("printed accuracy", 0.4, 0.5)
    metric = suspect("broadcast-accuracy", 1, level="error", proof="arithmetic", effect=printed)
    fake = Fake(adding({"b": 0.1}))
    result = proven(fake, [metric, suspect("b", 2)])
    assert by_check(result)["broadcast-accuracy"].effect == printed
    assert sorted(len(names) for names, *_ in fake.arms) == [1, 2]
    assert result.all_fixed == pytest.approx(0.6)
    assert proven(Fake(adding({}), seconds=50), [metric], budget=10).all_fixed == 0.5


def test_a_budget_that_is_too_small_shortens_all_arms():
    fake = Fake(adding({"a": 0.2, "b": 0.1, "c": 0.012}), seconds=10)
    result = proven(fake, [suspect(name, line) for line, name in enumerate("abc", 1)], budget=15)
    assert result.shortened
    assert result.steps is not None
    assert {steps for _, steps, _ in fake.arms} == {100, result.steps}  # the first ones tell how long it takes
    assert 100 < result.steps < 800
    found = by_check(result)
    assert (found["a"].level, found["b"].level, found["c"].level) == ("error", "error", "note")  # 1.2 points are little
    assert found["a"].effect is not None
    assert found["a"].effect.steps == result.steps
    assert fake.time <= 15


def test_a_short_arm_tells_what_is_spent_beside_the_steps():
    fake = Fake(adding({"a": 0.2, "b": 0.1}), seconds=10, around=4)
    result = proven(fake, [suspect("a", 1), suspect("b", 2)], budget=27, crowding=1.4)  # as if 28 s were needed
    assert [steps for _, steps, _ in fake.arms] == [100, 100, None, None, None]
    assert not result.shortened
    assert fake.time == pytest.approx(4 + 0.6 + 10 + 10)


def test_what_there_is_no_time_for_is_left_and_said():
    strong = suspect("strong", 3, level="error", sure=True)
    fake = Fake(adding({"a": 0.2}), seconds=100)
    result = proven(fake, [suspect("a", 1), suspect("b", 2), strong], budget=5)
    assert fake.arms == []
    assert [(one.check, one.level) for one in result.findings] == [("strong", "warning")]
    assert set(result.left) == {"a", "b", "strong"}
    assert result.all_fixed is None


def test_what_is_a_fact_stays_as_a_note_where_there_was_no_time():
    fake = Fake(adding({"a": 0.2}), seconds=100)
    result = proven(fake, [replace(suspect("a", 1), fact=True), suspect("b", 2)], budget=5)
    (note,) = result.findings
    assert (note.check, note.level, note.saw) == ("a", "note", "saw (its fix was not tried)")


def test_a_fact_whose_fix_does_harm_is_no_finding():
    fake = Fake(adding({"a": -0.2}))
    assert not proven(fake, [replace(suspect("a", 1), fact=True)]).findings


def test_the_longest_training_that_there_is_time_for_is_tried():
    found = [suspect("stopped-while-learning", 1, "four", "two")]
    fake = Fake(adding({"four": 0.2, "two": 0.1}), seconds=10)
    (warning,) = proven(fake, found, budget=100).findings
    assert warning.effect is not None
    assert warning.effect.after == pytest.approx(0.7)
    (warning,) = proven(fake, found, budget=35).findings
    assert warning.effect is not None
    assert warning.effect.after == pytest.approx(0.6)


def test_the_worst_are_tried_when_not_all_fit():
    fake = Fake(adding({"a": 0.2, "b": 0.3}), seconds=100)
    result = proven(fake, [suspect("b", 2), suspect("a", 1, level="error", sure=True)], budget=12)
    assert by_check(result)["a"].level == "error"
    assert result.left == ("b",)


def test_nothing_can_be_proven_where_nothing_can_be_measured():
    fake = Fake(lambda names, shift: None)
    result = proven(fake, [suspect("a", 1), suspect("b", 2, sure=True)])
    assert [(one.check, one.level) for one in result.findings] == [("b", "warning")]
    assert fake.arms == []


def test_the_loss_is_measured_where_there_is_no_accuracy():
    fake = Fake(lambda names, _: 2.0 - 1.0 * ("a" in names) - 0.01 * ("b" in names))
    result = proven(fake, [suspect("a", 1), suspect("b", 2)], measure=loss)
    found = by_check(result)
    assert (found["a"].level, found["b"].level) == ("error", "note")
    assert found["b"].so == "harmless here: the loss with it 1.000, without 0.990"
    assert (result.measure, result.all_fixed) == ("loss", pytest.approx(1.0))


def test_a_loss_that_is_no_number_is_worse_than_any():
    fake = Fake(lambda names, _: 0.3 if "a" in names else math.inf)
    error = proven(fake, [suspect("a", 1)], measure=loss).findings[0]
    assert error.level == "error"
    assert error.effect == Effect("loss", None, 0.3, None, None, 1000)


def test_a_consequence_is_not_tried_and_stands_under_its_cause():
    fake = Fake(adding({"scale": 0.3, "rate": 0.3}))
    found = [suspect("raw-pixel-range", 1, "scale"), suspect("learning-rate-too-high", 2, "rate")]
    cause, consequence = proven(fake, found).findings
    assert cause.level == "error"
    assert (consequence.check, consequence.level, consequence.under) == (
        "learning-rate-too-high",
        "note",
        "raw-pixel-range",
    )
    assert all("rate" not in names for names, *_ in fake.arms)


def test_a_consequence_is_tried_when_its_cause_turns_out_to_be_none():
    fake = Fake(adding({"rate": 0.3}))
    found = [suspect("raw-pixel-range", 1, "scale"), suspect("learning-rate-too-high", 2, "rate")]
    result = by_check(proven(fake, found))
    assert (result["learning-rate-too-high"].level, result["learning-rate-too-high"].under) == ("error", None)
    assert result["raw-pixel-range"].level == "note"


def test_training_longer_is_tried_last_and_is_a_warning_at_most():
    fake = Fake(adding({"a": 0.2, "epochs": 0.05}))
    found = [suspect("stopped-while-learning", 1, "epochs"), suspect("a", 2)]
    result = proven(fake, found)
    error, warning = result.findings
    assert (error.check, error.level) == ("a", "error")
    assert (warning.level, warning.proof) == ("warning", "experiment")
    assert warning.effect is not None
    assert (warning.effect.before, warning.effect.after, warning.effect.steps) == (0.7, 0.75, None)
    assert result.all_fixed == pytest.approx(0.75)


def test_a_program_that_was_cut_is_compared_at_the_steps_that_it_made():
    fake = Fake(adding({"a": 0.2}), how="shortened", steps=400)
    result = proven(fake, [suspect("a", 1), suspect("stopped-while-learning", 2, "epochs")])
    assert fake.arms == [(frozenset({"a"}), 400, 0)]
    assert (result.steps, result.left) == (400, ("stopped-while-learning",))


def test_notes_and_findings_without_a_fix_stay_as_they_are():
    style = replace(suspect("style", 1, level="note", sure=True))
    bare = replace(suspect("bare", 2, level="error", sure=True), edits=())
    doubt = replace(suspect("doubt", 3), edits=())
    fake = Fake(adding({}))
    assert [(one.check, one.level) for one in proven(fake, [style, bare, doubt]).findings] == [
        ("bare", "warning"),
        ("style", "note"),
    ]
    assert fake.arms == []


def test_effects_are_those_in_the_company_that_is_left():
    def reach(names: frozenset[str], _: int) -> float:
        return 0.5 + 0.2 * ("a" in names) - 0.1 * ("b" in names) - 0.05 * (names == {"a", "b"})

    error = proven(Fake(reach), [suspect("a", 1), suspect("b", 2)]).findings[0]
    assert error.effect is not None
    assert (error.effect.before, error.effect.after) == (0.5, 0.7)
