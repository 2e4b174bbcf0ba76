"""The names of torch's functions, by what they mean to the observer."""

from typing import Any, Final

from byhand.doctor.watch.arrays import is_tensor

__all__ = [
    "CHOICES",
    "LOSSES",
    "PRODUCTS",
    "SILENT",
    "STARTS",
    "VIEWS",
    "is_in_place",
    "options_of",
    "plain_name",
]

_PRODUCTS_NAMES: Final = """
    linear matmul mm addmm bmm baddbmm mv addmv dot einsum bilinear conv1d conv2d conv3d conv_transpose2d
    batch_norm layer_norm group_norm embedding
"""
PRODUCTS: Final = frozenset(_PRODUCTS_NAMES.split())
_LOSSES_NAMES: Final = """
    cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy kl_div
    multi_margin_loss binary_cross_entropy_with_logits multilabel_margin_loss gaussian_nll_loss
    hinge_embedding_loss
"""
LOSSES: Final = frozenset(_LOSSES_NAMES.split())
_CHOICES_NAMES: Final = """
    argmax argmin max min topk sort argsort
"""
CHOICES: Final = frozenset(_CHOICES_NAMES.split())
_VIEWS_NAMES: Final = """
    view reshape squeeze unsqueeze flatten t T mT H transpose permute contiguous to float double half cpu cuda
    type type_as detach data clone expand expand_as view_as reshape_as ravel numpy movedim swapaxes
    requires_grad requires_grad_ detach_ alias unflatten long int squeeze_ unsqueeze_ tensor as_tensor asarray
    from_numpy
"""
VIEWS: Final = frozenset(_VIEWS_NAMES.split())
_STARTS_NAMES: Final = """
    normal uniform xavier_normal xavier_uniform kaiming_normal kaiming_uniform constant zeros ones orthogonal
    trunc_normal fill zero
"""
STARTS: Final = frozenset(_STARTS_NAMES.split())
_IN_PLACE_NAMES: Final = """
    sub add mul div copy addcdiv addcmul set lerp
"""
_IN_PLACE: Final = frozenset(_IN_PLACE_NAMES.split())  # with an underscore behind
_AUGMENTED: Final = frozenset({"__iadd__", "__isub__", "__imul__", "__idiv__", "__itruediv__"})
_SILENT_NAMES: Final = """
    shape dtype device is_leaf requires_grad ndim grad grad_fn size dim numel stride is_floating_point len
    layout is_cuda names itemsize nbytes is_sparse is_quantized is_mkldnn is_meta retain_grad data_ptr
    element_size repr format str is_complex is_contiguous name volatile output_nr is_nested hash
"""
SILENT: Final = frozenset(_SILENT_NAMES.split())
_ALIASES: Final = {
    "iadd": "add",
    "isub": "sub",
    "imul": "mul",
    "idiv": "div",
    "itruediv": "div",
    "truediv": "div",
    "true_divide": "div",
    "divide": "div",
    "multiply": "mul",
    "subtract": "sub",
    "rtruediv": "rdiv",
    "radd": "add",
    "rmul": "mul",
    "negative": "neg",
    "rmatmul": "matmul",
    "special_logsumexp": "logsumexp",
    "special_log_softmax": "log_softmax",
    "special_softmax": "softmax",
    "special_expit": "sigmoid",
    "clip": "clamp",
    "index": "getitem",
}


_REDUCING_NAMES: Final = """
    softmax log_softmax sum mean max min amax amin argmax argmin logsumexp prod std var norm gather cat stack
    index_select cumsum sort topk all any
"""
_REDUCING: Final = frozenset(_REDUCING_NAMES.split())


def plain_name(func: Any) -> str:
    """The name of one of torch's functions as an operation: ``Tensor.__truediv__`` is div, ``Tensor.T`` is T."""
    name = getattr(func, "__name__", "")
    if name in ("__get__", "__set__"):
        return ("set " if name == "__set__" else "") + getattr(getattr(func, "__self__", None), "__name__", "")
    plain = name.strip("_")
    return _ALIASES.get(plain, plain)


def is_in_place(func: Any) -> bool:
    """Whether it changes its first argument: ``w.sub_(g)``, ``w -= g``, ``w.data = v``, ``w[i] = v``."""
    raw, name = getattr(func, "__name__", ""), plain_name(func)
    method = raw.endswith("_") and not raw.endswith("__")
    return name in ("set data", "setitem") or raw in _AUGMENTED or (method and name in _IN_PLACE)


def options_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The options of a call that are plain values; the axis, counted from 0, under the name "axis"."""
    options = {
        key: value for key, value in kwargs.items() if isinstance(value, int | float | str | bool) or value is None
    }
    axis = options.pop("dim", options.pop("axis", None))
    if axis is None and name not in LOSSES:
        plain = [arg for arg in args[1:] if type(arg) is int]
        if plain and name in _REDUCING:
            axis = plain[0]
    first: Any = args[0] if args else kwargs.get("input")
    if isinstance(axis, int) and axis < 0 and is_tensor(first):
        axis += first.ndim
    if isinstance(axis, int) or name in _REDUCING:
        options["axis"] = axis
    return options
