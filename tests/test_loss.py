"""The losses keep PyTorch's contract: values, gradients, special cases and errors."""

import itertools
import math
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, inf, nan, tensor

from byhand import loss

TOLERANCE = {torch.float64: {"rtol": 1e-12, "atol": 1e-12}, torch.float32: {"rtol": 1e-5, "atol": 1e-5}}


class Call(NamedTuple):
    x: Tensor  # (N, C)
    target: Tensor  # (N,) or (N, C)
    weight: Tensor | None
    options: dict[str, Any]


@st.composite
def calls(draw: st.DrawFn, *, only_classes: bool = False) -> Call:
    """Any valid call: both kinds of target, all options, rows or columns contiguous."""
    n, c = draw(st.integers(0, 7)), draw(st.integers(1, 6))
    dtype = draw(st.sampled_from([torch.float64, torch.float32]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    x = torch.randn(n, c, dtype=dtype, generator=generator) * draw(st.sampled_from([1e-3, 1.0, 30.0, 1e3]))
    if draw(st.booleans()):
        x = x.t().contiguous().t()
    weight = draw(st.sampled_from([None, "some zero", "positive"]))
    if weight is not None:
        weight = torch.rand(c, dtype=dtype, generator=generator) + (0.1 if weight == "positive" else -0.5)
        weight = weight.clamp(min=0)
    options: dict[str, Any] = {"reduction": draw(st.sampled_from(["none", "mean", "sum"]))}
    if not only_classes:
        options["label_smoothing"] = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
        if draw(st.booleans()):
            return Call(x, torch.rand(n, c, dtype=dtype, generator=generator), weight, options)
    options["ignore_index"] = ignored = draw(st.sampled_from([-100, -1, 0, c]))
    rows = st.integers(0, c - 1) | st.just(ignored)
    target = tensor(draw(st.lists(rows, min_size=n, max_size=n)), dtype=torch.int64)
    return Call(x, target, weight, options)


def with_autograd(function: Any, call: Call) -> tuple[Tensor, Tensor]:
    x = call.x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    value = function(x, call.target, call.weight, **call.options)
    value.sum().backward()
    assert x.grad is not None
    return value.detach(), x.grad


@settings(max_examples=400, deadline=None)
@given(calls())
def test_cross_entropy_equals_pytorch_in_value_and_gradient(call: Call) -> None:
    expected = with_autograd(F.cross_entropy, call)
    tolerance = TOLERANCE[call.x.dtype]
    by_hand = loss.cross_entropy_with_grad(call.x, call.target, call.weight, **call.options)
    torch.testing.assert_close(by_hand, expected, equal_nan=True, **tolerance)
    by_autograd = with_autograd(loss.cross_entropy, call)
    torch.testing.assert_close(by_autograd, expected, equal_nan=True, **tolerance)


@settings(max_examples=200, deadline=None)
@given(calls(only_classes=True))
def test_nll_loss_equals_pytorch_in_value_and_gradient(call: Call) -> None:
    expected = with_autograd(F.nll_loss, call)
    value, by_autograd = with_autograd(loss.nll_loss, call)
    by_hand = loss.nll_loss_backward(torch.ones_like(value), call.x, call.target, call.weight, **call.options)
    tolerance = TOLERANCE[call.x.dtype]
    torch.testing.assert_close((value, by_autograd), expected, equal_nan=True, **tolerance)
    torch.testing.assert_close(by_hand, expected[1], equal_nan=True, **tolerance)


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_equals_pytorch_along_any_dim(name: str, dim: int) -> None:
    x = torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    grad_output = torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    expected = getattr(F, name)(x, dim=dim)
    output = getattr(loss, name)(x, dim=dim)
    torch.testing.assert_close(output, expected, rtol=1e-14, atol=1e-15)
    (grad,) = torch.autograd.grad(expected, x, grad_output)
    by_hand = getattr(loss, f"{name}_backward")(grad_output, output.detach(), dim=dim)
    torch.testing.assert_close(by_hand, grad, rtol=1e-13, atol=1e-15)


def test_nll_loss_backward_takes_the_gradient_from_above() -> None:
    x, target = torch.randn(5, 3, dtype=torch.float64).requires_grad_(), tensor([0, 2, -100, 1, 1])
    for reduction, shape in (("none", (5,)), ("mean", ()), ("sum", ())):
        above = torch.rand(shape, dtype=torch.float64)
        (expected,) = torch.autograd.grad(F.nll_loss(x, target, reduction=reduction), x, above)
        torch.testing.assert_close(loss.nll_loss_backward(above, x, target, reduction=reduction), expected)


@pytest.mark.parametrize("target", [tensor([2, 0, -100, 1]), torch.rand(4, 3, dtype=torch.float64)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_first_and_second_derivatives_pass_gradcheck(target: Tensor, smoothing: float) -> None:
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    weight = tensor([0.5, 1.0, 2.0], dtype=torch.float64)

    def function(scores: Tensor) -> Tensor:
        return loss.cross_entropy(scores, target, weight, label_smoothing=smoothing)

    assert torch.autograd.gradcheck(function, x)
    assert torch.autograd.gradgradcheck(function, x)


def test_the_plain_mean_over_classes_passes_gradcheck() -> None:
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    target = tensor([2, 0, 2, 1])
    assert torch.autograd.gradcheck(lambda scores: loss.cross_entropy(scores, target), x)
    assert torch.autograd.gradgradcheck(lambda scores: loss.cross_entropy(scores, target), x)


def test_probabilities_get_a_gradient_too() -> None:
    x, target = torch.randn(4, 3), torch.rand(4, 3).requires_grad_()
    (expected,) = torch.autograd.grad(F.cross_entropy(x, target), target)
    (grad,) = torch.autograd.grad(loss.cross_entropy(x, target), target)
    torch.testing.assert_close(grad, expected)
    weight = torch.ones(3).requires_grad_()
    assert not any(part.requires_grad for part in loss.cross_entropy_with_grad(x, target, weight))


SPECIAL = [*itertools.product([inf, -inf, nan, 0.5], repeat=3)]
TARGETS = {
    "classes": (tensor([0]), tensor([1]), tensor([2]), tensor([-100])),
    "probabilities": (tensor([[0.0, 0.5, 0.5]]), tensor([[0.2, 0.3, 0.5]])),
}


@pytest.mark.parametrize("row", SPECIAL, ids=str)
def test_infinite_and_nan_scores_give_what_pytorch_gives(row: tuple[float, float, float]) -> None:
    x = tensor([row])
    for dim in (0, 1):
        for name in ("softmax", "log_softmax"):
            torch.testing.assert_close(getattr(loss, name)(x, dim), getattr(F, name)(x, dim), equal_nan=True, msg=name)
    for target in TARGETS["classes"] + TARGETS["probabilities"]:
        for weight, smoothing in itertools.product([None, tensor([0.0, 1.0, 2.0])], [0.0, 0.1]):
            for reduction in ("none", "mean", "sum"):
                options = {"reduction": reduction, "label_smoothing": smoothing}
                call = Call(x, target, weight, options)
                expected = with_autograd(F.cross_entropy, call)
                by_hand = loss.cross_entropy_with_grad(x, target, weight, **options)
                torch.testing.assert_close(by_hand, expected, equal_nan=True)
                torch.testing.assert_close(with_autograd(loss.cross_entropy, call), expected, equal_nan=True)


def test_an_ignored_row_of_nan_leaves_the_loss_alone() -> None:
    x, target = tensor([[nan, 0.0], [1.0, 2.0]]), tensor([-100, 1])
    torch.testing.assert_close(loss.cross_entropy(x, target), F.cross_entropy(x, target))
    torch.testing.assert_close(loss.cross_entropy_with_grad(x, target)[0], F.cross_entropy(x, target))


@pytest.mark.parametrize("target", [torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3)], ids=["classes", "probs"])
def test_an_empty_batch(target: Tensor) -> None:
    for function in (loss.cross_entropy, lambda *a, **k: loss.cross_entropy_with_grad(*a, **k)[0]):
        assert math.isnan(function(torch.zeros(0, 3), target))
        assert function(torch.zeros(0, 3), target, reduction="sum") == 0
        assert function(torch.zeros(0, 3), target, reduction="none").shape == (0,)
    assert loss.cross_entropy_with_grad(torch.zeros(0, 3), target)[1].shape == (0, 3)


def test_no_class_at_all() -> None:
    for name in ("softmax", "log_softmax"):
        assert getattr(loss, name)(torch.zeros(4, 0)).shape == (4, 0)
    assert math.isnan(loss.cross_entropy(torch.zeros(0, 0), torch.zeros(0, dtype=torch.int64)))
    with pytest.raises(IndexError):
        loss.cross_entropy(torch.zeros(2, 0), tensor([0, 0]))


X, Y = torch.zeros(4, 3), tensor([0, 1, 2, 0])
REFUSED: list[tuple[str, type[Exception], Any, Any, dict[str, Any]]] = [
    ("one row without a batch", TypeError, X[0], tensor(1), {}),
    ("scores of pixels", TypeError, torch.zeros(4, 3, 5), torch.zeros(4, 5, dtype=torch.int64), {}),
    ("int scores", TypeError, X.long(), Y, {}),
    ("complex scores", TypeError, X + 0j, Y, {}),
    ("float8 scores", TypeError, X.to(torch.float8_e4m3fn), Y, {}),
    ("an array", TypeError, X.numpy(), Y, {}),
    ("a list of targets", TypeError, X, [0, 1, 2, 0], {}),
    ("int32 targets", TypeError, X, Y.int(), {}),
    ("bool targets", TypeError, X, Y.bool(), {}),
    ("float targets (N,)", TypeError, X, Y.float(), {}),
    ("targets (N, 1)", TypeError, X, Y[:, None], {}),
    ("one-hot int targets", TypeError, X, F.one_hot(Y, 3), {}),
    ("a list of weights", TypeError, X, Y, {"weight": [1, 1, 1]}),
    ("weights (1, C)", TypeError, X, Y, {"weight": torch.ones(1, 3)}),
    ("weights of another type", TypeError, X, Y, {"weight": torch.ones(3).double()}),
    ("too few weights", ValueError, X, Y, {"weight": torch.ones(2)}),
    ("too few targets", ValueError, X, Y[:3], {}),
    ("probabilities of fewer classes", ValueError, X, torch.ones(4, 2), {}),
    ("probabilities of fewer rows", ValueError, X, torch.ones(3, 3), {}),
    ("an unknown reduction", ValueError, X, Y, {"reduction": "avg"}),
    ("too much smoothing", ValueError, X, Y, {"label_smoothing": 1.5}),
    ("ignored probabilities", ValueError, X, torch.ones(4, 3), {"ignore_index": 1}),
    ("a class too high", IndexError, X, tensor([0, 1, 2, 3]), {}),
    ("a negative class", IndexError, X, tensor([0, 1, 2, -1]), {}),
    ("-100 where another class is ignored", IndexError, X, tensor([0, 1, 2, -100]), {"ignore_index": 0}),
]


@pytest.mark.parametrize(("kind", "x", "target", "options"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_other_calls_are_refused_in_one_line(
    kind: type[Exception], x: Any, target: Any, options: dict[str, Any]
) -> None:
    functions = [loss.cross_entropy, loss.cross_entropy_with_grad]
    if "label_smoothing" not in options:
        functions.append(loss.nll_loss)
    for function in functions:
        if function is loss.nll_loss and isinstance(target, Tensor) and target.is_floating_point():
            kind = TypeError  # nll_loss takes classes only
        with pytest.raises(kind) as error:
            function(x, target, **options)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 120


@pytest.mark.parametrize(("x", "target", "options"), [c[2:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_pytorch_refuses_them_too_but_for_shapes_beyond_n_c(x: Any, target: Any, options: dict[str, Any]) -> None:
    if isinstance(x, Tensor) and x.dim() != 2:
        F.cross_entropy(x, target, **options)
    else:
        with pytest.raises((RuntimeError, TypeError, ValueError, IndexError)):
            F.cross_entropy(x, target, **options)


def test_an_out_of_range_target_is_named_with_its_row() -> None:
    with pytest.raises(IndexError, match=r"target 7 in row 2 .* 3 classes"):
        loss.cross_entropy_with_grad(X, tensor([0, 1, 7, 0]))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_refuses_what_is_not_floating_point(name: str) -> None:
    with pytest.raises(TypeError, match=r"int64: call \.float\(\)"):
        getattr(loss, name)(Y[:, None])


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("target", [Y, tensor([0, -100, 2, 0])], ids=["plain", "one ignored"])
def test_cross_entropy_with_grad_leaves_its_input_alone_and_tracks_nothing(layout: str, target: Tensor) -> None:
    x = torch.arange(12.0).reshape(4, 3) if layout == "rows" else torch.arange(12.0).reshape(3, 4).t()
    before = x.clone()
    value, grad = loss.cross_entropy_with_grad(x.requires_grad_(), target)
    assert torch.equal(x, before)
    assert not value.requires_grad
    assert not grad.requires_grad
    assert grad.stride() == x.stride()
    with torch.inference_mode():
        torch.testing.assert_close(loss.cross_entropy_with_grad(x, target), (value, grad), rtol=0, atol=0)


def test_half_precision_is_computed_in_float32_and_rounded_once() -> None:
    generator = torch.Generator().manual_seed(4)
    for dtype in (torch.bfloat16, torch.float16):
        x = (torch.randn(200, 10, generator=generator) * 5).to(dtype)
        y = torch.randint(10, (200,), generator=generator)
        t = torch.rand(200, 10, generator=generator).to(dtype)
        for target, smoothing, reduction in itertools.product((y, t), (0.0, 0.1), ("none", "mean", "sum")):
            options = {"label_smoothing": smoothing, "reduction": reduction}
            wide = loss.cross_entropy_with_grad(x.float(), target.float() if target is t else target, **options)
            narrow = loss.cross_entropy_with_grad(x, target, **options)
            assert all(torch.equal(a, b.to(dtype)) for a, b in zip(narrow, wide, strict=True))
            assert torch.equal(
                loss.cross_entropy(x, target, **options),
                loss.cross_entropy(x.float(), target.float() if target is t else target, **options).to(dtype),
            )
        assert torch.equal(loss.softmax(x), loss.softmax(x.float()).to(dtype))


@pytest.mark.parametrize("other", [torch.float64, torch.bfloat16])
def test_probabilities_of_another_type_give_the_type_that_pytorch_gives(other: torch.dtype) -> None:
    target = torch.rand(4, 3).to(other)
    expected = F.cross_entropy(X, target)
    assert loss.cross_entropy(X, target).dtype == expected.dtype
    value, grad = loss.cross_entropy_with_grad(X, target)
    torch.testing.assert_close(value, expected)
    assert grad.dtype == X.dtype


def test_the_public_names() -> None:
    public = {name for name, value in vars(loss).items() if callable(value) and value.__module__ == loss.__name__}
    assert sorted(loss.__all__) == loss.__all__ == sorted(name for name in public if not name.startswith("_"))
