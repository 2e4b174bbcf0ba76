"""What every answer of the server carries, and how it refuses."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

__all__ = ["SECURITY", "plain_fields", "raw_refusal", "with_security"]

Fields = list[tuple[bytes, bytes]]

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

SECURITY: Final[Fields] = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"x-frame-options", b"DENY"),
]
"""Header fields of every answer, names in lower case."""


def with_security(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """The fields of an answer, and those of ``SECURITY`` that it does not set itself."""
    own = list(fields)
    names = {name.lower() for name, _ in own}
    return [*own, *((name, value) for name, value in SECURITY if name not in names)]


def plain_fields(text: bytes) -> Fields:
    """The fields of an answer that is plain text."""
    return [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]


def raw_refusal(status: int, text: str) -> bytes:
    """A whole answer as bytes, for a request that was never understood; the connection is closed after it."""
    body = f"{text}\n".encode()
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in [*with_security(plain_fields(body)), (b"connection", b"close")]]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
