"""IPython's cells as plain Python: what runs, what goes, and that lines stay where they were."""

from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from byhand.doctor.text.magics import plain_code

CASES = [
    # What it says, its Python, the lines left out.
    ("x = 1\ny = x % 2", "x = 1\ny = x % 2", ()),
    ("", "", ()),
    ("%matplotlib inline\nimport x", "\nimport x", (1,)),
    ("%load_ext autoreload\n%autoreload 2\n%config A.b = 'c'", "\n\n", (1, 2, 3)),
    ("if a:\n    !ls \\\n  -l\n    y = 1\nelse:\n\t%cd x", "if a:\n    pass\n\n    y = 1\nelse:\n\tpass", (2, 3, 6)),
    ("%time f(2)\n%timeit -n 10 -r3 g(3)\n%prun -s cumulative -q h(4)", "f(2)\ng(3)\nh(4)", ()),
    ("for i in y:\n    %time f(i)", "for i in y:\n    f(i)", ()),
    ("%time for i in y: f(i)", "for i in y: f(i)", ()),
    ("%time x = 1 + \\\n  2", "x = 1 + \\\n  2", ()),
    ("%time", "", (1,)),
    ("%lprun -f f -f g f(3)\n%memit f(4)", "f(3)\nf(4)", ()),
    ("x = %time f(3)", "x =       f(3)", ()),
    ("x = %env HOME\ny, z = !ls {x} | wc", "x = None\ny, z = []", (1, 2)),
    ("%run a.py\n%env A=b\n%set_env A b\n%pip install a; ls", "\n\n\n", (1, 2, 3, 4)),
    ("x?\n?x\nx.y??\n%time?\nx = 1", "\n\n\n\nx = 1", (1, 2, 3, 4)),
    ('!pip install "a>=3" \'b\nx = 2\n!!echo "c', "\nx = 2\n", (1, 3)),
    ("s = '''\n%time x\n!ls\n'''\n!ls", "s = '''\n%time x\n!ls\n'''\n", (5,)),
    ("%%time\nx = 1\n!ls", "\nx = 1\n", (3,)),
    ("\n\n%%capture\n%%time\n# so\nx = 1", "\n\n\n\n# so\nx = 1", ()),
    ("#@title A form\n%%time\nx = 1", "#@title A form\n\nx = 1", ()),
    ("%%timeit -n 3 x = 3\ny = x", "x = 3\ny = x", ()),
    ("%%bash\nls\necho $x", "\n\n", (1, 2, 3)),
    ("%%html\n<b>", "\n", (1, 2)),
    ("%%python\nprint(1)", "\n", (1, 2)),
    ("%%unheard_of\nx = 1\n%time f()", "\nx = 1\nf()", (1,)),
    ("%%unheard_of\nx = = 1", "\n", (1, 2)),
    ("pip install torch", "", (1,)),
    ("# get it\nls", "# get it\n", (2,)),
    ("ls = 3", "ls = 3", ()),
    ("ls\nx = 1", "ls\nx = 1", ()),
    ("time f(3)", "f(3)", ()),
    ("time", "time", ()),
    ("    x = 1\n    !ls\n    y = 2", "x = 1\n\ny = 2", (2,)),
    (">>> x = 1\n>>> for i in y:\n...     z", "x = 1\nfor i in y:\n    z", ()),
    ("In [1]: x = 2\n   ...: y = 3", "x = 2\ny = 3", ()),
    ("print x\n!ls", "print x\n", (2,)),
    ("x = 'no end\n!ls", None, None),
]


@pytest.mark.parametrize(("source", "code", "skipped"), CASES)
def test_a_cell_in_plain_python(source: str, code: str | None, skipped: tuple[int, ...] | None) -> None:
    plain = plain_code(source)
    assert plain[0].count("\n") == source.count("\n")
    if code is not None:
        assert plain == (code, skipped)


# A cell that begins with %% goes to a magic as a whole, and one of a single line may be a command without its %.
PLAIN = [
    source for source, code, _ in CASES if code and not any(sign in source for sign in ("%%", "\\\n", "ls", "time f"))
]


@pytest.mark.parametrize("source", PLAIN)
def test_ipython_leaves_the_same_lines_untouched(source: str) -> None:
    theirs = TransformerManager().transform_cell(source).rstrip("\n").split("\n")
    ours = plain_code(source)[0].rstrip("\n").split("\n")
    for their, our in zip(theirs, ours, strict=False):
        if "get_ipython()" not in their:
            assert their == our


def test_what_pylab_brings() -> None:
    code, skipped = plain_code("%pylab inline\nx = array([1, 2])")
    assert skipped == ()
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102
    assert {"np", "plt", "numpy", "array", "plot"} <= set(names)


def test_what_a_cell_captures_can_be_asked_for() -> None:
    names: dict[str, object] = {}
    exec(plain_code("%%capture --no-stderr said\nx = 1")[0] + "\nsaid.show(); y = said.stdout", names)  # noqa: S102
    assert (names["x"], names["y"]) == (1, "")


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_cell_that_writes_a_file(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, skipped = plain_code("%%writefile own.py\nx = 'é'\n\ny = \"\\n\"" + ending)
    assert skipped == tuple(range(2, 5 + len(ending)))
    exec(code, {})  # noqa: S102
    assert (tmp_path / "own.py").read_text("utf-8") == "x = 'é'\n\ny = \"\\n\"\n"
    exec(plain_code("%%writefile -a own.py\nz = 3")[0], {})  # noqa: S102
    assert (tmp_path / "own.py").read_text("utf-8").endswith('y = "\\n"\nz = 3\n')


def test_thousands_of_magics_are_left_to_whoever_has_patience() -> None:
    code, _ = plain_code("!ls\n" * 100)
    assert code.strip() == ""
    assert "!ls" in plain_code("!ls\n" * 20_000)[0]
    assert "%%time" in plain_code("%%time\n" * 20_000)[0]
    assert plain_code("%%odd\n" * 20_000)[0].count("\n") == 20_000


@pytest.mark.parametrize("code", ["%%time\nfor i in x:\n    f()\n g()\nx?", "x = " + "-" * 100_000 + "1"])
def test_what_python_cannot_even_take_apart_comes_back(code: str) -> None:
    assert plain_code(code)[0].split("\n")[1:] == code.split("\n")[1:]
