"""The rule that turns gradients into new parameters, and the rate's course over a training run.

Names, arguments and results are ``torch.optim``'s; the formulas stand where they are computed.
"""

import math
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Protocol, TypeVar, final

import torch
from torch import Tensor

from byhand.wide import ThinGradient, forget_thin, is_wide, thin_gradients

__all__ = ["SGD", "Adam", "Optimizer", "Schedule", "constant", "fitting", "flat_cos", "one_cycle", "set_lr"]


class Optimizer(Protocol):
    """What ``Learner`` asks of an optimizer."""

    lr: Any

    def step(self) -> object:
        """Change the parameters by their gradients."""
        ...

    def zero_grad(self) -> None:
        """Forget the gradients."""
        ...


_Self = TypeVar("_Self")


def _untracked(step: Callable[[_Self], None]) -> Callable[[_Self], None]:
    """``torch.inference_mode()`` around a step, entered only where the caller has not done so: that takes a while."""

    @wraps(step)
    def untracked(self: _Self) -> None:
        if torch.is_inference_mode_enabled():
            step(self)
        else:
            with torch.inference_mode():
                step(self)

    return untracked


@final
class SGD:
    """Stochastic gradient descent: each step moves against the gradient g of the batch's mean loss.

        g ← g + weight_decay · w                      (the gradient of weight_decay/2 · ‖w‖²)
        v ← momentum · v + (1 − dampening) · g        (v = g at the first step)
        w ← w − lr · (g + momentum · v)  with Nesterov,  w ← w − lr · v  otherwise

    Source: Sutskever et al., ICML 2013, in the form of ``torch.optim.SGD``.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        decay_bias: bool = True,
    ) -> None:
        """Args: as ``torch.optim.SGD``'s, and ``decay_bias``: False leaves vectors, which biases are, out of the decay.

        Raises:
            ValueError: a negative number, or Nesterov without momentum or with dampening.
        """
        _at_least_zero(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("Nesterov needs momentum above 0 and no dampening")
        self.params = list(params)
        self.lr: float | Tensor = lr
        self.momentum = momentum
        self.dampening = dampening
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        self.decay_bias = decay_bias
        self.velocity: list[Tensor | None] = [None] * len(self.params)

    @_untracked
    def step(self) -> None:
        """One step for every parameter that has a gradient."""
        for i, p in enumerate(self.params):
            if thin := thin_gradients(p):
                self._step_thin(p, thin)
            if p.grad is None:
                continue
            g = p.grad
            if self.weight_decay and (self.decay_bias or p.dim() > 1):
                g = g.add(p, alpha=self.weight_decay)
            if self.momentum:
                v = self.velocity[i]
                v = g.clone() if v is None else v.mul_(self.momentum).add_(g, alpha=1 - self.dampening)
                self.velocity[i] = v
                g = g.add(v, alpha=self.momentum) if self.nesterov else v
            if isinstance(self.lr, Tensor):  # a number that stays on the device (``capture``)
                p.addcmul_(g, self.lr, value=-1)
            else:
                p.sub_(g, alpha=self.lr)

    def _step_thin(self, p: Tensor, gradients: list[ThinGradient]) -> None:
        """The same where the gradient is kept as its factors: w ← (1 − lr · weight_decay) · w − lr · g (``wide``)."""
        if self.weight_decay:
            p.mul_(1 - float(self.lr) * self.weight_decay)
        for gradient in gradients:
            gradient.add_to(p, -float(self.lr))

    def zero_grad(self) -> None:
        """Forget the gradients; otherwise the next ``backward`` would add to them."""
        for p in self.params:
            p.grad = None
            forget_thin(p)

    def state_dict(self) -> dict[str, Tensor]:
        """The velocities by parameter number."""
        return {f"velocity.{i}": v for i, v in enumerate(self.velocity) if v is not None}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up what ``state_dict`` gave."""
        self.velocity = [
            state[name].clone() if (name := f"velocity.{i}") in state else None for i in range(len(self.params))
        ]


@final
class Adam:
    """Adam: each number's step is scaled by the size that its gradients have had.

        g ← g + weight_decay · w
        m ← β₁ m + (1 − β₁) g,         v ← β₂ v + (1 − β₂) g²
        w ← w − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + eps)

    The divisions by 1 − βᵗ undo the start from zero. Source: Kingma and Ba, ICLR 2015, as in ``torch.optim.Adam``.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        """Args: as ``torch.optim.Adam``'s.

        Raises:
            ValueError: a negative number, or a beta outside [0, 1).
        """
        _at_least_zero(lr=lr, eps=eps, weight_decay=weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas are {betas}: each must be at least 0 and below 1")
        self.params = list(params)
        self.lr = lr
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.steps = [0] * len(self.params)
        self.mean = [torch.zeros_like(p, requires_grad=False) for p in self.params]  # m
        self.square = [torch.zeros_like(p, requires_grad=False) for p in self.params]  # v

    @_untracked
    def step(self) -> None:
        """One step for every parameter that has a gradient."""
        beta1, beta2 = self.betas
        for i, p in enumerate(self.params):
            if p.grad is None:
                continue
            g = p.grad
            if self.weight_decay:
                g = g.add(p, alpha=self.weight_decay)
            self.steps[i] += 1
            t = self.steps[i]
            m = self.mean[i].lerp_(g, 1 - beta1)
            v = self.square[i].mul_(beta2).addcmul_(g, g, value=1 - beta2)
            size = v.sqrt().div_(math.sqrt(1 - beta2**t)).add_(self.eps)
            p.addcdiv_(m, size, value=-self.lr / (1 - beta1**t))

    def zero_grad(self) -> None:
        """Forget the gradients; otherwise the next ``backward`` would add to them."""
        for p in self.params:
            p.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Both running averages by parameter number, and the number of steps."""
        state = {"steps": torch.tensor(self.steps)}
        for i, (m, v) in enumerate(zip(self.mean, self.square, strict=True)):
            state |= {f"mean.{i}": m, f"square.{i}": v}
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up what ``state_dict`` gave."""
        self.steps = [int(steps) for steps in state["steps"]]
        for i in range(len(self.params)):
            self.mean[i], self.square[i] = state[f"mean.{i}"].clone(), state[f"square.{i}"].clone()


Schedule = Callable[[float], float]
"""The rate as a function of the part of the run that is done, from 0 (first step) to 1."""


def constant(lr: float) -> Schedule:
    """The same rate throughout."""
    return lambda done: lr


def flat_cos(lr: float, pct_start: float = 0.75) -> Schedule:
    """``lr`` for the first ``pct_start`` of the run, then down to 0 along half a cosine.

    At a constant rate the weights of the last step still carry the noise of the last batches; letting the rate fall to
    nothing averages it away. Source: fastai's ``fit_flat_cos``.

    Raises:
        ValueError: ``pct_start`` outside [0, 1).
    """
    return _two_phases(constant(lr), _cosine(lr, 0.0), pct_start)


def one_cycle(lr_max: float, pct_start: float = 0.25, div: float = 25.0, div_final: float = 1e5) -> Schedule:
    """Up from ``lr_max / div`` to ``lr_max`` in the first ``pct_start`` of a run, then down to ``lr_max / div_final``.

    Both ways along half a cosine. Source: Smith and Topin, 2018, in the form of fastai's ``fit_one_cycle``.

    Raises:
        ValueError: ``pct_start`` outside [0, 1).
    """
    return _two_phases(_cosine(lr_max / div, lr_max), _cosine(lr_max, lr_max / div_final), pct_start)


def _cosine(first: float, last: float) -> Schedule:
    """From ``first`` to ``last`` along half a cosine: last + (first − last) · (1 + cos π·done) / 2."""
    return lambda done: last + (first - last) * (1 + math.cos(math.pi * done)) / 2


def _two_phases(start: Schedule, end: Schedule, pct_start: float) -> Schedule:
    """``start`` over the first ``pct_start`` of the run, ``end`` over the rest."""
    if not 0 <= pct_start < 1:
        raise ValueError(f"pct_start is {pct_start}: it must be at least 0 and below 1")
    return lambda done: start(done / pct_start) if done < pct_start else end((done - pct_start) / (1 - pct_start))


def set_lr(opt: Optimizer | torch.optim.Optimizer, lr: float) -> None:
    """Set the rate of one of ours, or of every parameter group of one of ``torch.optim``'s."""
    if isinstance(opt, SGD) or not isinstance(opt, torch.optim.Optimizer):
        opt.lr = lr
    else:
        for group in opt.param_groups:
            group["lr"] = lr


def fitting(opt: Any, params: Iterable[Tensor]) -> Any:
    """The optimizer, unless one of these weights is wide (``wide``): only our SGD without momentum steps such a weight.

    Raises:
        ValueError: another optimizer.
    """
    if is_wide(params) and not (isinstance(opt, SGD) and not opt.momentum):
        raise ValueError("weights too wide for a second copy in memory: take byhand.SGD without momentum")
    return opt


def _at_least_zero(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value >= 0:
            raise ValueError(f"{name} is {value}: it must be at least 0")
