"""The names of NumPy's functions, and of the metrics', by what they mean to the observer."""

from typing import Final

__all__ = ["CHOICES", "METRICS", "PRODUCTS", "SHORT", "VIEWS"]

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
PRODUCTS: Final = frozenset({"dot", "einsum", "inner", "matmul", "tensordot"})
CHOICES: Final = frozenset({"argmax", "argmin"})
VIEWS: Final = frozenset(
    {
        "array",
        "asarray",
        "astype",
        "concatenate",
        "copy",
        "expand_dims",
        "flatten",
        "hstack",
        "ravel",
        "reshape",
        "squeeze",
        "stack",
        "transpose",
        "vstack",
    }
)
SHORT: Final = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "power": "pow",
    "negative": "neg",
    "average": "mean",
    "expit": "sigmoid",
    "clip": "clamp",
    "square": "pow",
}
