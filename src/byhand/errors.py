"""What byhand says when it cannot go on: one line, and an exit status.

    ByhandError
    ├── UsageError   2   the command or the call is wrong
    └── DataError    3   data, a file or the environment is wrong

A message names what is wrong, where (file, row, byte), and what to do. It is all that a person sees: the command line
prints it after ``byhand:`` and shows no traceback.
"""

from typing import ClassVar


class ByhandError(Exception):
    """Any fault that byhand explains in one line. ``exit_code`` is the status of the command."""

    exit_code: ClassVar[int] = 1


class UsageError(ByhandError):
    """The command line, or a call's arguments, ask for something that byhand does not do."""

    exit_code: ClassVar[int] = 2


class DataError(ByhandError):
    """A data source, a file or the machine's state stops the work."""

    exit_code: ClassVar[int] = 3
