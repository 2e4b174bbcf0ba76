"""Imports from the program's own folder, in processes of their own: they change how Python finds modules."""

import subprocess
import sys
from pathlib import Path

PRELUDE = """
import sys
from pathlib import Path
from byhand.doctor.watch.imports import install, main_module, run
seen = []
def compile_code(path, name):
    seen.append(name)
    return compile(path.read_text("utf-8").replace("OLD", "NEW"), str(path), "exec", dont_inherit=True)
folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
install(folder, compile_code)
"""


def python(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", PRELUDE + code, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def test_modules_and_packages_of_the_folder_alone(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "one.py": "word = 'OLD'\ndef f():\n    return word  # OLD\n",
            "pack/__init__.py": "from .inner import word\nfrom . import deep\n",
            "pack/inner.py": "word = 'OLD'\n",
            "pack/deep/__init__.py": "word = __package__ + 'OLD'\n",
            "space/part.py": "word = 'OLD'\n",
            "time.py": "raise ImportError('built-in modules go first')\n",
            ".venv/pyvenv.cfg": "",
            ".venv/lib/thing.py": "word = 'OLD'\n",
            "env/site-packages/other.py": "word = 'OLD'\n",
        },
    )
    code = """
import inspect, time, one, pack, space.part, textwrap, json
sys.path += [str(folder / ".venv" / "lib"), str(folder / "env" / "site-packages")]
import thing, other
print(one.word, pack.word, pack.deep.word, space.part.word, thing.word, other.word)
print(*seen)
print(repr(inspect.getsource(one.f)))
print(one.__name__, one.__package__ == "", one.__spec__.name, Path(one.__file__).name)
print(pack.__path__ == [str(folder / "pack")])
import importlib
(folder / "one.py").write_text("word = 'OLD again'")
print(importlib.reload(one).word)
"""
    assert python(code, tmp_path).splitlines() == [
        "NEW NEW pack.deepNEW NEW OLD OLD",
        "one pack pack.inner pack.deep space.part",
        repr("def f():\n    return word  # OLD\n"),
        "one True one one.py",
        "True",
        "NEW again",
    ]
    assert not list((tmp_path / "pack").rglob("*.pyc"))


def test_faults_of_a_module_come_out_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, {"bad.py": "x = = 1\n", "fails.py": "\n1 / 0\n"})
    code = """
import traceback
for name in ("bad", "fails", "missing"):
    try:
        __import__(name)
    except (SyntaxError, ZeroDivisionError, ImportError) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)]
        print(repr(error)[:24], lines[-1:], name in sys.modules)
"""
    lines = python(code, tmp_path).splitlines()
    assert lines[0].startswith("SyntaxError")
    assert lines[0].endswith("False")
    assert lines[1] == "ZeroDivisionError('divis [2] False"
    assert lines[2].startswith("ModuleNotFoundError")


def test_the_library_in_the_folder_is_not_the_users(tmp_path: Path) -> None:
    code = """
import sysconfig
sys.meta_path = [one for one in sys.meta_path if type(one).__name__ != "_Finder"]
install(Path(sysconfig.get_path("stdlib")).parent, compile_code)
for name in ("textwrap", "json", "json.decoder"):
    sys.modules.pop(name, None)
import json, textwrap
import byhand.errors
install(Path(byhand.errors.__file__).parents[1], compile_code)
del sys.modules["byhand.errors"]
import byhand.errors
print(seen)
"""
    assert python(code, tmp_path) == "[]\n"


def test_main_is_as_python_has_it(tmp_path: Path) -> None:
    script = """
import pickle, sys, inspect
class A:
    pass
print(__name__, __package__, __spec__, __cached__, __doc__, __annotations__, type(__loader__).__name__, __file__)
print(type(pickle.loads(pickle.dumps(A()))) is A, sys.modules["__main__"].A is A, __builtins__.len([1]))
print(inspect.getsource(A), sorted(globals()))
"""
    write(tmp_path, {"script.py": script})
    code = """
path = folder / 'script.py'
run(compile(path.read_text(), str(path), 'exec', dont_inherit=True), main_module(path))
"""
    told = python(code, tmp_path)
    plain = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=True).stdout
    assert told == plain


def test_the_main_of_a_notebook_has_no_file(tmp_path: Path) -> None:
    code = """
main = main_module(folder / "a.ipynb", notebook=True)
run(compile("x = 1", "cell 1", "exec"), main)
run(compile("print(x, '__file__' in globals(), __name__)", "cell 2", "exec"), main)
"""
    assert python(code, tmp_path) == "1 False __main__\n"
