"""A run as an ONNX model: what it answers beside the run, what it says of itself, and what it refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

import byhand
from byhand import cli
from byhand.data.load import load
from byhand.errors import DataError, UsageError
from byhand.export import onnx_model
from byhand.export.onnx_layers import Graph, add
from byhand.export.onnx_model import IR_VERSION, OPSET, export, onnx_bytes
from byhand.layers import Dropout, Linear, ReLU
from byhand.model import MLP, LinearClassifier, Sequential
from byhand.runs import load_run


def model(
    *hidden: int, pixels: int = 784, classes: int = 10, init: str = "kaiming", dropout: float = 0.0
) -> Sequential:
    generator = torch.Generator().manual_seed(0)
    if not hidden:
        return LinearClassifier(pixels, classes, init, generator)
    return MLP(pixels, hidden, classes, dropout, init, generator).eval()


def record(**data: Any) -> dict[str, Any]:
    plain = {"source": "mnist", "classes": [str(i) for i in range(10)], "shape": [28, 28], "valid": 6000}
    return {"data": plain | data, "results": {"valid_accuracy": 0.9216}}


def ask(content: bytes, images: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["logits", "probs", "label"], {"images": images})


def ours(net: Sequential, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with torch.inference_mode():
        logits = net(torch.tensor(images.reshape(len(images), -1)))
    return logits.numpy(), torch.softmax(logits, 1).numpy()


def noise(n: int, side: int = 28, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side), np.uint8)


@pytest.fixture(scope="module")
def runs(mnist_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on MNIST, ``linear`` and ``mlp``, of one epoch each."""
    place = tmp_path_factory.mktemp("onnx")
    kinds = {"linear": ["--lr", "0.3"], "mlp": ["--lr", "0.1", "--hidden", "64,32", "--dropout", "0.1"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYHAND_HOME", str(place / "home"))
        for name, options in kinds.items():
            line = ["train", str(mnist_path), "--quiet", "--epochs", "1", "--out", str(place / name), *options]
            assert cli._run(line) == 0
    return place


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_on_the_10_000_test_images_it_answers_as_the_run_does(kind: str, runs: Path, mnist_path: Path) -> None:
    file = runs / f"{kind}.onnx"
    made = export(runs / kind, file)
    images = load(mnist_path).test.images
    assert len(images) == 10_000
    logits, probs, label = ask(file.read_bytes(), np.asarray(images))
    net, told = load_run(runs / kind)
    our_logits, our_probs = ours(net, images)
    difference, logit_difference = np.abs(probs - our_probs).max(), np.abs(logits - our_logits).max()
    most = np.abs(logits).max()
    print(f"{kind}: probabilities differ by {difference:.1e}, logits of up to {most:.0f} by {logit_difference:.1e}")
    assert difference <= 1e-5
    assert logit_difference <= 1e-4
    assert made.max_difference <= 1e-5
    assert made.by == f"onnxruntime {onnxruntime.__version__}"
    two = np.sort(our_probs, axis=1)
    sure = two[:, -1] - two[:, -2] > 1e-5
    np.testing.assert_array_equal(label[sure], our_probs.argmax(axis=1)[sure])
    assert sure.mean() > 0.999
    assert (probs.dtype, probs.shape, label.dtype, label.shape) == (np.float32, (10_000, 10), np.int64, (10_000,))
    properties = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert json.loads(properties["accuracy"])["valid"]["value"] == told["results"]["valid_accuracy"]
    assert properties["data"] == mnist_path.name


def test_what_is_stated_is_what_is_measured(runs: Path, tmp_path: Path) -> None:
    from byhand.export.made_up import made_up

    made = export(runs / "mlp", tmp_path / "m.onnx")
    pictures = made_up((28, 28))
    logits, probs, _ = ask((tmp_path / "m.onnx").read_bytes(), pictures)
    our_logits, our_probs = ours(load_run(runs / "mlp")[0], pictures)
    assert made.max_difference == pytest.approx(np.abs(probs - our_probs).max(), abs=1e-7)
    assert made.max_logit_difference == pytest.approx(np.abs(logits - our_logits).max(), rel=0.5)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 20), max_size=3),
    st.integers(1, 9),
    st.integers(2, 12),
    st.sampled_from([1, 2, 33]),
    st.integers(0, 999),
)
def test_any_perceptron_is_carried_and_two_runtimes_agree(
    hidden: list[int], side: int, classes: int, rows: int, seed: int
) -> None:
    net = model(*hidden, pixels=side * side, classes=classes, dropout=0.5)
    content = onnx_bytes(net, record(classes=[f"c{i}" for i in range(classes)], shape=[side, side]))
    images = noise(rows, side, seed)
    our_logits, our_probs = ours(net, images)
    for logits, probs, label in (
        ask(content, images),
        ReferenceEvaluator(onnx.load_from_string(content)).run(["logits", "probs", "label"], {"images": images}),
    ):
        np.testing.assert_allclose(logits, our_logits, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(probs, our_probs, atol=1e-5)
        np.testing.assert_array_equal(label, logits.argmax(axis=1))


def test_it_says_what_it_is_and_not_where_its_data_lay() -> None:
    told = record(source="/secret/place/mnist", classes=["zero", "ü", "\udcff\n", *"3456789"])
    told["evaluation"] = {"accuracy": {"value": 0.92, "low": 0.91, "high": 0.93, "n": 10_000}}
    content = onnx_bytes(model(30), told)
    made = onnx.load_from_string(content)
    onnx.checker.check_model(made, full_check=True)
    assert ([(one.domain, one.version) for one in made.opset_import], made.ir_version) == ([("", OPSET)], IR_VERSION)
    assert (made.producer_name, made.producer_version) == ("byhand", byhand.__version__)
    assert "784-30-10" in made.doc_string
    assert b"secret" not in content
    properties = {entry.key: entry.value for entry in made.metadata_props}
    assert properties.keys() == {"classes", "scaling", "data", "accuracy", "byhand_version"}
    assert json.loads(properties["classes"]) == told["data"]["classes"]
    assert properties["data"] == "mnist"
    assert "255 inside the model" in properties["scaling"]
    assert json.loads(properties["accuracy"]) == {
        "valid": {"value": 0.9216, "n": 6000},
        "test": told["evaluation"]["accuracy"],
    }
    shapes = {
        one.name: [d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim]
        for one in [*made.graph.input, *made.graph.output]
    }
    assert shapes == {"images": ["N", 28, 28], "logits": ["N", 10], "probs": ["N", 10], "label": ["N"]}
    assert [node.op_type for node in made.graph.node] == [
        "Cast", "Mul", "Flatten", "Gemm", "Relu", "Gemm", "Softmax", "ArgMax",
    ]  # fmt: skip
    assert [number.name for number in made.graph.initializer] == ["scale", "0.weight", "0.bias", "2.weight", "2.bias"]


def test_equal_runs_give_equal_bytes_and_every_operator_is_as_old_as_is_said() -> None:
    content = onnx_bytes(model(30), record())
    assert content == onnx_bytes(model(30), record())
    for node in onnx.load_from_string(content).graph.node:
        assert onnx.defs.get_schema(node.op_type, OPSET).since_version <= OPSET == 13
    assert onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", OPSET)]) == IR_VERSION


def test_pixels_of_another_kind_are_refused_by_the_runtime() -> None:
    content = onnx_bytes(model(), record())
    for wrong in (noise(2).astype(np.float32), noise(2, 27), noise(2).reshape(2, 784)):
        with pytest.raises(Exception, match=r"(?i)unexpected input data type|invalid|got"):
            ask(content, wrong)


class Mystery:
    training = False


def test_what_cannot_be_written_is_refused_in_one_line_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, unknown = model(), Sequential(Linear(784, 10), Mystery())  # type: ignore[arg-type]
    broken.parameters()[0].detach()[3, 5] = np.nan
    unknown.named_parameters = list  # type: ignore[method-assign]
    for net, reason in ((broken, "weights are not numbers"), (unknown, "cannot write a layer of the kind Mystery")):
        with pytest.raises(UsageError, match=reason) as caught:
            onnx_bytes(net, record())
        assert str(caught.value).isprintable()
    monkeypatch.setattr(onnx_model, "_MOST_BYTES", 31_399)
    with pytest.raises(UsageError, match="a file holds 2 GB"):
        onnx_bytes(model(), record())
    with pytest.raises(DataError, match="not a run"):
        export(tmp_path, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_answers_that_are_no_numbers_are_not_exported(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, told = load_run(runs / "linear")
    net.parameters()[0].detach().fill_(3e38)
    monkeypatch.setattr(onnx_model, "load_run", lambda run: (net, told))
    with pytest.raises(UsageError, match="answers with what is no number"):
        export(runs / "linear", tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_the_packages_one_line_says_what_to_install(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # import fails
    made = export(runs / "mlp", tmp_path / "m.onnx")
    assert made.by == f"onnx {onnx.__version__}'s reference evaluator"
    assert made.max_difference <= 1e-5
    for name in [name for name in sys.modules if name.split(".")[0] == "onnx"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DataError) as caught:
        export(runs / "mlp", tmp_path / "other.onnx")
    assert str(caught.value) == 'writing ONNX needs the onnx package; pip install "byhand[onnx]"'
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]


def test_layers_are_written_one_by_one_in_any_order() -> None:
    graph = Graph(onnx, (2, 2))
    inner = Sequential(ReLU(), Linear(4, 3), Dropout(0.5))
    assert add(graph, Sequential(inner, ReLU()), "", "x") == "1.relu"
    assert [(node.op_type, node.name, list(node.input)) for node in graph.nodes] == [
        ("Relu", "0.0.relu", ["x"]),
        ("Gemm", "0.1.linear", ["0.0.relu", "0.1.weight", "0.1.bias"]),
        ("Relu", "1.relu", ["0.1.linear"]),
    ]
