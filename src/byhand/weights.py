"""The weights of any model: one of ours, a ``torch.nn.Module``, or a plain function of a batch.

They are handled as one dictionary from name to tensor. A plain function has no list of its parameters, so they are
found where the gradient would go: from one prediction back along autograd's graph to its leaves.
"""

from pathlib import Path
from typing import Any, cast

import safetensors
import safetensors.torch
from torch import Tensor, nn

from byhand.errors import DataError
from byhand.files import write_atomically
from byhand.model import Sequential, copy_numbers

__all__ = ["leaves", "load", "parameters", "restore", "save", "snapshot", "state"]


def parameters(model: object, output: Tensor | None) -> dict[str, Tensor]:
    """The parameters that can learn, by name: those of the model that require a gradient.

    For a plain function they are the leaves of ``output``, one prediction of it, named by their number.

    Raises:
        ValueError: there are none.
    """
    if isinstance(model, Sequential | nn.Module):
        found = {name: p for name, p in model.named_parameters() if p.requires_grad}
    else:
        found = {str(i): p for i, p in enumerate(leaves(output) if output is not None else [])}
    if not found:
        raise ValueError("the model has no parameter that requires a gradient: make them with init_params()")
    return found


def leaves(output: Tensor) -> list[Tensor]:
    """The tensors that ``output.backward()`` would give a gradient, in the order in which the graph leads to them."""
    found: dict[int, Tensor] = {}
    seen: set[Any] = set()
    nodes = [cast(Any, output.grad_fn)]
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):  # an AccumulateGrad node: here a gradient ends
            found[id(node.variable)] = node.variable
        nodes += [next_node for next_node, _ in reversed(node.next_functions)]
    return list(found.values())


def state(model: object, params: dict[str, Tensor]) -> dict[str, Tensor]:
    """All numbers that make the model what it is: its ``state_dict``, or a function's parameters."""
    if isinstance(model, Sequential | nn.Module):
        return model.state_dict()
    return {name: p.detach() for name, p in params.items()}


def snapshot(model: object, params: dict[str, Tensor]) -> dict[str, Tensor]:
    """A copy of the state, in memory of its own."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in state(model, params).items()}


def restore(model: object, params: dict[str, Tensor], saved: dict[str, Tensor]) -> None:
    """Copy a snapshot's numbers back into the model.

    Raises:
        ValueError: names or shapes are others than the model's.
    """
    mine = state(model, params)
    if mine.keys() != saved.keys():
        missing, unknown = sorted(mine.keys() - saved.keys()), sorted(saved.keys() - mine.keys())
        raise ValueError(f"missing {', '.join(missing) or 'nothing'}, unknown {', '.join(unknown) or 'nothing'}")
    copy_numbers(mine, saved)


def save(file: str | Path, saved: dict[str, Tensor]) -> Path:
    """Write a snapshot as safetensors, whole or not at all, and return the file's path.

    Raises:
        DataError: the file cannot be written.
    """
    path = Path(file)
    write_atomically(path, safetensors.torch.save(saved))
    return path


def load(file: str | Path) -> dict[str, Tensor]:
    """Read what ``save`` wrote.

    Raises:
        DataError: the file cannot be read, or is no safetensors file.
    """
    try:
        return safetensors.torch.load(Path(file).read_bytes())
    except (OSError, safetensors.SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"cannot read the weights {file}: {reason}; give a .safetensors file") from error
