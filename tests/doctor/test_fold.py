from dataclasses import replace
from itertools import permutations

import pytest

from byhand.doctor.causes import SAID, UNDER
from byhand.doctor.finding import Edit, Effect, Finding, Level
from byhand.doctor.fold import NOTES, fold
from byhand.doctor.place import Place


def place(line: int, cell: int | None = None) -> Place:
    return Place("my.py", line, 0, line, 5, cell)


def finding(check: str, level: Level = "warning", line: int = 1, gain: float | None = None, edits: int = 0) -> Finding:
    effect = None if gain is None else Effect("accuracy", 0.5, 0.5 + gain)
    fixes = tuple((Edit(place(line), f"{check}{line}{i}"),) for i in range(edits))
    return Finding(check, level, place(line), "saw", "so", "instead", effect=effect, edits=fixes)


def names(findings: tuple[Finding, ...]) -> list[str]:
    return [one.check for one in findings]


def test_the_worst_stand_first_and_within_a_level_the_largest_effect():
    found = [
        finding("a", "note"),
        finding("b", "warning", gain=0.3),
        finding("c", "error", gain=0.1),
        finding("d", "error", gain=-0.2),  # too good a number put right is an effect too
        finding("e", "error"),
    ]
    assert names(fold(found)) == ["d", "c", "e", "b", "a"]


def test_one_check_at_several_places_speaks_once_with_all_edits():
    found = fold([finding("x", line=line, edits=edits) for line, edits in ((4, 2), (9, 1), (9, 0), (12, 0))])
    assert len(found) == 1
    assert found[0].place == place(4)
    assert found[0].saw == "saw; the same at line 9, line 12"
    assert [[edit.text for edit in fix] for fix in found[0].edits] == [["x40", "x90"], ["x41", "x90"]]


def test_many_places_are_counted():
    found = fold([finding("x", line=line) for line in range(1, 8)])
    assert found[0].saw == "saw; the same at line 2, line 3, line 4 and 3 more"
    other = replace(finding("x"), place=Place("my.ipynb", 3, 0, 3, 1, 2))
    assert fold([finding("x"), other])[0].saw == "saw; the same at my.ipynb, cell 2, line 3"


def test_the_worst_place_of_a_check_speaks_for_it():
    found = fold([finding("x", "note", 3), finding("x", "error", 8)])
    assert [(one.level, one.place, one.saw) for one in found] == [("error", place(8), "saw")]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_consequences_follow_the_cause_that_has_none(order: tuple[int, ...]):
    three = [finding("constant-answer", "error"), finding("loss-not-finite"), finding("raw-pixel-range")]
    found = fold([three[i] for i in order])
    assert names(found) == ["raw-pixel-range", "constant-answer", "loss-not-finite"]
    assert [one.under for one in found] == [None, "raw-pixel-range", "raw-pixel-range"]


def test_a_cause_is_as_bad_as_its_worst_consequence():
    found = fold(
        [finding("b", "error", gain=0.01), finding("constant-answer", "error"), finding("evaluated-in-train-mode")]
    )
    assert names(found) == ["b", "constant-answer", "evaluated-in-train-mode"]  # no cause of it: nothing was not finite
    found = fold([finding("b", "warning", gain=0.4), finding("constant-answer", "error"), finding("loss-not-finite")])
    assert names(found) == ["loss-not-finite", "constant-answer", "b"]


def test_a_note_explains_no_more_than_a_note():
    found = fold([finding("raw-pixel-range", "note"), finding("learning-rate-too-high", "warning")])
    assert [(one.check, one.under) for one in found] == [("learning-rate-too-high", None), ("raw-pixel-range", None)]
    found = fold([finding("raw-pixel-range", "note"), finding("learning-rate-too-high", "note")])
    assert found[1].under == "raw-pixel-range"


def test_a_consequence_is_freed_when_its_cause_is_gone():
    found = fold([finding("raw-pixel-range"), finding("learning-rate-too-high")])
    assert fold(found[1:])[0].under is None


def test_few_notes_are_kept_those_with_an_effect_first():
    found = [finding(f"style{i}", "note") for i in range(9)] + [
        finding("x", "note", gain=0.0001),
        finding("y", "error"),
    ]
    kept = fold(found)
    assert names(kept)[:3] == ["y", "x", "style0"]
    assert len(kept) == 1 + NOTES


def test_folding_twice_changes_nothing():
    found = [
        finding(check, line=line) for line in (1, 2) for check in ("constant-answer", "x", "learning-rate-too-low")
    ]
    assert fold(fold(found)) == fold(found)


def test_nothing_explains_itself():
    def roots(check: str, seen: tuple[str, ...] = ()) -> None:
        assert check not in seen
        for cause in UNDER.get(check, ()):
            roots(cause, (*seen, check))

    for check in UNDER:
        roots(check)


def test_a_cause_that_the_finding_must_name_itself_explains_it_as_long_as_it_is_there():
    (check, (cause, *_)), *_ = SAID.items()
    assert cause not in UNDER[check]
    said = replace(finding(check, "error"), under=cause)
    found = fold([finding(cause), said])
    assert [(one.check, one.under) for one in found] == [(cause, None), (check, cause)]
    assert fold(found) == found
    assert [one.under for one in fold([said])] == [None]
    assert [one.under for one in fold([finding(cause, "note"), said])] == [None, None]
    assert [one.under for one in fold([finding(cause), replace(said, under=None)])] == [None, None]
