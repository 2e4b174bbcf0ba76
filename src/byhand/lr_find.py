"""The learning rate.

For one linear layer under cross-entropy the rate follows from the data, without a search. Let H be the Hessian of the
mean loss at W = 0, where all C classes are equally probable:

    H = (1/C) (I − 11ᵀ/C) ⊗ (XᵀX / N),     so its largest eigenvalue is λ / C,  λ = λmax(XᵀX / N),

with a column of ones in X for the bias. Gradient descent on the whole data set is stable below 2C/λ and contracts best
around C/λ. A batch of B rows has its own Hessian, larger by the chance of its draw; for SGD to contract in mean square,
λ is replaced by

    L = λ + (max‖x‖² − λ) / B.

Sources: Böhning, Ann. Inst. Stat. Math. 44 (1992), for H; Jain et al., JMLR 18 (2018), for L (least squares, batches).
"""

import torch
from torch import Tensor

from byhand.data.loader import Batches, DataLoader
from byhand.layers import Linear
from byhand.model import Sequential
from byhand.optim import SGD, Adam

__all__ = ["curvature", "default_lr"]

_SAMPLE = 8192  # rows: λ differs from that of all 60,000 of MNIST by under 1 %
_ROUNDS = 12  # of power iteration: the second eigenvalue of pictures is far below the first


def curvature(x: Tensor, batch_size: int) -> float:
    """L = λ + (max‖x‖² − λ) / B for inputs ``x`` (N, P), with a column of ones joined to them.

    λ comes from power iteration on at most 8,192 rows, always the same, max‖x‖² from all of them. ``uint8`` stands for
    x / 255. A data set that is 0 everywhere has L = 1, its bias's curvature.
    """
    scale = 1 / 255 if x.dtype == torch.uint8 else 1.0
    # Drawn, not evenly spaced: MNIST's even rows have another origin than its odd ones, and a λ that is 10 % smaller.
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:_SAMPLE].to(x.device)  # (n,)
    some = x[rows].float() * scale  # (n, P)
    v, bias = torch.ones(some.shape[1], device=x.device), 1.0  # (P,), ()
    eigenvalue = 1.0
    for _ in range(_ROUNDS):
        u = some @ v + bias  # (n,)
        v, bias = some.t() @ u / len(some), u.mean().item()  # (P,), ()
        eigenvalue = float(v.square().sum() + bias**2) ** 0.5
        v, bias = v / eigenvalue, bias / eigenvalue
    largest = max(float(block.float().square().sum(dim=1).max()) for block in _blocks(x)) * scale**2 + 1
    return eigenvalue + max(0.0, largest - eigenvalue) / batch_size


def default_lr(model: object, train: Batches, opt: object) -> tuple[float, str]:
    """A rate to start from, and the reason for it.

    With byhand's SGD it is C / L for one linear layer, and 0.04 √H for an MLP whose narrowest hidden layer has H units
    (what served from 30 to 512 units), both times 1 − momentum. Otherwise a constant: 1e-3 for Adam, 0.1 for the rest.
    """
    if isinstance(opt, Adam | torch.optim.Adam | torch.optim.AdamW):
        return 1e-3, "Adam's usual rate"
    if isinstance(opt, SGD) and isinstance(model, Sequential):
        weights = [layer.weight for layer in model.layers if isinstance(layer, Linear)]  # (O, I) each
        if len(weights) == 1 and isinstance(train, DataLoader):
            lr = len(weights[0]) / curvature(train.x, train.batch_size)
            return lr * (1 - opt.momentum), "from the curvature of the data"
        if len(weights) > 1:
            units = min(len(weight) for weight in weights[:-1])
            return 0.04 * units**0.5 * (1 - opt.momentum), f"a usual rate for SGD with {units} hidden units"
    return 0.1, "a usual rate for SGD"


def _blocks(x: Tensor) -> list[Tensor]:
    return [x[start : start + _SAMPLE] for start in range(0, len(x), _SAMPLE)]
