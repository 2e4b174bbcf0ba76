"""Rows that judge, scaled by their own mean: what is said of one hangs on the others beside it."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.trace import Examples

__all__ = ["centred_on_itself"]

_ROWS: Final = 30  # the means of fewer are hardly told from 0
_COLUMNS: Final = 20
_ZERO: Final = 1e-4  # in deviations; of N rows that were scaled by others' mean it would be about 1/√N
_NEAR: Final = 0.02  # deviations between an array and a sample of it
_NEW: Final = 0.05  # of the rows that judge, at most, may have been trained on


def centred_on_itself(evidence: Evidence) -> Iterator[Finding]:
    """``StandardScaler().fit_transform(X_test)``, or a mean over the rows of the call: each column's mean is 0.

    Rows that were scaled with numbers of the training have means near 0, and not 0.
    """
    main = evidence.audit.main
    examples = evidence.trace.evaluated_on
    if main is None or main.on != "held-out" or main.share > _NEW or examples is None or not examples.whole:
        return
    rows = _rows(examples, main)
    if rows is None or len(rows) < _ROWS:
        return
    deviations = rows.std(axis=0)
    varied = deviations > 1e-3 * max(float(deviations.max()), 1e-12)
    if varied.sum() < _COLUMNS or not (abs(rows.mean(axis=0)[varied]) <= _ZERO * deviations[varied]).all():
        return
    scaled = bool((abs(deviations[varied] - 1) < 1e-2).mean() > 0.9)
    yield Finding(
        "scaled-differently",
        "warning",
        _place(evidence, main, rows),
        saw=f"the mean of each of the {int(varied.sum()):,} columns of the {len(rows):,} rows that judge is 0"
        f"{', and the deviation 1' if scaled else ''}: they were scaled by their own numbers, not by the training's"
        f" (those would leave about ± {1 / np.sqrt(len(rows)):.2g})",
        so="an image is another one with other rows beside it, and one alone becomes all zeros",
        instead="take the mean and the deviation of the training rows once, and scale all rows by them",
        proof="arithmetic",
    )


def _rows(examples: Examples, one: Pass) -> np.ndarray[tuple[int, int], np.dtype[np.float64]] | None:
    """The rows of a pass as they went into the model, (N, P); None where some are missing, or there twice."""
    chosen = np.isin(examples.fingerprints, one.rows)
    if chosen.sum() != one.n or examples.rows.ndim != 2:
        return None
    rows = examples.low + examples.scale * examples.rows[chosen].astype(np.float64)
    return rows if np.isfinite(rows).all() else None


def _place(evidence: Evidence, one: Pass, rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Place | None:
    """Where an array of these rows first got a name on their scale; else where they are given to the model."""
    mean, deviation = float(rows.mean()), float(rows.std())
    for made in evidence.trace.made:
        seen = made.summary
        if seen.mean is None or seen.std is None or one.n not in seen.shape[:2]:
            continue
        if max(abs(seen.mean - mean), abs(seen.std - deviation)) <= _NEAR * deviation:
            return made.place
    return one.forward.stack[-1] if one.forward.stack else one.forward.place
