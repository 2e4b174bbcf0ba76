"""The lines of a program's mailbox, put together."""

from typing import Any

from byhand.play.seen import Seen

PLACE = {"file": "a.py", "cell": None, "line": 3, "clock": 2}


def line(**fields: Any) -> dict[str, Any]:
    return {"clock": 3, "losses": [], "shown": [], "judged": [], "parameters": [], **fields}


def names(*words: str) -> list[str]:
    seen = Seen()
    for k, one in enumerate(words):
        seen.add(line(shown=[{**PLACE, "line": k, "numbers": [[0.5, one]]}]))
    return [series["name"].partition(": ")[2] for series in seen.curves()["series"]]


def test_a_number_is_named_by_the_words_before_it() -> None:
    assert names("loss:", "» valid (loss) = ", "a" * 50, "epoch", "") == ["loss", "valid (loss)", "a" * 40, "printed"]


def test_a_number_behind_many_spaces_has_a_name_soon() -> None:
    assert names("a" + " " * 200_000 + "b", ":" * 200_000 + "b") == ["a" + " " * 39, "b"]


def test_two_empty_arrays_that_are_compared_are_no_point() -> None:
    seen = Seen()
    seen.add(line(judged=[{**PLACE, "right": 0, "rows": 0}]))
    assert seen.curves()["series"] == []
    seen.add(line(judged=[{**PLACE, "right": 3, "rows": 4}]))
    assert [series["points"] for series in seen.curves()["series"]] == [[(2, 0.75)]]
