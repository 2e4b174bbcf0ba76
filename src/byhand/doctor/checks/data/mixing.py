"""Code that mixes the training rows: a loader's argument, or one permutation for rows and labels."""

import re

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.batches import slices
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Forward, Loader

__all__ = ["shuffled"]


def shuffled(
    evidence: Evidence, forward: Forward, loader: Loader | None
) -> tuple[tuple[Edits, ...], Place | None, str]:
    """Edits that mix the training rows, the place where they do, and the code in words.

    A loader is told to shuffle; arrays that batches are cut from are mixed once, before that.
    """
    program = evidence.program
    if loader is not None and loader.place is not None:
        text = program.text(loader.place)
        edit = None if "sampler" in text else edits.argument(program, loader.place, "shuffle", "True")
        if edit is not None and loader.rows is not None:
            return ((edit,),), loader.place, _with(text)
        return (), loader.place, "draw the rows in random order"
    for cut in slices(program, evidence.trace, forward.place):
        rows, labels = cut.names
        shared = program.units if program.notebook else (cut.unit,)
        imports = [alias for unit in shared for node in unit.tree.body for alias in getattr(node, "names", [])]
        unit_names = {alias.asname or alias.name for alias in imports}
        numpy = next((name for name in ("np", "numpy") if name in unit_names), None)
        if numpy is None and "torch" not in unit_names:
            continue
        mix = f"{numpy}.random.permutation(len({rows}))" if numpy else f"torch.randperm(len({rows}))"
        lines = f"order = {mix}\n{rows}, {labels} = {rows}[order], {labels}[order]"
        place = cut.unit.place(cut.rows)
        if cut.local:
            edit = edits.insert_line(program, cut.unit.place(cut.outermost), lines, after=False)
        else:
            made = [edits.definition(program, name, place) for name in (rows, labels)]
            known = [one for one in made if one is not None]
            edit = edits.insert_line(program, max(known), lines) if len(known) == 2 else None
        if edit is not None:
            return ((edit,),), place, lines.replace("\n", "; ")
    return (), forward.place, "mix rows and labels by one permutation before they are cut into batches"


def _with(call: str) -> str:
    text = " ".join(call.split())
    text = re.sub(r",?\s*shuffle\s*=\s*\w+", "", text)
    return f"{text[:-1]}, shuffle=True)" if text.endswith(")") and len(text) < 90 else "shuffle=True in the loader"
