"""Text that others wrote (names of classes and files), made safe to show."""

__all__ = ["one_line"]


def one_line(text: str) -> str:
    r"""The text with everything that a terminal or a page might obey written out: ``\n``, ``\x1b``, ``\u202e``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
