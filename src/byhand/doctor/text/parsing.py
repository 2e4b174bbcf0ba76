"""Python's parser, which says nothing of odd escapes: of those Python tells when it runs the program."""

import ast
import warnings

__all__ = ["is_python", "parsed"]


def parsed(code: str) -> ast.Module | Exception:
    """The syntax tree of some code, or what is wrong with it: a SyntaxError, or that it is too deep."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return error.with_traceback(None)


def is_python(code: str) -> bool:
    """Whether some code can be parsed."""
    return isinstance(parsed(code), ast.Module)
