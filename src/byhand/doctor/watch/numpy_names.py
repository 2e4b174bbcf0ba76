"""NumPy's functions, and the metrics', by what they mean to the observer."""

import operator
from typing import Any, Final, cast

from byhand.doctor.watch.arrays import is_numpy

__all__ = ["ARITHMETIC", "CALLS", "CHOICES", "COMPARISONS", "METRICS", "PRODUCTS", "VIEWS", "operation"]

METRICS: Final = frozenset(
    {
        "accuracy_score",
        "array_equal",
        "balanced_accuracy_score",
        "classification_report",
        "confusion_matrix",
        "equal",
        "f1_score",
        "precision_score",
        "recall_score",
    }
)
PRODUCTS: Final = frozenset({"einsum", "inner", "matmul", "tensordot"})
CHOICES: Final = frozenset({"argmax", "argmin"})
VIEWS: Final = frozenset(
    {
        "array",
        "asarray",
        "astype",
        "column_stack",
        "concatenate",
        "copy",
        "expand_dims",
        "flatten",
        "hstack",
        "insert",
        "ravel",
        "reshape",
        "squeeze",
        "stack",
        "transpose",
        "vstack",
    }
)
_ALIASES: Final = {
    "dot": "matmul",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "power": "pow",
    "negative": "neg",
    "average": "mean",
    "expit": "sigmoid",
    "clip": "clamp",
    "fmax": "maximum",
    "fmin": "minimum",
}
_CALLED: Final = """
    print display dot matmul mm argmax argmin exp log log2 log1p sum mean average max min maximum minimum clip where
    array asarray from_numpy tensor as_tensor concatenate vstack hstack column_stack stack cat insert reshape transpose
    astype copy flatten ravel squeeze unsqueeze expand_dims softmax log_softmax expit logsumexp sigmoid relu equal eq ne
    array_equal einsum tensordot outer inner multiply subtract add divide true_divide power square sqrt tanh eye one_hot
    to_categorical take take_along_axis choose accuracy_score balanced_accuracy_score f1_score precision_score
    recall_score classification_report confusion_matrix log_loss score count_nonzero bincount append_metrics allclose
    negative reciprocal fmax fmin sort argsort topk round rint around floor ceil trunc tolist item manual_seed
"""
CALLS: Final = frozenset(_CALLED.split())
"""The last names of the functions and methods whose calls are told."""

_operators = cast("Any", operator)
COMPARISONS: Final[dict[str, Any]] = {
    "==": _operators.eq,
    "!=": _operators.ne,
    ">": _operators.gt,
    ">=": _operators.ge,
    "<": _operators.lt,
    "<=": _operators.le,
}
ARITHMETIC: Final[dict[str, Any]] = {
    "add": _operators.add,
    "sub": _operators.sub,
    "mul": _operators.mul,
    "div": _operators.truediv,
    "matmul": _operators.matmul,
    "pow": _operators.pow,
}


def operation(function: Any, args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """A call as the operation that it is: its name and its operands, the array first whose method it is.

    ``np.divide(a, b)`` is div, as the hooks have it of ``a / b``; ``np.dot(a, b)`` and ``a.dot(b)`` are matmul.
    """
    name, owner = str(getattr(function, "__name__", "")), getattr(function, "__self__", None)
    return _ALIASES.get(name, name), (owner, *args) if is_numpy(owner) else args
