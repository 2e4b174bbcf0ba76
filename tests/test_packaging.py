"""What is handed out: the wheel and the sdist, installed into an environment that has never seen the source."""

import email
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

import byhand

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
pytestmark = pytest.mark.full

Run = Callable[..., subprocess.CompletedProcess[str]]


def build(source: Path, target: str, out: Path) -> Path:
    """The file that hatchling makes, without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [file] = out.iterdir()
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel; what byhand needs is found where these tests have it, byhand itself is not."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True, env=clean())
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-I", "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
    Path(packages, "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def clean() -> dict[str, str]:
    """This environment without what would lead Python back to the source."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BYHAND_", "MNIST_"))}


@pytest.fixture
def run(environment: Path, tmp_path: Path, home: Path) -> Run:
    """Starts the installed command in an empty folder."""

    def start(*args: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        command = [str(environment.with_name("byhand")), *args]
        done = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return start


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    wanted = {
        file.relative_to(SRC).as_posix()
        for file in (SRC / "byhand").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == wanted
    for data in ("py.typed", "play/static/index.html", "evaluate/report.html.jinja", "doctor/cases/unseeded/why.md"):
        assert f"byhand/{data}" in held


def test_the_wheel_says_what_pyproject_says(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        fields = email.message_from_bytes(archive.read(name))
        assert [name for name in archive.namelist() if name.endswith("/LICENSE")]
    assert fields["Version"] == project["version"] == byhand.__version__
    assert set(fields.get_all("Provides-Extra") or []) == set(project["optional-dependencies"])
    needed = [line for line in fields.get_all("Requires-Dist") or [] if ";" not in line]
    assert {re.split(r"[^\w-]", line)[0] for line in needed} == {
        re.split(r"[^\w-]", d)[0] for d in project["dependencies"]
    }


def test_the_sdist_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11 knows it from 3.11.4 on
        archive.extractall(tmp_path / "source")  # noqa: S202, our own
    [source] = (tmp_path / "source").iterdir()
    again = build(source, "wheel", tmp_path / "again")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        contents = [{name: archive.read(name) for name in archive.namelist()} for archive in (first, second)]
    assert contents[0] == contents[1]


def test_the_sdist_holds_what_its_tests_and_scripts_need(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LOG.md", "LICENSE", "constraints.txt", "pyproject.toml"}
    wanted |= {"scripts/_venv", "scripts/docs", "docs/conf.py", "docs/site/pages.py", "docs/play/screen-light.png"}
    wanted |= {"tests/conftest.py", "examples/by_hand.ipynb", "benchmarks/measure.py"}
    assert wanted <= held
    assert not [name for name in held if "__pycache__" in name or name.startswith((".venv", "build", "runs"))]


def test_the_installed_package_is_the_one_that_is_used(environment: Path, tmp_path: Path) -> None:
    code = (
        "import byhand, byhand.loss; from importlib import metadata; print(byhand.__file__, metadata.version('byhand'))"
    )
    done = subprocess.run(
        [environment, "-c", code], cwd=tmp_path, env=clean(), capture_output=True, text=True, check=True
    )
    file, version = done.stdout.split()
    assert Path(file).is_relative_to(environment.parents[1])
    assert version == byhand.__version__


def test_from_training_to_a_page_that_needs_nothing(run: Run, tmp_path: Path) -> None:
    assert "doctor" in run("--help").stdout
    run("train", "digits", "--epochs", "5", "--out", "first")
    assert json.loads((tmp_path / "first" / "run.json").read_text())["status"] == "finished"
    assert "yours has learnt" in run("evaluate", "first", "--budget", "5").stdout
    assert "<svg" in (tmp_path / "first" / "report.html").read_text("utf-8")
    run("export", "first", "-o", "digit.html")
    assert "<script" in (tmp_path / "digit.html").read_text("utf-8")


def test_the_doctor_runs_an_example_and_knows_its_pages(run: Run, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "first_attempt.py", tmp_path)
    options = ["--no-prove", "--json", "-o", "report.html"]
    done = run("doctor", "first_attempt.py", *options, "--", "--data", "digits", "--epochs", "5", status=1)
    found = {finding["check"] for finding in json.loads(done.stdout)["findings"]}
    assert {"broadcast-accuracy", "class-sorted-batches"} <= found
    assert "broadcast-accuracy" in (tmp_path / "report.html").read_text("utf-8")
    page = (SRC / "byhand" / "doctor" / "cases" / "dead-relus" / "why.md").read_text("utf-8")
    assert json.loads(run("explain", "dead-relus", "--json").stdout)["text"] == page


def test_the_page_is_served_with_all_that_it_loads(environment: Path, tmp_path: Path, home: Path) -> None:
    command = [str(environment.with_name("byhand")), "play", "digits", "--no-browser", "--json", "--port", "0"]
    process = subprocess.Popen(command, cwd=tmp_path, env=clean(), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        text = browser.open(url).read().decode()
        loaded = re.findall(r'(?:src|href)="([^"#:]+)"', text)
        assert any(name.endswith(".js") for name in loaded)
        assert any(name.endswith(".css") for name in loaded)
        for name in loaded:
            assert browser.open(f"{url.partition('?')[0]}{name.lstrip('/')}").status == 200
    finally:
        process.send_signal(signal.CTRL_C_EVENT if sys.platform == "win32" else signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
