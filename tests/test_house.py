"""The house's own rules: which way imports go, what is public, what is never used, what is pinned."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import byhand

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
CASES = SRC / "byhand" / "doctor" / "cases"  # learners' programs, faults and all
FILES = sorted(file for file in (SRC / "byhand").rglob("*.py") if not file.is_relative_to(CASES))
IDS = [str(file.relative_to(SRC)) for file in FILES]

# A module imports from its own room and from rooms above it, never from one below.
ROOMS = [
    {"errors", "files", "json_form", "json_text", "locks", "signals", "tensor_file", "text", "templates"},
    {"data"},
    {"loss", "layers", "norm", "model", "fold", "resnet", "optim", "metrics"}
    | {"weights", "published", "progress", "threads", "wide"},
    {"batches", "capture", "learner", "lr_find", "state", "distributed", "flat", "rendezvous"},
    {"checkpoint"},
    {"settings", "networks", "record", "recipe", "runs", "predict"},
    {"evaluate"},
    {"estimators", "export", "kaggle", "play", "doctor"},
    {"classroom"},
    {"commands"},
    {"cli", "__main__"},
]
RUNS_THE_USERS_PROGRAM = {"observe.py": ("compile",), "imports.py": ("exec",)}  # of the doctor, in a child process
LONG = 350  # lines; most files have less than 150
HEAVY = {"torch", "sklearn", "scipy", "matplotlib", "pandas", "IPython", "starlette", "uvicorn"}


def module_name(file: Path) -> str:
    parts = file.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): ast.parse(file.read_text("utf-8")) for file in FILES}


def imported(node: ast.AST) -> set[str]:
    """The modules of byhand that one import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names if alias.name.split(".")[0] == "byhand"}
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "byhand":
        names = {f"{node.module}.{alias.name}" for alias in node.names}
        return {name if name in MODULES else str(node.module) for name in names}
    return set()


def room(module: str) -> int:
    name = module.split(".")[1]
    return next(i for i, names in enumerate(ROOMS) if name in names)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "byhand"])
def test_a_module_imports_only_from_its_own_room_and_those_before_it(module: str) -> None:
    assert any(module.split(".")[1] in names for names in ROOMS), f"{module} has no room; give it one in ROOMS"
    for node in ast.walk(MODULES[module]):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{module}:{node.lineno}: a relative import"
        for other in imported(node) - {"byhand"}:
            assert room(other) <= room(module), f"{module} imports {other}"
        if isinstance(node, ast.ImportFrom) and "byhand" in imported(node):
            assert {alias.name for alias in node.names} == {"__version__"}, f"{module}: import names from their homes"
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "byhand":
            assert node.attr == "__version__", f"{module}:{node.lineno}: import {node.attr} from its home"


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("byhand.doctor")])
def test_the_doctor_stands_beside_the_pipeline(module: str) -> None:
    rooms = {"errors", "files", "json_form", "json_text", "text", "templates", "doctor"}
    if module == "byhand.doctor.show.report":
        rooms |= {"evaluate", "data"}  # and what the data are handed over as
    for node in ast.walk(MODULES[module]):
        assert {other.split(".")[1] for other in imported(node) - {"byhand"}} <= rooms, f"{module}:{node.lineno}"  # type: ignore[attr-defined]


def test_no_circle_of_imports() -> None:
    graph = {
        name: set().union(*(imported(node) for node in tree.body)) - {"byhand"}
        for name, tree in MODULES.items()
        if name != "byhand"
    }
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"a circle among {sorted(graph)}"
        for name in leaves:
            del graph[name]


def test_light_modules_stay_light() -> None:
    light = [
        name
        for name in MODULES
        if name.split(".")[1:2] in ([], ["errors"], ["files"], ["data"], ["commands"], ["cli"])
        and name != "byhand.data.loader"
    ]
    assert len(light) > 5
    code = f"import importlib, sys\nfor name in {light}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_public_names_are_what_they_say() -> None:
    homes = byhand._HOMES
    assert sorted(byhand.__all__) == sorted(name for names in homes.values() for name in names)
    assert len(set(byhand.__all__)) == len(byhand.__all__)
    for home, names in homes.items():
        for name in names:
            value = getattr(byhand, name)
            assert value is getattr(importlib.import_module(home), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert value.__module__ == home
                assert inspect.getdoc(value), f"byhand.{name} has no docstring"
    assert set(byhand.__all__) <= set(dir(byhand))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        byhand.nothing  # noqa: B018


def test_editors_see_the_same_names() -> None:
    block = next(node for node in MODULES["byhand"].body if isinstance(node, ast.If))
    seen = {(alias.name, node.module) for node in block.body for alias in node.names}  # type: ignore[union-attr]
    assert seen == {(name, home) for home, names in byhand._HOMES.items() for name in names}


def test_version_is_the_installed_one() -> None:
    assert byhand.__version__ == metadata.version("byhand")


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_a_module_says_what_it_is_and_exports_what_it_has(file: Path) -> None:
    name = module_name(file)
    tree = MODULES[name]
    assert ast.get_docstring(tree), "no docstring"
    if name != "byhand.__main__":
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", []):
            assert hasattr(module, public), public


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_nothing_that_runs_what_a_file_says(file: Path) -> None:
    for node in ast.walk(MODULES[module_name(file)]):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not names & {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
        if isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            if call in RUNS_THE_USERS_PROGRAM.get(file.name, ()):
                continue
            assert call not in {"eval", "exec", "compile", "torch.load", "torch.save", "os.system"}, call
            for keyword in node.keywords:
                assert keyword.arg != "allow_pickle" or ast.unparse(keyword.value) == "False"


def test_files_can_be_read_in_one_sitting() -> None:
    files = [*FILES, *ROOT.glob("examples/*.py"), *ROOT.glob("benchmarks/*.py")]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > LONG} == {}


PAGES = sorted(file for file in (SRC / "byhand").rglob("*") if file.suffix in {".js", ".css", ".html", ".jinja"})


@pytest.mark.parametrize("file", PAGES, ids=[str(file.relative_to(SRC)) for file in PAGES])
def test_a_page_asks_nobody_and_takes_no_text_for_code(file: Path) -> None:
    text = file.read_text("utf-8")
    assert len(text.splitlines()) <= (200 if file.suffix == ".js" else LONG)
    addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`]*", text)
    assert {address for address in addresses if address != "http://www.w3.org/2000/svg"} == set()
    if file.suffix == ".js":
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
        assert text.startswith("/**"), "no words on what it is"


def test_no_place_of_one_machine_in_the_project() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    places = [r"/work\b", r"/root\b", r"/home/\w", r"/tmp/", r"/opt/", r"index[-_]url", r"find[-_]links"]  # noqa: S108
    hosts = [r"pypi\.", r"pythonhosted\.", r"download\.pytorch\.", r"registry\.npmjs\."]
    pattern = re.compile("|".join(places + hosts))
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    files = [ROOT / name for name in listed if name and (ROOT / name).is_file() and ROOT / name != Path(__file__)]
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_constraints_pin_all_that_is_installed() -> None:
    wanted, seen = ["byhand", "hatchling", "editables"], set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            extras = ["test", "docs"] if name == "byhand" else ["nodejs"] if name == "pyright" else []
            if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in ["", *extras]):
                wanted.append(canonicalize_name(requirement.name))
    own = {name for name in seen if re.match(r"nvidia-|cuda-|triton$", name)}  # pinned by torch's GPU build itself
    installed = {name: metadata.version(name).split("+")[0] for name in seen - own - {"byhand"}}
    pinned = pins()
    assert installed == {name: pinned.get(name) for name in installed}
    assert pinned["torch"] == "2.13.0"
