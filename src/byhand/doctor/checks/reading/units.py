"""All of the user's text that ran: the script or the cells, and the modules of its folder that they imported."""

from byhand.doctor.place import Place
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Trace

__all__ = ["units"]


def units(program: Program, trace: Trace) -> tuple[Unit, ...]:
    """The program's own units first, then the imported ones in the order in which they ran."""
    files = [program.unit(Place(file.file, 1, 0, 1, 0, file.cell)) for file in trace.files]
    return (*program.units, *(unit for unit in files if unit is not None and unit not in program.units))
