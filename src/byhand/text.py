"""Text that others wrote (names of classes and files), made safe to show."""

__all__ = ["brief", "one_line"]


def one_line(text: object) -> str:
    r"""The text with everything that a terminal or a page might obey written out: ``\n``, ``\x1b``, ``\u202e``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def brief(said: object, most: int = 200) -> str:
    """What another program or file said, on one line of at most ``most`` characters: the first of it."""
    text = one_line(str(said)[: most + 1])
    return text if len(text) <= most else f"{text[: most - 1]}…"
