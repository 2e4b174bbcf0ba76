"""From the label values in a file to class names and indices."""

from typing import Final

import numpy as np

from byhand.data.dataset import Raw, Rows
from byhand.errors import DataError
from byhand.text import one_line

MAX_LABEL: Final = 999
"""The largest label value that is read: a larger one is a measurement or a row number, not a class."""


def index_labels(path: str, train: Rows, test: Rows | None = None, valid: Rows | None = None) -> Raw:
    """Names each label value that occurs in ``train`` by its number and replaces it by its place among them.

    Labels 0..9 keep their values and get the names '0' to '9'. Images of threes and sevens alone get the names '3' and
    '7' and the labels 0 and 1, as a folder with the sub-folders 3 and 7 does.

    Raises:
        DataError: a label is below 0 or above 999, or one of ``test`` or ``valid`` does not occur in ``train``; or the
            images of these have another size.
    """
    parts = [("training", train), ("validation", valid), ("test", test)]
    for name, rows in parts:
        if rows is not None and rows.images.shape[1:] != train.images.shape[1:]:
            (height, width), (h, w) = rows.images.shape[1:], train.images.shape[1:]
            raise DataError(
                f"{one_line(path)}: the images of the {name} part have {height} × {width} pixels, those of the "
                f"training part {h} × {w}; all need one size"
            )
    for name, rows in parts:
        if rows is not None and rows.labels.size:
            outside = np.flatnonzero((rows.labels < 0) | (rows.labels > MAX_LABEL))
            if outside.size:
                raise DataError(
                    f"{one_line(path)}: label {rows.labels[outside[0]]} of image {outside[0] + 1} of the {name} part "
                    f"is outside 0..{MAX_LABEL}; check the labels"
                )
    values = np.unique(train.labels)
    place = np.full(MAX_LABEL + 1, -1, np.int64)
    place[values] = np.arange(len(values))

    def indexed(name: str, rows: Rows | None) -> Rows | None:
        if rows is None:
            return None
        labels = place[rows.labels]  # (N,)
        unknown = np.flatnonzero(labels < 0)
        if unknown.size:
            raise DataError(
                f"{one_line(path)}: label {rows.labels[unknown[0]]} of image {unknown[0] + 1} of the {name} part does "
                "not occur in the training part; check the labels"
            )
        return Rows(rows.images, labels)

    return Raw(
        indexed("training", train) or train,
        indexed("validation", valid),
        indexed("test", test),
        tuple(str(value) for value in values),
    )
