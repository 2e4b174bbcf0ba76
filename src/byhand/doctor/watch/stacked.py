"""Batches of a plain DataLoader, faster and the same to the bit: one gather in place of hundreds of rows to stack.

A data set that is a list of tuples of tensors, or a TensorDataset, read in this process and put together by torch's own
collate function, gives a batch of rows that stand in memory already. Stacked once, a batch is an ``index_select``. That
is how a program that is watched takes no longer than alone, and how one that is tried again takes a tenth.
"""

from typing import Any, Final, cast

import torch
from torch.utils import data as _data
from torch.utils.data import TensorDataset
from torch.utils.data.dataloader import _SingleProcessDataLoaderIter  # pyright: ignore[reportPrivateUsage]

__all__ = ["stack_rows"]

_collate: Any = cast("Any", _data).default_collate
_LARGEST: Final = 400_000_000  # numbers of a data set that is stacked
_SMALLEST: Final = 256  # rows; fewer are not worth it


def stack_rows() -> None:
    """Patch torch's loader for this process."""
    following: Any = _SingleProcessDataLoaderIter._next_data  # pyright: ignore[reportPrivateUsage]
    tables: dict[int, tuple[Any, list[torch.Tensor] | None, list[Any]]] = {}  # id → (data set, columns, rows)

    def advance(self: Any) -> Any:
        data: Any = getattr(self, "_dataset", None)
        if self._collate_fn is not _collate or not self._auto_collation or self._pin_memory:
            return following(self)
        if id(data) not in tables:
            with torch._C.DisableTorchFunction():  # pyright: ignore[reportPrivateUsage]
                tables[id(data)] = (data, _columns(data), _rows(data))
        columns = tables[id(data)][1]
        if columns is None:
            return following(self)
        index: Any = self._next_index()
        with torch._C.DisableTorchFunction():  # pyright: ignore[reportPrivateUsage]
            chosen = torch.as_tensor(index)
            batch = [column.index_select(0, chosen) for column in columns]
            rows = tables[id(data)][2]
            same = not rows or all(data[i] is rows[i] for i in index)
            if not same or not all(torch.equal(part[0], one) for part, one in zip(batch, data[index[0]], strict=True)):
                tables[id(data)] = (data, None, [])  # the program has changed its data since
                return _collate([data[i] for i in index])
        return batch

    _SingleProcessDataLoaderIter._next_data = advance  # type: ignore[method-assign]


def _rows(data: Any) -> list[Any]:
    return list(cast("list[Any]", data)) if isinstance(data, list) else []


def _columns(data: Any) -> list[torch.Tensor] | None:
    """The tensors that a data set's rows are made of, end to end; None where that is not all there is to it."""
    if type(data) is TensorDataset:
        tensors = list(data.tensors)
        return tensors if all(_is_plain(tensor) for tensor in tensors) else None
    if type(data) is not list or len(cast("list[Any]", data)) < _SMALLEST:
        return None
    rows = cast("list[Any]", data)
    if type(rows[0]) not in (tuple, list) or not all(isinstance(part, torch.Tensor) for part in rows[0]):
        return None
    first: list[torch.Tensor] = list(rows[0])
    if sum(part.numel() for part in first) * len(rows) > _LARGEST:
        return None
    kinds = [(part.shape, part.dtype) for part in first]
    for row in rows:
        if type(row) is not type(rows[0]) or len(row) != len(first):
            return None
        for part, (shape, dtype) in zip(row, kinds, strict=True):
            if not _is_plain(part) or part.shape != shape or part.dtype != dtype:
                return None
    return [torch.stack([row[i] for row in rows]) for i in range(len(first))]


def _is_plain(value: Any) -> bool:
    return type(value) is torch.Tensor and not value.requires_grad and value.device.type == "cpu"
