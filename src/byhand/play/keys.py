"""Who may see the page: the token of the opened address, which works once, and the cookie that it is exchanged for."""

import secrets
from collections.abc import Iterable
from typing import Final, final

__all__ = ["Keys"]

_BYTES: Final = 32
_QUERY: Final = b"token="


@final
class Keys:
    """The two secrets of one server.

    The token lies in the browser's history and in the terminal, so it is void after its first use. Cookies do not tell
    ports apart, so the cookie's name has the port in it.
    """

    def __init__(self, port: int) -> None:
        self.port: Final = port
        self._token: str | None = secrets.token_urlsafe(_BYTES)
        self._name = f"byhand-{port}"
        self._secret = secrets.token_urlsafe(_BYTES)
        self.url: Final = f"http://127.0.0.1:{port}/?token={self._token}"
        self.set_cookie: Final = f"{self._name}={self._secret}; HttpOnly; SameSite=Strict; Path=/".encode()

    @staticmethod
    def is_token(query: bytes) -> bool:
        """Whether a query string has the form of a token, whatever its worth."""
        return query.startswith(_QUERY)

    def exchange(self, query: bytes) -> bool:
        """Whether a query string is the token; if so, it is void from now on."""
        if self._token is None or not secrets.compare_digest(query, _QUERY + self._token.encode()):
            return False
        self._token = None
        return True

    def held(self, cookies: Iterable[bytes]) -> bool:
        """Whether the cookie is among those of a request, given the values of its Cookie fields.

        Another server on this machine may have set one of the same name, so any of them may be it.
        """
        wanted = f"{self._name}={self._secret}".encode()
        pairs = [pair.strip(b" \t") for value in cookies for pair in value.split(b";")]
        return any(secrets.compare_digest(pair, wanted) for pair in pairs)
