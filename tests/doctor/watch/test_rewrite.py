"""Rewritten programs do what they did, and tell what they do, with the user's own places."""

import ast
import builtins
import contextlib
import importlib.util
import io
import operator
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand.doctor.place import Place
from byhand.doctor.text.program import Unit
from byhand.doctor.watch.numpy_names import CALLS
from byhand.doctor.watch.rewrite import Rewritten, rewrite

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.py"))
SNIPPETS = Path(__file__).with_name("snippets.txt").read_text("utf-8").removesuffix("\n").split("\n---\n")
OPERATIONS = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "matmul": operator.matmul,
    "pow": operator.pow,
}


class Neutral:
    """Hooks that do what they stand for, and keep what they were told."""

    slice = slice

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.stop: Callable[[int], bool] = lambda k: False

    def compare(self, k: int, name: str, a: Any, b: Any) -> Any:
        self.events.append(("compare", k, name, a, b))
        signs = {"==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt}
        return signs.get(name, operator.le if name == "<=" else operator.ge)(a, b)

    def call(self, k: int, f: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.events.append(("call", k, f, args, kwargs))
        return f(*args, **kwargs)

    def binary(self, k: int, name: str, a: Any, b: Any) -> Any:
        self.events.append(("binary", k, name, a, b))
        return OPERATIONS[name](a, b)

    def unary(self, k: int, name: str, a: Any) -> Any:
        assert name == "neg"
        self.events.append(("unary", k, name, a))
        return -a

    def item(self, k: int, obj: Any, index: Any) -> Any:
        self.events.append(("item", k, obj, index))
        return obj[index]

    def attribute(self, k: int, obj: Any, name: str) -> Any:
        self.events.append(("attribute", k, obj, name))
        return getattr(obj, name)

    def entry(self, k: int, obj: Any, index: Any) -> Any:
        self.events.append(("entry", k, obj, index))
        return index

    def changed(self, k: int, target: str, name: str, value: Any) -> None:
        self.events.append(("changed", k, target, name, value))

    def rebound(self, k: int, target: str, old: Any, new: Any) -> Any:
        self.events.append(("rebound", k, target, old, new))
        return new

    def named(self, k: int, name: str, value: Any) -> None:
        self.events.append(("named", k, name, value))

    def kept(self, k: int, value: Any) -> Any:
        self.events.append(("kept", k, value))
        return value

    def member(self, k: int, value: Any) -> Any:
        self.events.append(("member", k, value))
        return value

    def enter(self, k: int, iterable: Any) -> Any:
        self.events.append(("enter", k))
        return iterable

    def tick(self, k: int) -> bool:
        self.events.append(("tick", k))
        return self.stop(k)

    def leave(self, k: int) -> None:
        self.events.append(("leave", k))

    def shown(self, k: int, value: Any) -> None:
        self.events.append(("shown", k, value))


class Run:
    """A program that was run: rewritten, or as it is."""

    def __init__(self, code: str, *, told: bool, arithmetic: bool = True, shown: bool = False, **names: Any) -> None:
        self.places: list[Place] = []
        self.blocks: list[tuple[int, int]] = []
        self.hooks = Neutral()
        self.names: dict[str, Any] = {"__name__": "__main__", **names}
        unit = Unit("program.py", None, code, code)
        tree = ast.parse(code)
        if told:
            done = rewrite(unit, self.places, self.blocks, arithmetic=arithmetic, last_shown=shown)
            assert ast.dump(unit.tree, include_attributes=True) == ast.dump(tree, include_attributes=True)
            tree = done.tree
        self.code = compile(tree, "program.py", "exec", dont_inherit=True)
        self.ran = bytearray(len(self.blocks))
        self.error: tuple[str, list[tuple[int | None, str]]] | None = None
        output = io.StringIO()
        with published(self.hooks, self.ran), contextlib.redirect_stdout(output):
            try:
                exec(self.code, self.names)  # noqa: S102
            except BaseException as error:  # noqa: BLE001 - the program's own
                frames = traceback.extract_tb(error.__traceback__)
                lines = [(frame.lineno, frame.name) for frame in frames if frame.filename == "program.py"]
                self.error = repr(error), lines
        self.output = output.getvalue()

    def told(self, kind: str) -> list[tuple[Any, ...]]:
        return [event[2:] for event in self.hooks.events if event[0] == kind]

    def texts(self, kind: str) -> list[str]:
        """The source at the places of events."""
        lines = self.source.split("\n")
        return [cut(lines, self.places[event[1]]) for event in self.hooks.events if event[0] == kind]

    source = ""


def cut(lines: list[str], place: Place) -> str:
    if place.line == place.end_line:
        return lines[place.line - 1][place.column : place.end_column]
    inner = lines[place.line : place.end_line - 1]
    return "\n".join([lines[place.line - 1][place.column :], *inner, lines[place.end_line - 1][: place.end_column]])


@contextlib.contextmanager
def published(hooks: Neutral, ran: bytearray) -> Iterator[None]:
    builtins.__byhand__, builtins.__byhand_ran__ = hooks, ran  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del builtins.__byhand__, builtins.__byhand_ran__  # type: ignore[attr-defined]


def watch(code: str, **options: Any) -> Run:
    run = Run(code, told=True, **options)
    run.source = code
    return run


@pytest.mark.parametrize("code", SNIPPETS)
def test_a_rewritten_program_does_what_it_did(code: str) -> None:
    plain = Run(code, told=False)
    for arithmetic in (True, False):
        told = watch(code, arithmetic=arithmetic)
        assert (told.output, told.error) == (plain.output, plain.error)
        assert sorted(told.names) == sorted(plain.names)
    assert len(set(SNIPPETS)) > 70


NUMBERS = st.recursive(
    st.sampled_from(["a", "b", "c[i]", "c[1:][0]", "3", "0.5", "f(a)", "sum(c)", "(lambda: b)()"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "==", "!=", "<", "and", "or"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda text: f"(-{text})"),
        inner.map(lambda text: f"({text}) ** 2"),
        inner.map(lambda text: f"max({text}, b)"),
        inner.map(lambda text: f"[{text}, 1][0]"),
        inner.map(lambda text: f"f({text} if a else b)"),
    ),
    max_leaves=8,
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["x = ", "x += ", "x = x - ", "y = x = ", "x, y = 1 + x, "]), NUMBERS), max_size=5
    )
)
def test_made_up_statements_do_what_they_did(statements: list[tuple[str, str]]) -> None:
    first = "said = []\ndef f(v):\n    said.append(v)\n    return v\na, b, c, i, x, y = 2, 3.0, [4, 5], 1, 1, 0\n"
    code = first + "\n".join(start + value for start, value in statements) + "\nprint(a, b, c, x, y, said)"
    plain, told = Run(code, told=False), watch(code)
    assert (told.output, told.error) == (plain.output, plain.error)


def compiled(path: Path) -> tuple[Rewritten, list[Place]]:
    code, places = path.read_text("utf-8"), list[Place]()
    return rewrite(Unit(path.name, None, code, code), places, [], arithmetic=True), places


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_compile_and_their_places_are_in_them(path: Path) -> None:
    done, places = compiled(path)
    compile(done.tree, path.name, "exec", dont_inherit=True)
    lines = path.read_text("utf-8").split("\n")
    assert len(places) > 20
    for place in places:
        text = cut(lines, place)
        assert is_whole(text) or is_whole(f"({text})") or is_whole(f"{text}: pass"), place


def is_whole(text: str) -> bool:
    with contextlib.suppress(SyntaxError):
        return len(ast.parse(text).body) == 1
    return False


def borrowed(name: str) -> ModuleType:
    """A module of the standard library, rewritten, under another name."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    done, _ = compiled(Path(spec.origin))
    module = ModuleType(f"rewritten_{name}")
    module.__file__ = spec.origin
    module.__package__ = name.rpartition(".")[0] if not spec.submodule_search_locations else name
    sys.modules[module.__name__] = module  # dataclasses look there
    exec(compile(done.tree, spec.origin, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    return module


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("json.decoder", lambda m: m.JSONDecoder().decode('{"a": [1, 2.5, "x\\u00e9"], "b": null}')),
        ("json.encoder", lambda m: m.JSONEncoder(indent=1, sort_keys=True).encode({"b": [1, 2.5], "a": "é"})),
        ("textwrap", lambda m: (m.fill("the quick brown fox " * 9, 30), m.dedent("  a\n   b\n"))),
        (
            "statistics",
            lambda m: (m.stdev([1, 2, 4.5]), m.median([3, 1, 2]), m.linear_regression([1, 2, 3], [2, 4, 7])),
        ),
        ("dataclasses", lambda m: repr(m.make_dataclass("P", ["x", ("y", int, 3)], order=True)(1))),
        ("fractions", lambda m: [str(m.Fraction(3, 4) + m.Fraction("0.1")), str(m.Fraction(7, 3) ** -2)]),
        ("heapq", lambda m: (m.nsmallest(3, [5, 1, 4, 2]), list(m.merge([1, 4], [2, 3])))),
        ("ast", lambda m: m.dump(m.parse("x = 1 + f(y)[2]"))),
        ("difflib", lambda m: list(m.unified_diff(["a", "b", "c"], ["a", "x", "c"]))),
        ("calendar", lambda m: m.TextCalendar().formatmonth(2024, 2)),
        (
            "string",
            lambda m: m.Template("$a ${b}").substitute(a=1, b=2) + m.Formatter().format("{0:>4}{x!r}", 1, x="y"),
        ),
        ("tokenize", lambda m: [t.string for t in m.generate_tokens(io.StringIO("if x == 1:\n  f(y)\n").readline)]),
    ],
)
def test_modules_of_the_standard_library_do_what_they_did(name: str, use: Callable[[Any], Any]) -> None:
    hooks = Neutral()
    with published(hooks, bytearray(10_000)):
        told = use(borrowed(name))
    assert told == use(importlib.import_module(name))
    assert hooks.events


def test_what_is_told_of_a_line_of_each_kind() -> None:
    run = watch(
        "w = [1, 2]\nlr = 3\nw = w + [lr]\nlr -= 1\nprint(lr == 2, -lr, w[lr])\n"
        "self = type('O', (), {})()\nself.a = 4\n"
    )
    assert run.told("named") == [
        ("lr", 3),
        ("self", run.names["self"]),
        ("self.a", 4),
    ]
    assert run.texts("named") == ["3", "type('O', (), {})()", "4"]
    assert run.told("rebound") == [("w", [1, 2], [1, 2, 3])]
    assert run.texts("rebound") == ["w = w + [lr]"]
    assert run.told("changed") == [("lr", "sub", 2)]
    assert run.texts("changed") == ["lr -= 1"]
    assert run.told("compare") == [("==", 2, 2)]
    assert run.texts("compare") == ["lr == 2"]
    assert run.told("unary") == [("neg", 2)]
    assert run.told("item") == [([1, 2, 3], 2)]
    assert run.told("call") == [(print, (True, -2, 3), {})]
    assert run.texts("call") == ["print(lr == 2, -lr, w[lr])"]


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("W = W - 2 * g", "W"),
        ("W = g + W", "W"),
        ("W = abs(W - g)", "W"),
        ("W = (W - g).conjugate()", "W"),
        ("W = W * 0.9 - g", "W"),
        ("W = W - g - g", "W"),
        ("W = (W - g) * 2", "W"),
        ("W: float = W - g", "W"),
        ("p['W'] = p['W'] - g", "p['W']"),
        ('p["W"] = p["W"] - g', 'p["W"]'),
        ("p[f'{k}'] = p[f'{k}'] + g", "p[f'{k}']"),
        ("o.W = o.W - g", "o.W"),
        ("o.ps[i + 1].W = o.ps[i + 1].W - g", "o.ps[i + 1].W"),
        ("W, k = W - g, 'V'", "W"),
        ("W = complex(real=W - g)", "W"),
        ("W = subtract(W, 2 * g)", "W"),
        ("o.W = sub(g, o.W)", "o.W"),
        ("W = add(multiply(W, 2), g)", "W"),
        ("W = abs(subtract(W, g))", "W"),
    ],
)
def test_a_step_from_the_old_value(code: str, target: str) -> None:
    o = SimpleNamespace(W=1.0)
    o.ps = [None, o]
    functions = {"add": operator.add, "subtract": operator.sub, "sub": operator.sub, "multiply": operator.mul}
    run = watch(code, W=1.0, g=0.5, p={"W": 1.0}, k="W", o=o, i=0, **functions)
    assert run.error is None
    assert [(event[0], event[1]) for event in run.told("rebound")] == [(target, 1.0)]
    assert run.texts("rebound") == [code]
    assert [name for name, _ in run.told("named")] == (["k"] if ", k" in code else [])


@pytest.mark.parametrize(
    "code",
    [
        "W = g - 1",
        "W = W * 2",
        "W = 0 if g else W - 1",
        "W = g and W - 1",
        "W = (lambda: W - 1)()",
        "W = [W + 1 for W in [1]]",
        "W, k = divmod(W + 1, 2)",
        "W = k = W + 1",
        "W = p[W - 1]",
        "W = subtract(g, 1)",
        "W = multiply(W, 2)",
    ],
)
def test_no_step_where_the_old_value_may_not_be_there(code: str) -> None:
    run = watch(code, W=1, g=0, p=[4], subtract=operator.sub, multiply=operator.mul)
    assert run.error is None
    assert run.told("rebound") == []
    assert "W" in [name for name, _ in run.told("named")]


def test_updates_of_what_can_be_read_again() -> None:
    targets = ["o.a", "p['x']", "p[k]", "p[f'{k}']", "l[i]", "l[i + 1]", "l[-1]", "o.p['x']", "p[str(k)]"]
    code = "\n".join(f"{target} -= 1" for target in [*targets, "p[chr(120)]"]) + "\nl[:] += []"
    p = {"x": 9}
    run = watch(code, o=SimpleNamespace(a=1, p=p), p=p, k="x", l=[5, 5], i=0)
    assert run.error is None
    assert [event[0] for event in run.told("changed")] == targets


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("p[i, j] -= 1", [("p", 0, 1)]),
        ("o.p[i, str(j)] += 1", [("o.p", 0, "1")]),
        ("p[i, 1:] -= 1", []),
        ("p[i] -= 1", []),
        ("p[i, j] = 1", []),
        ("p[i, j, k] *= 1", []),
        ("f()[i, j] -= 1", []),
    ],
)
def test_entries_that_are_changed(code: str, told: list[tuple[str, object, object]]) -> None:
    class Table(dict[Any, int]):
        def __hash__(self) -> int:
            return 1

        def __getitem__(self, index: Any) -> int:
            return 3

        def __setitem__(self, index: Any, value: int) -> None:
            written.append((str(index), value))

    written: list[tuple[str, int]] = []
    p = Table()
    run = watch(code, p=p, o=SimpleNamespace(p=p), i=0, j=1, k=2, f=lambda: p)
    assert run.error is None
    assert len(written) == 1
    assert [(owner is p, index) for owner, index in run.told("entry")] == [(True, tuple(rest)) for _, *rest in told]
    assert run.texts("entry") == [code for _ in told]


def test_loops_are_entered_told_and_left() -> None:
    code = "for a, (b, c) in [(1, (2, 3)), (4, (5, 6))]:\n    if a == 4: break\nn = 2\nwhile n > 0:\n    n -= 1\n"
    run = watch(code)
    loops = [event[0] for event in run.hooks.events if event[0] in ("enter", "tick", "leave")]
    assert loops == ["enter", "tick", "tick", "leave", "enter", "tick", "tick", "leave"]
    assert run.told("named")[:3] == [("a", 1), ("b", 2), ("c", 3)]
    assert run.texts("named")[:3] == ["a", "b", "c"]
    assert run.texts("enter") == ["for a, (b, c) in [(1, (2, 3)), (4, (5, 6))]", "while n > 0"]


def test_a_loop_can_be_ended_from_outside() -> None:
    code = "seen = []\nfor i in range(100):\n    seen.append(i)\nelse:\n    seen.append('else')\nseen.append('after')"
    tree, places = ast.parse(code), list[Place]()
    tree = rewrite(Unit("program.py", None, code, code), places, blocks := [], arithmetic=False).tree
    hooks = Neutral()
    hooks.stop = lambda k: sum(event[0] == "tick" for event in hooks.events) > 3
    names: dict[str, Any] = {}
    with published(hooks, bytearray(len(blocks))):
        exec(compile(tree, "program.py", "exec"), names)  # noqa: S102
    assert names["seen"] == [0, 1, 2, "after"]


def test_blocks_that_ran_and_those_that_did_not() -> None:
    code = (
        "'doc'\nif 1 > 2:\n    a = 1\n    b = 2\nelif 2 > 1:\n    c = 3\nelse:\n    d = 4\n\n"
        "def f():\n    'doc'\n    return 1\nfor i in []:\n    pass\nelse:\n    pass\n"
        "try:\n    x\nexcept NameError:\n    pass\n"
        "match 1:\n    case 1:\n        pass\n    case 2:\n        pass\n"
        "while False:\n    @f\n    class A: pass\n"
    )
    run = watch(code)
    assert run.blocks[0] == (1, 28)
    assert [block for block, ran in zip(run.blocks, run.ran, strict=True) if ran] == [
        (1, 28),
        (5, 8),
        (6, 6),
        (16, 16),
        (20, 20),
        (23, 23),
    ]
    assert [block for block, ran in zip(run.blocks, run.ran, strict=True) if not ran] == [
        (3, 4),
        (8, 8),
        (11, 12),
        (14, 14),
        (25, 25),
        (27, 28),
    ]


def test_units_share_one_list_of_places_and_one_of_blocks() -> None:
    places, blocks = [Place("other.py", 1, 0, 1, 1)], [(1, 1), (2, 2)]
    done = rewrite(Unit("a.py", 3, "x = 1", "x = 1"), places, blocks, arithmetic=False)
    assert (done.first_block, done.blocks) == (2, ((1, 1),))
    assert blocks == [(1, 1), (2, 2), (1, 1)]
    assert places[1:] == [Place("a.py", 1, 4, 1, 5, 3)]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("'text'", "text"),
        ("print('a')", None),
        ("if True: 3", None),
        ("", None),
        ("3 ;\n# end\n", None),
        ("x = 1\nx + 1", 2),
        ("x = 1\nx + 1;", None),
        ("(1 +\n 2)  # three; or so", 3),
        ("(3); # no", None),
        ("x = 3", None),
    ],
)
def test_the_last_value_of_a_cell(cell: str, shown: object) -> None:
    run = watch(cell, shown=True)
    assert [value for (value,) in run.told("shown") if value is not None] == ([] if shown is None else [shown])
    assert watch(cell).told("shown") == []


def test_arithmetic_is_told_only_where_it_is_asked_for() -> None:
    code = "y = -x + x * 2\nz = x.T\nq = l[x:], l[0], l[i], m[i, 0]"
    names: dict[str, Any] = {"x": type("X", (int,), {"T": 5})(3), "l": [1, 2, 3, 4], "i": 1, "m": {(1, 0): 2}}
    told, quiet = watch(code, **names), watch(code, arithmetic=False, **names)
    assert [event[0] for event in told.told("binary")] == ["mul", "add"]
    assert told.texts("binary") == ["x * 2", "-x + x * 2"]
    assert told.told("attribute") == [(3, "T")]
    assert told.told("item") == [([1, 2, 3, 4], slice(3, None)), ([1, 2, 3, 4], 1), ({(1, 0): 2}, (1, 0))]
    assert quiet.told("binary") == quiet.told("unary") == quiet.told("attribute") == []
    assert quiet.told("item") == [([1, 2, 3, 4], 1), ({(1, 0): 2}, (1, 0))]


def test_compiled_functions_and_texts_are_left_alone() -> None:
    run = watch(
        "def njit(f): return f\n@njit\ndef f(x):\n    for i in range(2): x = x + 1\n    return x\n"
        "y = f(1)\ns = 'a' + str(y) + 'b'"
    )
    assert run.names["s"] == "a3b"
    assert run.told("binary") == run.told("enter") == run.told("rebound") == []


def test_an_event_in_an_f_string_has_the_place_of_the_whole_where_python_knows_no_better() -> None:
    code = "x = 2\ny = f'{x == 2} {sum([x])}'"
    run = watch(code)
    whole = "f'{x == 2} {sum([x])}'"
    assert run.texts("compare") + run.texts("call") == (
        ["x == 2", "sum([x])"] if sys.version_info >= (3, 12) else [whole, whole]
    )


def test_columns_count_characters() -> None:
    run = watch("é, x = 'ü', 3; é == 'ü'")
    assert run.texts("compare") == ["é == 'ü'"]


def test_positions_of_what_is_not_told_stay_as_they_were() -> None:
    code = "def f(a):\n    b = g(a,\n      h(a)) ; c = b.k(3)\n    return c"
    plain, told = Run(code, told=False), watch(code)

    def spans(run: Run) -> set[tuple[int | None, ...]]:
        inner = next(const for const in run.code.co_consts if hasattr(const, "co_positions"))
        return set(inner.co_positions())

    calls = {(2, 3, 8, 11), (3, 3, 6, 10), (3, 3, 18, 24)}
    assert calls <= spans(plain)
    assert calls <= spans(told)


def test_library_attributes_are_not_read_again() -> None:
    code = "import lib\nlib.a = 1\nlib.b.c = 2\nx.grad = None\nx.y = 3\nx.z.y = 4\nself = x\nself.z.y = 5"
    lib = ModuleType("lib")
    lib.b = SimpleNamespace()  # type: ignore[attr-defined]
    sys.modules["lib"] = lib
    try:
        run = watch(code, x=SimpleNamespace(z=SimpleNamespace()))
    finally:
        del sys.modules["lib"]
    assert run.error is None
    assert [name for name, _ in run.told("named")] == ["x.y", "self", "self.z.y"]


def test_a_tree_too_deep_to_walk_is_left_as_it_is() -> None:
    code = "y = " + " + ".join(["x"] * 900)
    places, blocks = [Place("other.py", 1, 0, 1, 1)], [(1, 1)]
    done = rewrite(Unit("program.py", None, code, code), places, blocks, arithmetic=True)
    assert (len(places), blocks, done.blocks) == (1, [(1, 1)], ())
    names = {"x": 1}
    exec(compile(done.tree, "program.py", "exec"), names)  # noqa: S102
    assert names["y"] == 900


def test_code_that_is_no_python_is_said_as_python_says_it() -> None:
    with pytest.raises(SyntaxError, match="invalid syntax"):
        rewrite(Unit("program.py", None, "x = = 2", "x = = 2"), [], [], arithmetic=False)


def test_calls_that_look_at_their_caller_are_never_among_those_told() -> None:
    assert not CALLS & {"super", "locals", "globals", "vars", "dir", "eval", "exec", "breakpoint", "input"}


def test_what_becomes_an_entry_is_told():
    run = watch(
        'd = {}\nfor i in range(2):\n    d["a" + str(i)] = i + 1\nd["b"], d[3] = d["a0"] + 1, 3 + i\nd["c"] = 9'
    )
    assert run.told("member") == [(1,), (2,), (2,)]
    run = watch("l = [i for i in range(3)]\nm = [1, 2]\nl.append(m[0] + 1)")
    assert run.told("named") == [("l", [0, 1, 2, 2])]  # what is written out says itself where each part was made
    assert run.told("kept") == [(2,)]
