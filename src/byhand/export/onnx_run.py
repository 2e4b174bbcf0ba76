"""What an ONNX model answers, by onnxruntime where it is installed, else by the onnx package's own evaluator."""

import importlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from byhand.errors import DataError

__all__ = ["Answers", "answers", "onnx_package"]


class Answers(NamedTuple):
    """The three outputs, and who computed them."""

    logits: NDArray[np.float32]  # (N, C)
    probs: NDArray[np.float32]  # (N, C)
    label: NDArray[np.int64]  # (N,)
    by: str  # name and version


def onnx_package(*modules: str) -> Any:
    """The onnx package, with those of its modules loaded that are named.

    Raises:
        DataError: it is not installed.
    """
    try:
        for module in modules:
            importlib.import_module(f"onnx.{module}")
        return importlib.import_module("onnx")
    except ImportError as error:
        raise DataError('writing ONNX needs the onnx package; pip install "byhand[onnx]"') from error


def answers(model: bytes, images: NDArray[np.uint8]) -> Answers:
    """Run a model that byhand has written on images (N, H, W)."""
    names, fed = ["logits", "probs", "label"], {"images": images}
    try:
        runtime: Any = importlib.import_module("onnxruntime")
    except ImportError:
        onnx = onnx_package("reference")
        logits, probs, label = onnx.reference.ReferenceEvaluator(onnx.load_from_string(model)).run(names, fed)
        return Answers(logits, probs, label, f"onnx {onnx.__version__}'s reference evaluator")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of devices that nobody asked for
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    logits, probs, label = session.run(names, fed)
    return Answers(logits, probs, label, f"onnxruntime {runtime.__version__}")
