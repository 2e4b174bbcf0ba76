"""Every cap of the server behind the page. What goes beyond is refused with a status in 400..499, or cut off."""

from typing import Final

__all__ = [
    "BACKLOG",
    "BODY_SECONDS",
    "COMMAND_BYTES",
    "CONNECTIONS",
    "END_SECONDS",
    "HEAD_BYTES",
    "HEAD_FIELDS",
    "HEAD_SECONDS",
    "HEARTBEAT_SECONDS",
    "IDLE_SECONDS",
    "PICTURE_BYTES",
    "PICTURE_SIDE",
    "STREAMS",
    "WHOLE_NUMBER",
    "WRITE_SECONDS",
]

CONNECTIONS: Final = 64
"""Connections at a time; a browser opens six."""
BACKLOG: Final = 512
"""Connections that wait to be accepted: so few that the process's open files never run out between two looks."""
STREAMS: Final = 16
"""Event streams at a time, one a tab."""

HEAD_SECONDS: Final = 5.0
"""From the first byte of a request to the end of its head."""
HEAD_BYTES: Final = 8 * 1024
"""Of the request line and the header fields together."""
HEAD_FIELDS: Final = 64
"""Header fields of a request; a browser sends some 15."""
BODY_SECONDS: Final = 5.0
"""From the head to the end of the body."""
IDLE_SECONDS: Final = 5
"""That a connection may stay open between two requests."""
WRITE_SECONDS: Final = 10.0
"""That a client may leave an answer unread; then the connection is cut."""
HEARTBEAT_SECONDS: Final = 15.0
"""Of silence on an event stream before a comment is sent, which keeps it alive and finds a dead tab."""
END_SECONDS: Final = 1
"""Of patience with open connections once the server is told to end."""

COMMAND_BYTES: Final = 16 * 1024
"""Of a command's JSON."""
WHOLE_NUMBER: Final = 2**53
"""The largest whole number in a command: what JavaScript can tell from its neighbours."""
PICTURE_SIDE: Final = 512
"""Pixels of a side of a picture that is sent to be centred."""
PICTURE_BYTES: Final = 4 + PICTURE_SIDE**2
"""Its width and its height, two bytes each, and a byte a pixel."""
