import ast
from pathlib import Path

import pytest

from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.text.edits import (
    apply,
    argument,
    constants,
    definition,
    insert_line,
    replace,
    statement,
    wrap,
    written,
)
from byhand.doctor.text.program import Program, Unit


def program(source: str, code: str | None = None) -> Program:
    return Program(Path("/nowhere/my.py"), (Unit("my.py", None, source, code or source),))


def notebook(*cells: str) -> Program:
    units = tuple(Unit("my.ipynb", i, cell, cell) for i, cell in enumerate(cells, 1))
    return Program(Path("/nowhere/my.ipynb"), units, notebook=True)


def at(it: Program, text: str, count: int = 1, unit: int = 0) -> Place:
    """The place of the count-th occurrence of a text in one line."""
    one = it.units[unit]
    start = -1
    for _ in range(count):
        start = one.source.index(text, start + 1)
    line, column = one.source.count("\n", 0, start) + 1, start - (one.source.rfind("\n", 0, start) + 1)
    return Place(one.file, line, column, line, column + len(text), one.cell)


def after(it: Program, *edits: Edit | None) -> str:
    assert all(edits)
    sources = apply(it, [edit for edit in edits if edit])
    assert len(sources) == 1
    return next(iter(sources.values()))


def test_replacing_and_wrapping_count_columns_in_characters():
    it = program("größe = 'ä'; x = preds == yb\n")
    place = at(it, "yb")
    assert after(it, replace(place, "yb.squeeze(1)")) == "größe = 'ä'; x = preds == yb.squeeze(1)\n"
    assert after(it, *wrap(place, "(", ").view(-1)")) == "größe = 'ä'; x = preds == (yb).view(-1)\n"
    assert wrap(place, "", ".T") == (Edit(Place("my.py", 1, 28, 1, 28), ".T"),)


def test_a_wrapped_place_may_be_edited_too():
    it = program("loss = nll(softmax(x), y)\n")
    edits = [*wrap(at(it, "softmax(x)"), "log(", ")"), replace(at(it, "softmax"), "sm")]
    assert after(it, *edits) == "loss = nll(log(sm(x)), y)\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_tabs_and_a_missing_last_newline_stay(newline: str):
    source = newline.join(["for x in y:", "\tstep()"])
    it = program(source)
    place = Place("my.py", 2, 1, 2, 7)
    assert after(it, insert_line(it, place, "zero()")) == newline.join([source, "\tzero()"])
    assert after(it, insert_line(it, place, "zero()", after=False)) == newline.join(
        ["for x in y:", "\tzero()", "\tstep()"]
    )


def test_a_byte_order_mark_stays():
    it = program("\ufeffa = 1\n", "a = 1\n")
    assert after(it, replace(Place("my.py", 1, 4, 1, 5), "2")) == "\ufeffa = 2\n"


def test_a_form_feed_ends_no_line():
    it = program("s = '\x0c'\nrate = 1\n")
    assert after(it, replace(Place("my.py", 2, 7, 2, 8), "2")) == "s = '\x0c'\nrate = 2\n"


def test_a_timed_line_of_a_notebook_is_edited_behind_its_magic():
    it = program("%time train(0.1)\n", "train(0.1)\n")
    assert after(it, replace(Place("my.py", 1, 6, 1, 9), "0.5")) == "%time train(0.5)\n"


INSERTIONS = [
    ("a = f(\n    1,\n)  # why\nb = 2\n", "1", True, "a = f(\n    1,\n)  # why\nNEW\nb = 2\n"),
    ("for p in ps: p.go()\nb = 2\n", "p.go", True, "for p in ps: p.go()\nNEW\nb = 2\n"),
    ("for p in ps: p.go()\n", "p.go", False, "NEW\nfor p in ps: p.go()\n"),
    ("a = 1; b = 2\n", "b", False, "NEW\na = 1; b = 2\n"),
    ("a = 1; b = 2\nc = 3\n", "a", True, "a = 1; b = 2\nNEW\nc = 3\n"),
    ("if a:\n    b()\nelif c:\n    d()\n", "c", False, "NEW\nif a:\n    b()\nelif c:\n    d()\n"),
    ("if a: b()\nelse: d()\n", "b", True, "if a: b()\nelse: d()\nNEW\n"),
    ("@cache\ndef f():\n    return 1\n", "def f", False, "NEW\n@cache\ndef f():\n    return 1\n"),
    ("for x in y:\n    go(x)\nz()\n", "y", True, "for x in y:\n    go(x)\nNEW\nz()\n"),
    ("try:\n    a()\nexcept E:\n    b()\n", "b", True, "try:\n    a()\nexcept E:\n    b()\n    NEW\n"),
    ("match a:\n    case 1:\n        b()\n", "b", False, "match a:\n    case 1:\n        NEW\n        b()\n"),
]


@pytest.mark.parametrize(("source", "text", "below", "expected"), INSERTIONS)
def test_a_line_is_inserted_beside_the_whole_statement(source: str, text: str, below: bool, expected: str):
    it = program(source)
    assert after(it, insert_line(it, at(it, text), "NEW", after=below)) == expected


def test_several_lines_are_inserted_with_one_indentation():
    it = program("def f():\n    a()\n")
    assert after(it, insert_line(it, at(it, "a"), "if b:\n    c()")) == "def f():\n    a()\n    if b:\n        c()\n"


ARGUMENTS = [
    ("DataLoader(d)", "DataLoader(d, shuffle=True)"),
    ("DataLoader(d,)", "DataLoader(d, shuffle=True)"),
    ("DataLoader()", "DataLoader(shuffle=True)"),
    ("DataLoader((d))", "DataLoader((d), shuffle=True)"),
    ("DataLoader(d, shuffle=False)", "DataLoader(d, shuffle=True)"),
    ("DataLoader(\n    d,\n    64,  # size, (rows)\n)", "DataLoader(\n    d,\n    64, shuffle=True  # size, (rows)\n)"),
    ("DataLoader(\n    d  # all\n)", "DataLoader(\n    d, shuffle=True  # all\n)"),
    ("DataLoader(d, **more)", "DataLoader(d, **more, shuffle=True)"),
    ("DataLoader(list(zip(x, y)), 256)", "DataLoader(list(zip(x, y)), 256, shuffle=True)"),
    ("DataLoader('ä', größe)", "DataLoader('ä', größe, shuffle=True)"),
]


@pytest.mark.parametrize(("source", "expected"), ARGUMENTS)
def test_an_argument_is_set_or_added(source: str, expected: str):
    it = program(f"dl = {source}\n")
    unit = it.units[0]
    call = next(node for node in ast.walk(unit.tree) if isinstance(node, ast.Call))
    for place in (unit.place(call), unit.place(unit.tree.body[0])):
        assert after(it, argument(it, place, "shuffle", "True")) == f"dl = {expected}\n"


def test_no_argument_where_there_is_no_room():
    it = program("s = sum(x for x in y)\nz = 1\n")
    assert argument(it, at(it, "sum(x for x in y)"), "start", "1") is None
    assert argument(it, at(it, "z"), "start", "1") is None


def test_numbers_are_found_by_value_the_nearest_first():
    it = program(
        "lr = 0.001\ndef f(rate=1e-3):\n    a = 1e-3\n    b = 1/1000\n    return f'{0.001}'\nc = -0.001\nd = True\n"
    )
    found = constants(it, 0.001, near=at(it, "b"))
    assert [it.text(place) for place in found] == ["1/1000", "1e-3", "1e-3", "0.001"]
    assert [place.line for place in found] == [4, 3, 2, 1]
    assert [it.text(place) for place in constants(it, -0.001)] == ["-0.001"]
    assert constants(it, 1.0, near=None)[0].line == 4  # not True


def test_numbers_of_other_cells_come_after_those_of_the_cell():
    it = notebook("lr = 0.1", "x = 1", "momentum = 0.1\nstep(0.1)", "y = 0.1")
    found = constants(it, 0.1, near=at(it, "step", unit=2))
    assert [(place.cell, place.line) for place in found] == [(3, 2), (3, 1), (4, 1), (1, 1)]


def test_a_definition_is_the_last_before_in_the_same_function_or_module():
    it = program("x, y = 1, 2\nx = 3\ndef f(z=4):\n    y = 5\n    return x + y + z\nx = 6\nself.w = 7\n")
    place = at(it, "x + y + z")
    assert [it.text(found) for name in "xyz" if (found := definition(it, name, place))] == ["3", "5", "4"]
    assert definition(it, "nothing", place) is None
    found = definition(it, "self.w", place)
    assert found
    assert it.text(found) == "7"


def test_a_definition_in_an_earlier_cell():
    it = notebook("x = 1", "x = 2", "f(x)", "x = 3")
    found = definition(it, "x", at(it, "x", unit=2))
    assert found
    assert found.cell == 2


def test_the_statement_around_a_place():
    it = program("for a in b:\n    c = f(\n        d)\n")
    assert statement(it, Place("my.py", 3, 8, 3, 9)) == Place("my.py", 2, 4, 3, 10)
    assert statement(it, at(it, "b")) == Place("my.py", 1, 0, 3, 10)
    assert statement(it, Place("other.py", 1, 0, 1, 1)) == Place("other.py", 1, 0, 1, 1)


def test_edits_of_several_cells_each_come_back():
    it = notebook("a = 1", "b = 2", "c = 3")
    edits = [replace(at(it, "1"), "4"), replace(at(it, "3", unit=2), "5")]
    assert apply(it, edits) == {"my.ipynb#1": "a = 4", "my.ipynb#3": "c = 5"}


def test_a_module_of_the_programs_folder_is_edited_too(tmp_path: Path):
    (tmp_path / "helper.py").write_text("rate = 1\n")
    it = Program(tmp_path / "my.py", (Unit("my.py", None, "import helper", "import helper"),))
    assert apply(it, [replace(Place("helper.py", 1, 7, 1, 8), "2")]) == {"helper.py": "rate = 2\n"}


def test_identical_edits_count_once_and_insertions_keep_their_order():
    it = program("f(a)\n")
    one, two = (Edit(Place("my.py", 1, 3, 1, 3), text) for text in (", b", ", c"))
    assert after(it, one, two, one) == "f(a, b, c)\n"


def test_an_insertion_may_stand_at_the_edge_of_a_replacement_but_not_within():
    it = program("abcd\n")
    middle = replace(Place("my.py", 1, 1, 1, 3), "XX")
    assert after(it, middle, Edit(Place("my.py", 1, 1, 1, 1), "_"), Edit(Place("my.py", 1, 3, 1, 3), "_")) == "a_XX_d\n"
    with pytest.raises(ValueError, match="overlap"):
        apply(it, [middle, Edit(Place("my.py", 1, 2, 1, 2), "_")])


def test_what_cannot_be_applied_is_refused():
    it = program("a = f(1)\n")
    place = at(it, "f(1)")
    with pytest.raises(ValueError, match="overlap"):
        apply(it, [replace(place, "2"), replace(at(it, "1"), "3")])
    with pytest.raises(ValueError, match=r"my\.py is no Python after the edit: line 1"):
        apply(it, [replace(place, "f(")])
    with pytest.raises(ValueError, match="line 9 is not there"):
        apply(it, [replace(Place("my.py", 9, 0, 9, 1), "2")])
    with pytest.raises(ValueError, match=r"other\.py cannot be read"):
        apply(it, [replace(Place("other.py", 1, 0, 1, 1), "2")])


def test_what_a_fix_writes_is_its_first_changed_line():
    it = program("def f():\n    opt = SGD(lr=1e-4)\n    go()\n")
    assert written(it, [replace(at(it, "1e-4"), "0.01")]) == "opt = SGD(lr=0.01)"
    added = insert_line(it, at(it, "go"), "end()")
    assert added
    assert written(it, [added]) == "end()"
