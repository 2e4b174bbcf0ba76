"""How strongly the loss of one linear layer curves: all that its learning rate has to know of the data.

Let H be the Hessian of the mean cross-entropy at W = 0, where all C classes are equally probable:

    H = (1/C) (I − 11ᵀ/C) ⊗ (XᵀX / N),     so its largest eigenvalue is λ / C,  λ = λmax(XᵀX / N),

with a column of ones in X for the bias. Gradient descent on the whole data set is stable below 2C/λ there and contracts
best around C/λ. Anywhere else H ⪯ λ/2, so that no step up to 2/λ can raise the loss. A batch of B rows has its own
Hessian, larger by the chance of its draw; for SGD to contract in mean square, λ is replaced by

    L = λ + (max‖x‖² − λ) / B.

An L2 penalty of weight_decay/2 · ‖W‖² adds weight_decay to every eigenvalue of H.

Sources: Böhning, Ann. Inst. Stat. Math. 44 (1992), for H; Jain et al., JMLR 18 (2018), for L (least squares, batches).
"""

import torch
from torch import Tensor

__all__ = ["curvature"]

_SAMPLE = 8192  # rows: λ differs from that of all 60,000 of MNIST by under 1 %
_BLOCK = 512  # rows made float at a time: more no longer fit into fast memory
_ROUNDS = 12  # of power iteration, at most: the second eigenvalue of pictures is far below the first
_STEADY = 1e-4  # relative change of λ at which it is taken as found


def curvature(x: Tensor, batch_size: float, counts: Tensor | None = None) -> float:
    """L = λ + (max‖x‖² − λ) / B for inputs ``x`` (N, …), with a column of ones joined to them.

    λ comes from power iteration on at most 8,192 rows, always the same, max‖x‖² from all of them. ``uint8`` stands for
    x / 255. A data set that is 0 everywhere has L = 1, its bias's curvature. An endless batch, math.inf, is one that
    always holds all rows. If row i counts s_i, ``counts`` (N,) of mean 1, then s_i ‖x_i‖² takes the place of ‖x_i‖².
    """
    x = x.flatten(1)  # (N, P)
    scale = 1 / 255 if x.dtype == torch.uint8 else 1.0
    # Drawn, not evenly spaced: MNIST's even rows have another origin than its odd ones, and a λ that is 10 % smaller.
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:_SAMPLE].to(x.device)  # (n,)
    some = x[rows].to(torch.promote_types(x.dtype, torch.float32)) * scale  # (n, P)
    weigh = torch.ones(1, device=x.device) if counts is None else counts[rows] / counts[rows].mean()  # (1,) or (n,)
    v, bias = (some * weigh.unsqueeze(1)).mean(0), 1.0  # (P,), (): near the first eigenvector of data not centred
    eigenvalue = 1.0
    for _ in range(_ROUNDS):
        u = (some @ v + bias) * weigh  # (n,)
        v, bias = some.t() @ u / len(some), u.mean().item()  # (P,), ()
        before, eigenvalue = eigenvalue, float(v.square().sum() + bias**2) ** 0.5
        v, bias = v / eigenvalue, bias / eigenvalue
        if abs(eigenvalue - before) < _STEADY * eigenvalue:
            break
    largest = 0.0
    for start in range(0, len(x), _BLOCK):
        block = x[start : start + _BLOCK].to(torch.float32, copy=True)
        sizes = block.square_().sum(dim=1)  # (b,)
        if counts is not None:
            sizes = (sizes + 1 / scale**2) * counts[start : start + _BLOCK] - 1 / scale**2
        largest = max(largest, float(sizes.max()) * scale**2 + 1)
    return eigenvalue + max(0.0, largest - eigenvalue) / batch_size
