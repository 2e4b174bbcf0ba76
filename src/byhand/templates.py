"""Pages out of templates: what others wrote is text on them and nothing else."""

from importlib import resources
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

from byhand.text import one_line

__all__ = ["environment"]

_OWN: Final = "\n"  # jinja's own line ends; a line end within a value is written out


def environment(*homes: str) -> Environment:
    """Where templates are read and filled in.

    Whatever a template prints goes through ``one_line`` and is escaped, unless it is Markup. A name that it is not
    given is an error.

    Args:
        homes: packages that hold templates and what these include, looked through in order.
    """

    def read(name: str) -> str | None:
        places = [resources.files(home) / name for home in homes]
        return next((place.read_text("utf-8") for place in places if place.is_file()), None)

    return Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        finalize=_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(value: object) -> object:
    return value if value == _OWN or hasattr(value, "__html__") else one_line(str(value))
