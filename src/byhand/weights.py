"""The weights of any model: one of ours, a ``torch.nn.Module``, or a plain function of a batch.

They are handled as one dictionary from name to tensor. A plain function has no list of its parameters, so they are
found where the gradient would go: from one prediction back along autograd's graph to its leaves.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from byhand.errors import DataError
from byhand.files import write_atomically
from byhand.json_text import digest, parsed
from byhand.model import Sequential, copy_numbers
from byhand.tensor_file import head
from byhand.text import brief
from byhand.wide import is_wide

__all__ = [
    "leaves",
    "load",
    "load_checked",
    "parameters",
    "restore",
    "save",
    "snapshot",
    "spare",
    "state",
    "texts",
]

_ENTRY: Final = "byhand"
_NAMES: Final = 4  # shown of those that do not fit; of a wrong file it can be all
_TYPES: Final = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.complex64: "C64",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.bool: "BOOL",
    torch.uint64: "U64", torch.uint32: "U32", torch.uint16: "U16", torch.uint8: "U8",
}  # fmt: skip


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


def spare(model: object, params: dict[str, Tensor]) -> dict[str, Tensor]:
    """A snapshot to go back to; of a model too wide for a second copy (``wide``), nothing."""
    return {} if is_wide(state(model, params).values()) else snapshot(model, params)


def restore(model: object, params: dict[str, Tensor], saved: dict[str, Tensor]) -> None:
    """Copy a snapshot's numbers back into the model.

    Raises:
        ValueError: names or shapes are others than the model's.
    """
    mine = state(model, params)
    if mine.keys() != saved.keys():
        raise ValueError(f"missing {_some(mine.keys() - saved.keys())}, unknown {_some(saved.keys() - mine.keys())}")
    copy_numbers(mine, saved)


def save(file: str | Path, saved: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> Path:
    """Write tensors as safetensors, whole or not at all, and return the file's path.

    The same tensors and texts give the same bytes. With them stand ``about``, texts by name, a SHA-256 of each tensor,
    and one of all that: in one entry of the file's metadata, because safetensors writes several in an order that is
    another in each process.

    Raises:
        DataError: the file cannot be written.
    """
    path = Path(file)
    told = {"about": dict(about or {}), "tensors": {name: _digest(name, tensor) for name, tensor in saved.items()}}
    entry = json.dumps(told | {"all": digest(told)}, sort_keys=True)
    write_atomically(path, lambda file: _write(file, saved, {_ENTRY: entry}))
    return path


def load(file: str | Path) -> dict[str, Tensor]:
    """Read the tensors of any safetensors file, of one that ``save`` wrote only if every bit is as it was written.

    Raises:
        DataError: the file cannot be read, is no safetensors file, or is damaged (``load_checked``).
    """
    tensors, told = _read(file), _told(file)
    if told:
        _check(file, tensors, told)
    return tensors


def load_checked(file: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the texts of a file of ``save``'s, every bit of it as it was written.

    Raises:
        DataError: the file cannot be read, is damaged (the message names the tensor), or was not written by ``save``.
    """
    tensors, told = _read(file), _told(file)
    _check(file, tensors, told)
    return tensors, told["about"]


def texts(file: str | Path) -> dict[str, str]:
    """The texts that stand beside the tensors, unchecked: only the head of the file is read.

    Raises:
        DataError: the file cannot be read, or was not written by ``save``.
    """
    return _told(file).get("about", {})


def _some(names: Collection[str]) -> str:
    """The first of the names, in order, and how many more there are."""
    shown, more = [brief(name, 60) for name in sorted(names)[:_NAMES]], len(names) - _NAMES
    return (", ".join(shown) or "nothing") + (f" and {more} more" if more > 0 else "")


def _read(file: str | Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(Path(file).read_bytes())
    except (OSError, safetensors.SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else brief(error)
        raise DataError(f"cannot read the weights {file}: {reason}; give a .safetensors file") from error


def _told(file: str | Path) -> dict[str, Any]:
    """What ``save`` wrote of the tensors; nothing where it did not write the file."""
    try:
        # "np", which maps the file; under "pt" torch opens it once more, and a disk that fails then is a RuntimeError
        with cast("Any", safetensors).safe_open(str(file), "np") as opened:
            entries: dict[str, str] = opened.metadata() or {}
        told: object = parsed(entries.get(_ENTRY, "{}"))
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else brief(error)
        raise DataError(f"cannot read the weights {file}: {reason}; give a .safetensors file") from error
    found = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    about, digests = found.get("about"), found.get("tensors")
    if not isinstance(about, dict) or not isinstance(digests, dict):
        return {}
    return found if all(isinstance(text, str) for text in cast("dict[str, object]", about).values()) else {}


def _check(file: str | Path, tensors: dict[str, Tensor], told: dict[str, Any]) -> None:
    """DataError unless the tensors and what is told of them are, to the bit, what ``save`` wrote."""
    try:
        digests, of_all = told["tensors"], told.pop("all")
        whole = digests.keys() == tensors.keys() and of_all == digest(told)
    except (KeyError, AttributeError) as error:
        raise DataError(f"{file} is damaged: it has no checksums; train again") from error
    wrong = [name for name, tensor in tensors.items() if whole and digests[name] != _digest(name, tensor)]
    if wrong or not whole:
        raise DataError(
            f"{file} is damaged: the checksum of {wrong[0] if wrong else 'its head'} is another; train again"
        )


def _write(file: BinaryIO, saved: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file from where the tensors stand."""
    ordered = dict(sorted(saved.items(), key=lambda item: (-item[1].element_size(), item[0])))
    file.write(head({name: (_TYPES[t.dtype], tuple(t.shape)) for name, t in ordered.items()}, metadata))
    file.writelines(map(_bytes, ordered.values()))


def _bytes(tensor: Tensor) -> memoryview:
    """A tensor's numbers, in their order; those of a contiguous one on the processor are not copied."""
    numbers = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
    return numbers.numpy().data


def _digest(name: str, tensor: Tensor) -> str:
    """SHA-256 of a tensor: its name, its type and shape, and its numbers."""
    found = hashlib.sha256(f"{name}\n{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    found.update(_bytes(tensor))
    return found.hexdigest()
