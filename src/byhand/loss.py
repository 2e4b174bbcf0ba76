# ruff: noqa: A002  (``input`` is PyTorch's name for the argument)
"""The loss: how surprised is the model by the right answer?

A model gives each of C classes a score z, the logits. Softmax turns a row of scores into probabilities p; the negative
log likelihood is the surprise -log p_y at the class y that is true; cross-entropy is the two in one step, and the form
to train with. Each function stands beside the gradient that was derived for it by hand. Autograd goes through the
forward functions too, and finds the same.

Three things keep the numbers right (Blanchard, Higham & Higham, IMA J. Numer. Anal. 41(4), 2021, and log1p):
the largest score is subtracted first, so that no e^z overflows; a probability is the quotient e^z / Σ, never
e^(z - log Σ); the largest term of Σ, which is 1 by then, is left out, so that log1p keeps what little the others add.
float16 and bfloat16 are computed in float32 and rounded once, at the end.

Letters: N rows, C classes.
"""

import math

import torch
from torch import Tensor

__all__ = [
    "cross_entropy",
    "cross_entropy_with_grad",
    "log_softmax",
    "log_softmax_backward",
    "nll_loss",
    "nll_loss_backward",
    "softmax",
    "softmax_backward",
]


_WIDE = (torch.float32, torch.float64)


def softmax(input: Tensor, dim: int = 1) -> Tensor:
    """Probabilities from scores: p_j = e^z_j / Σ_k e^z_k along ``dim``, in the shape and type of ``input``.

    Adding one number to all z changes nothing: it cancels in the quotient.
    TypeError if ``input`` is no floating-point tensor.
    """
    _, e, others = _exponentials(_wide(input), dim)
    return (e / (1 + others)).to(input.dtype)


def softmax_backward(grad_output: Tensor, output: Tensor, dim: int = 1) -> Tensor:
    """dL/dz from g = dL/dp and p = softmax(z), all of one shape.

    p_k = e^z_k / Σ gives dp_k/dz_j = p_k ([j = k] - p_j); then dL/dz_j = Σ_k g_k dp_k/dz_j = p_j (g_j - Σ_k g_k p_k).
    """
    g, p = _wide(grad_output), _wide(output)
    return (p * (g - (g * p).sum(dim, keepdim=True))).to(output.dtype)


def log_softmax(input: Tensor, dim: int = 1) -> Tensor:
    """Log-probabilities from scores: log p_j = z_j - log Σ_k e^z_k along ``dim``, in the shape and type of ``input``.

    Where p_j rounds to 0 or to 1, log(softmax(z)) is -inf or 0; this is right to the last digits at both ends.
    TypeError if ``input`` is no floating-point tensor.
    """
    z, _, others = _exponentials(_wide(input), dim)
    return (z - others.log1p()).to(input.dtype)


def log_softmax_backward(grad_output: Tensor, output: Tensor, dim: int = 1) -> Tensor:
    """dL/dz from g = dL/dlog p and log p = log_softmax(z), all of one shape.

    d(log p_k)/dz_j = [j = k] - p_j; then dL/dz_j = Σ_k g_k d(log p_k)/dz_j = g_j - p_j Σ_k g_k.
    """
    g, log_p = _wide(grad_output), _wide(output)
    return (g - log_p.exp() * g.sum(dim, keepdim=True)).to(output.dtype)


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Negative log likelihood of log-probabilities: row i costs -w[y_i] · input[i, y_i].

    ``input`` (N, C) log-probabilities; ``target`` (N,) int64 classes; ``weight`` (C,), all 1 where None.
    Rows whose target is ``ignore_index`` cost nothing. ``reduction``: "none" gives the rows (N,), "sum" their sum (),
    "mean" their sum divided by Σ w[y_i] over the rows that are not ignored (); without any it is nan.
    TypeError for another kind of argument, ValueError for a size or value that does not fit, IndexError for a target
    outside 0..C-1.
    """
    _check(input, target, weight, ignore_index, reduction, only_classes=True)
    rows, total = _nll_rows(_wide(input), target, weight, ignore_index)
    return _reduce(rows, total, reduction).to(input.dtype)


def nll_loss_backward(
    grad_output: Tensor,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """dL/dinput (N, C) from ``grad_output`` = dL/dloss: (N,) for "none", () for "sum" and "mean".

    The loss is linear in its input: dloss_i/dinput_ij = -w_j [j = y_i], and 0 in an ignored row. The mean divides it.
    """
    _check(input, target, weight, ignore_index, reduction, only_classes=True)
    a = _coefficients(_wide(input), target, weight, ignore_index, reduction)
    return (-_wide(grad_output).unsqueeze(-1) * a).to(input.dtype)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of scores: row i costs -Σ_c w_c t_ic log p_ic, where p = softmax(input).

    ``input`` (N, C) scores, not probabilities. ``target``: (N,) int64 classes, where t_ic = [c = y_i] and the loss is
    nll_loss(log_softmax(input), target); or (N, C) floating-point probabilities t. ``label_smoothing`` s takes
    (1 - s) t + s/C for t. ``weight``, ``ignore_index`` (for classes only), ``reduction`` and the errors are nll_loss's;
    with probabilities the mean divides by N.
    """
    if _is_plain(input, target, weight, ignore_index, reduction, label_smoothing):
        try:
            return _surprise(input, target.unsqueeze(1)).mean()
        except RuntimeError:  # a target outside 0..C-1: an ignored row, or an IndexError that says where
            pass
    _check(input, target, weight, ignore_index, reduction, label_smoothing)
    log_p = log_softmax(_wide(input))  # (N, C)
    loss = _from_log_p(log_p, target, weight, ignore_index, reduction, label_smoothing)
    return loss.to(_loss_dtype(input, target))


def cross_entropy_with_grad(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """cross_entropy and its gradient dL/dinput (N, C) in one pass, without autograd.

    A row of the class y costs -z_y + log Σ_k e^z_k, so that dL/dz_j = p_j - [j = y]: what the model says, minus what is
    true. With a_c = w_c t_c in general: L = Σ_c a_c (log Σ_k e^z_k - z_c), so that dL/dz_j = p_j Σ_c a_c - a_j.
    The mean divides both. With ``reduction="none"`` the loss is (N,), and the gradient that of its sum.
    """
    if _is_plain(input, target, weight, ignore_index, reduction, label_smoothing):
        try:
            return _mean_with_grad(input.detach(), target.unsqueeze(1))
        except RuntimeError:  # as in cross_entropy
            pass
    _check(input, target, weight, ignore_index, reduction, label_smoothing)
    x = _wide(input.detach())
    with torch.no_grad():  # target and weight may belong to a graph
        z, e, others = _exponentials(x, 1)
        loss = _from_log_p(z - others.log1p(), target, weight, ignore_index, reduction, label_smoothing)
        p = e / (1 + others)  # (N, C)
        a = _coefficients(x, target, weight, ignore_index, reduction, label_smoothing)
        grad = p * a.sum(1, keepdim=True) - a
    return loss.to(_loss_dtype(input, target)), grad.to(input.dtype)


def _is_plain(
    input: object, target: object, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float
) -> bool:
    """Is this the case of every training step, where gather itself finds an ignored row or a wrong class?

    On other devices than the CPU it would not: it stops the device. Only while a GPU records a step (``capture``),
    whose labels are known to be right, may it be asked nothing. Asked 235 times an epoch, so before all the checks.
    """
    return (
        weight is None
        and ignore_index < 0
        and reduction == "mean"
        and not smoothing
        and isinstance(input, Tensor)
        and isinstance(target, Tensor)
        and target.dtype is torch.int64
        and input.dtype in _WIDE
        and input.dim() == 2
        and target.shape == input.shape[:1]
        and ((input.is_cpu and target.is_cpu) or (input.is_cuda and torch.cuda.is_current_stream_capturing()))
        and input.numel() > 0
    )


def _surprise(x: Tensor, y: Tensor) -> Tensor:
    """-log p_y = log Σ_k e^z_k - z_y of each row (N, 1), for classes y (N, 1).

    Σ_k e^z_k - 1 is summed without e^z_y, and expm1(z_y) added: where p_y is almost 1, log1p then keeps what is left.
    """
    peak = x.detach().amax(1, keepdim=True)  # (N, 1); a shift is no part of the gradient
    z_y = x.gather(1, y) - peak  # (N, 1)
    z = (x - peak).scatter_(1, y, torch.full_like(z_y, -math.inf))  # (N, C)
    others = z.exp_().sum(1, keepdim=True)  # (N, 1)
    return (others + z_y.expm1()).log1p() - z_y


def _mean_with_grad(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The mean loss of classes y (N, 1), and its gradient: made in place, and in the strides of x."""
    z = x - x.amax(1, keepdim=True)  # (N, C)
    z_y = z.gather(1, y)  # (N, 1)
    e = z.exp_()
    s = e.sum(1, keepdim=True)  # (N, 1)
    loss = s.log().sub_(z_y).sum().div_(x.shape[0])
    e.scatter_add_(1, y, s.neg())  # e_j - s [j = y], which is s (p_j - [j = y])
    return loss, e.div_(s.mul_(x.shape[0]))


def _exponentials(x: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of the shifted scores z = x - max x: z itself, e^z, and the sum of e^z without its largest term, e^0."""
    if x.shape[dim] == 0:
        return x, x, x.sum(dim, keepdim=True)
    peak, at = x.max(dim, keepdim=True)
    z = x - peak
    e = z.exp()
    # subtle: peak - peak is 0, but nan where the peak is infinite, and that row has no answer
    return z, e, e.scatter(dim, at, peak - peak).sum(dim, keepdim=True)


def _from_log_p(
    log_p: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    """The loss, (N,) or (), from log-probabilities (N, C)."""
    if not _are_classes(target):
        rows = -(_soften(target, smoothing) * _weights(log_p, weight) * log_p).sum(1)  # (N,)
        return _reduce(rows, len(rows), reduction)
    rows, total = _nll_rows(log_p, target, weight, ignore_index)
    loss = _reduce(rows, total, reduction)
    if smoothing:
        rows = -(_weights(log_p, weight) * log_p).mean(1).masked_fill(target == ignore_index, 0)
        loss = (1 - smoothing) * loss + smoothing * _reduce(rows, total, reduction)
    return loss


def _nll_rows(log_p: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> tuple[Tensor, Tensor]:
    """What each row costs (N,), and what the mean divides by.

    The entry is picked, not multiplied by 1 among zeros: 0 times a log-probability of -inf would be nan.
    """
    index, share = _pick(log_p, target, weight, ignore_index)
    rows = -(share * log_p.gather(1, index)).squeeze(1)
    return rows.masked_fill(target == ignore_index, 0), share.sum()


def _coefficients(
    x: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float = 0.0
) -> Tensor:
    """How much each -log p_ic counts in the loss (N, C): w_c t_ic, divided by what the mean divides by."""
    if not _are_classes(target):
        a = _soften(target, smoothing) * _weights(x, weight)
        return a / len(a) if reduction == "mean" else a
    index, share = _pick(x, target, weight, ignore_index)
    total = share.sum() if reduction == "mean" else 1
    a = torch.zeros_like(x).scatter(1, index, share / total)
    if smoothing:
        a = (1 - smoothing) * a + smoothing / x.shape[1] * _weights(x, weight) / total
    return a.masked_fill((target == ignore_index).unsqueeze(1), 0)


def _pick(x: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> tuple[Tensor, Tensor]:
    """The class of each row and the weight of that class, both (N, 1) and 0 in ignored rows."""
    ignored = target == ignore_index  # (N,)
    outside = ~ignored & ((target < 0) | (target >= x.shape[1]))
    if outside.any():
        row = int(outside.nonzero()[0])
        raise IndexError(f"target {int(target[row])} in row {row} is out of bounds: input has {x.shape[1]} classes")
    index = target.masked_fill(ignored, 0)
    share = torch.ones_like(index, dtype=x.dtype) if weight is None else _wide(weight)[index]
    return index.unsqueeze(1), share.masked_fill(ignored, 0).unsqueeze(1)


def _soften(t: Tensor, smoothing: float) -> Tensor:
    """Probabilities (N, C), moved towards 1/C each."""
    return (1 - smoothing) * _wide(t) + smoothing / t.shape[1] if smoothing else _wide(t)


def _weights(x: Tensor, weight: Tensor | None) -> Tensor:
    """The weights of the classes (C,)."""
    return x.new_ones(x.shape[1]) if weight is None else _wide(weight)


def _reduce(rows: Tensor, total: Tensor | int, reduction: str) -> Tensor:
    if reduction == "none":
        return rows
    return rows.sum() / total if reduction == "mean" else rows.sum()


def _are_classes(target: Tensor) -> bool:
    return target.dtype == torch.int64


def _loss_dtype(input: Tensor, target: Tensor) -> torch.dtype:
    """Probabilities of a wider type widen the loss, as they do in PyTorch."""
    return input.dtype if _are_classes(target) else torch.promote_types(input.dtype, target.dtype)


def _wide(x: Tensor) -> Tensor:
    """The tensor in the type to compute in: float32 for float16 and bfloat16, else its own."""
    if x.dtype in _WIDE:
        return x
    if x.dtype in (torch.float16, torch.bfloat16):
        return x.float()
    raise TypeError(f"a floating-point tensor is needed, not {x.dtype}: call .float()")


def _check(
    input: object,
    target: object,
    weight: object,
    ignore_index: int,
    reduction: str,
    smoothing: float = 0.0,
    *,
    only_classes: bool = False,
) -> None:
    """Refuse another kind of argument with a TypeError, a size or a value that does not fit with a ValueError."""
    if not isinstance(input, Tensor) or not isinstance(target, Tensor) or not isinstance(weight, Tensor | None):
        kinds = ", ".join(type(value).__name__ for value in (input, target, weight))
        raise TypeError(f"input, target and weight must be tensors (weight may be None), not {kinds}")
    if input.dim() != 2 or not input.is_floating_point():
        raise TypeError(f"input must be a floating-point (N, C), not {input.dtype} {tuple(input.shape)}")
    if _are_classes(target) or only_classes:
        if target.dim() != 1 or not _are_classes(target):
            raise TypeError(f"target must be int64 classes (N,), not {target.dtype} {tuple(target.shape)}")
        if len(target) != len(input):
            raise ValueError(f"input has {len(input)} rows, but target has {len(target)}")
    else:
        if target.dim() != 2 or not target.is_floating_point():
            kinds = "int64 classes (N,) or floating-point probabilities (N, C)"
            raise TypeError(f"target must be {kinds}, not {target.dtype} {tuple(target.shape)}")
        if target.shape != input.shape:
            raise ValueError(f"input is {tuple(input.shape)}, but target is {tuple(target.shape)}")
        if ignore_index >= 0:
            raise ValueError("ignore_index is for classes: a row of probabilities cannot be ignored")
    if weight is not None:
        if weight.dim() != 1 or weight.dtype != input.dtype:
            raise TypeError(f"weight must be {input.dtype} (C,), not {weight.dtype} {tuple(weight.shape)}")
        if len(weight) != input.shape[1]:
            raise ValueError(f"input has {input.shape[1]} classes, but weight has {len(weight)}")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f'reduction must be "none", "mean" or "sum", not {reduction!r}')
    if not 0 <= smoothing <= 1:
        raise ValueError(f"label_smoothing must be between 0 and 1, not {smoothing}")
