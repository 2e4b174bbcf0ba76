"""All that a check may look at."""

from dataclasses import dataclass
from typing import final

from byhand.doctor.audit.audit import Audit
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Trace

__all__ = ["Evidence"]


@final
@dataclass(frozen=True, slots=True)
class Evidence:
    """The program's text, what its run did, and what its evaluations truly gave."""

    program: Program
    trace: Trace
    audit: Audit
