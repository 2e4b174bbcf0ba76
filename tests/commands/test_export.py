"""``byhand export``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def run(call: Callable[..., Any], tmp_path: Path) -> Path:
    assert call("train", "digits", "--epochs", "1", "--out", "run", "--quiet").status == 0
    return tmp_path / "run"


def test_a_run_becomes_one_page(call: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    done = call("export", run, "-o", "digit.html")
    assert done.status == 0
    assert done.out.startswith("digit.html: ")
    page = (tmp_path / "digit.html").read_text("utf-8")
    assert "<title>Linear model, trained on digits</title>" in page
    done = call("export", run, "-o", "other.html", "--json")
    assert json.loads(done.out) == {"schema": "byhand.export/1", "file": "other.html", "max_difference": 0}
    assert call("export", run, "-o", "digit.html", "--quiet").out == ""


def test_what_stops_it_is_one_line(call: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    assert ".html" in call("export", run, "-o", "digit.pdf").error(2)
    assert "-o" in call("export", run).error(2)
    assert "not a run" in call("export", tmp_path, "-o", "digit.html").error(3)
    assert "cannot write" in call("export", run, "-o", "nowhere/digit.html").error(3)
    assert not list(tmp_path.glob("*.pdf"))


def test_a_run_becomes_an_onnx_model(call: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    done = call("export", run, "-o", "model.onnx")
    assert done.status == 0
    assert done.out.startswith("model.onnx: ")
    assert "no probability differs from the run's by more than" in done.out
    fields = json.loads(call("export", run, "-o", "other.ONNX", "--json").out)
    assert fields.keys() == {"schema", "file", "max_difference", "max_logit_difference", "measured_by", "opset"}
    assert (fields["schema"], fields["file"]) == ("byhand.export/1", "other.ONNX")
    assert 0 <= fields["max_difference"] <= 1e-5
    assert fields["measured_by"] == f"onnxruntime {onnxruntime.__version__}"
    assert call("export", run, "-o", "model.onnx", "--quiet").out == ""
    assert (tmp_path / "model.onnx").read_bytes() == (tmp_path / "other.ONNX").read_bytes()
    assert "cannot write" in call("export", run, "-o", "nowhere/m.onnx").error(3)
    assert ".html" in call("export", run, "-o", "onnx").error(2)
