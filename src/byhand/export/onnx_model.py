"""A run as an ONNX model, which any of some dozen runtimes and languages can run: raw pixels in, probabilities out.

    images (N, H, W) uint8 → Cast → Mul 1/255 → Flatten → the layers → logits (N, C) → Softmax → probs (N, C)
                                                                                     → ArgMax  → label (N,) int64

The scaling is inside, so that nobody can forget it. N is open.
"""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final, cast, final

import numpy as np
import torch

from byhand import __version__
from byhand.errors import UsageError
from byhand.export.made_up import made_up
from byhand.export.onnx_layers import Graph, add
from byhand.export.onnx_run import answers, onnx_package
from byhand.files import write_atomically
from byhand.json_text import json_text
from byhand.loss import softmax
from byhand.networks import Network
from byhand.predict import predict_logits
from byhand.resnet import ResNet18
from byhand.runs import load_run
from byhand.text import one_line

__all__ = ["IR_VERSION", "OPSET", "Exported", "export", "onnx_bytes"]

OPSET: Final = 13
"""The operators' version, of 2020: the oldest whose Softmax normalizes one axis alone. onnxruntime 1.6 knows it."""

IR_VERSION: Final = 7
"""The file format that came with it; a newer one would shut out runtimes and add nothing that is used here."""

_MOST_BYTES: Final = 2**31 - 2**20  # a protobuf message has less than 2 GiB


@final
@dataclass(frozen=True, slots=True)
class Exported:
    """How far the file's answers are from the run's, over made-up pictures."""

    max_difference: float  # of a probability
    max_logit_difference: float
    by: str  # who ran the file


def export(run: str | Path, file: str | Path) -> Exported:
    """Write the ONNX model of a run's folder, once the onnx package has checked it and it was run beside the run.

    Raises:
        DataError: the folder is no run, the onnx package is missing, or the file cannot be written.
        UsageError: the model cannot be written as ONNX; why, in one line.
    """
    model, record = load_run(run)
    if isinstance(model, ResNet18):
        model.mixed = False  # the file's products are in float32
    content = onnx_bytes(model, record)
    pictures = made_up(tuple(record["data"]["shape"]))
    told = answers(content, pictures)
    logits = predict_logits(model, pictures).float()  # (N, C)
    if not bool(torch.isfinite(logits).all()):
        raise UsageError(f"the model of {run} answers with what is no number; train again with a lower --lr")
    write_atomically(Path(file), content)
    return Exported(
        float(np.abs(told.probs - softmax(logits).numpy()).max()),
        float(np.abs(told.logits - logits.numpy()).max()),
        told.by,
    )


def onnx_bytes(model: Network, record: dict[str, Any]) -> bytes:
    """The ONNX model of a run's model and record, checked by ``onnx.checker``. Equal runs give equal bytes.

    Args:
        model: for pixels divided by 255.
        record: what ``run.json`` holds. Of it, ``data`` (``source``, ``classes``, ``shape``), ``results`` and, after an
            evaluation, ``evaluation`` go into the file; of the source its name alone, not where it lay.

    Raises:
        DataError: the onnx package is missing.
        UsageError: a layer cannot be written, the model is too large, or its weights are no numbers.
    """
    size = 4 * sum(p.numel() for p in model.parameters())
    if size > _MOST_BYTES:
        raise UsageError(f"ONNX: a file holds 2 GB, the weights have {size / 1e9:.1f}; train with fewer --hidden units")
    onnx = onnx_package("helper", "checker", "numpy_helper")
    data: dict[str, Any] = record["data"]
    classes, (height, width) = len(data["classes"]), data["shape"]
    graph = Graph(onnx, (height, width))
    pixels = graph.node("Cast", "pixels", "images", to=onnx.TensorProto.FLOAT)
    scaled = graph.node("Mul", "scaled", pixels, graph.number("scale", np.array([1 / 255], np.float32)))
    add(graph, model, "", graph.node("Flatten", "flat", scaled, axis=1))
    graph.nodes[-1].output[0] = "logits"
    graph.node("Softmax", "probs", "logits", axis=1)
    graph.node("ArgMax", "label", "logits", axis=1, keepdims=0)
    made = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "classifier",
            [_told(onnx, "images", "UINT8", ["N", height, width])],
            [_told(onnx, name, "FLOAT", ["N", classes]) for name in ("logits", "probs")]
            + [_told(onnx, "label", "INT64", ["N"])],
            graph.numbers,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="byhand",
        producer_version=__version__,
        doc_string=_about(model, data),
    )
    onnx.helper.set_model_props(made, _properties(record))
    onnx.checker.check_model(made, full_check=True)
    return cast("bytes", made.SerializeToString(deterministic=True))


def _told(onnx: Any, name: str, kind: str, shape: list[str | int]) -> Any:
    return onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape)


def _about(model: Network, data: dict[str, Any]) -> str:
    height, width = data["shape"]
    return (
        f"A classifier {'-'.join(map(str, model.sizes))}, trained by byhand on {_name(data)}. images: (N, {height}, "
        f"{width}) of uint8, grey, 0 to 255; the model divides them by 255 itself. logits and probs: one column a "
        "class, in the order of the metadata's classes. label: the place of the likeliest class in it."
    )


def _properties(record: dict[str, Any]) -> dict[str, str]:
    """The metadata, text by text; what is no plain text is JSON."""
    data: dict[str, Any] = record["data"]
    results: dict[str, Any] = record.get("results") or {}
    evaluation: dict[str, Any] = record.get("evaluation") or {}
    accuracy = {
        "valid": {"value": results.get("valid_accuracy"), "n": data.get("valid")},
        "test": evaluation.get("accuracy"),
    }
    return {
        "classes": json_text(data["classes"]),
        "scaling": "pixels 0 to 255 are divided by 255 inside the model",
        "data": _name(data),
        "accuracy": json_text(accuracy),
        "byhand_version": __version__,
    }


def _name(data: dict[str, Any]) -> str:
    return one_line(PurePath(str(data["source"])).name)  # where it lay is nobody else's business
