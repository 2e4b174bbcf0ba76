"""What the server asks of whatever it shows: a training that a person plays with, or a program that is watched."""

from typing import Any, Protocol

from byhand.play.hub import Hub

__all__ = ["Session"]


class Session(Protocol):
    """Called from several threads at once; no call may take longer than a person waits for a button."""

    hub: Hub
    """Where the session publishes what happens."""

    def state(self) -> dict[str, Any]:
        """Everything that a tab needs that has just come; JSON by ``json_text``."""
        ...

    def do(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out a command: an object whose ``do`` is text; everything else about it is the session's to check.

        Raises:
            UsageError: no such command, or one that is not possible now.
            DataError: it could not be done, as where a disk is full.
        """
        ...

    def weights(self) -> bytes | None:
        """The weights as they are: float32, little-endian, W1 (O × I), b1, W2, b2, …; None where there are none."""
        ...

    def exported(self) -> str | None:
        """The weights as they are, as a page that draws and predicts without a server; None where there are none.

        Raises:
            UsageError: a model that such a page does not carry.
        """
        ...

    def close(self) -> None:
        """End every thread and process of the session."""
        ...
