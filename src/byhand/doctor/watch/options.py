"""Options of the command line: which were parsed, and which the program looked at afterwards."""

import argparse
from typing import Any, Final, final

from byhand.doctor.aside import Option
from byhand.doctor.place import Place
from byhand.doctor.watch.frames import Frames

__all__ = ["Options"]

_MOST: Final = 200


@final
class Options:
    """The namespaces that parsers gave. Reads are seen from the end of the outermost parsing on."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._places: dict[int, Place | None] = {}  # id of an action → its add_argument
        self._parsed: list[tuple[Any, list[Any], set[str]]] = []  # a namespace, its actions, what was read of it
        self._of: dict[int, set[str]] = {}  # id of a namespace → what was read of it
        self._within = 0  # argparse's own calls that are under way

    def watch(self) -> None:
        """Change argparse for this process, for good."""
        parser: Any = argparse.ArgumentParser
        namespace: Any = argparse.Namespace
        container: Any = argparse._ActionsContainer  # pyright: ignore[reportPrivateUsage]
        add, parse, look, show = (
            container.add_argument, parser.parse_known_args, namespace.__getattribute__, namespace.__repr__,
        )  # fmt: skip

        def add_argument(it: Any, *args: Any, **kwargs: Any) -> Any:
            action = add(it, *args, **kwargs)
            self._places.setdefault(id(action), self._frames.innermost())
            return action

        def parse_known_args(it: Any, *args: Any, **kwargs: Any) -> Any:
            self._within += 1
            try:
                result = parse(it, *args, **kwargs)
            finally:
                self._within -= 1
            if not self._within:
                self._keep(it, result[0])
            return result

        def getattribute(it: Any, name: str) -> Any:
            read = self._of.get(id(it)) if not self._within else None
            if read is not None and (name == "__dict__" or not name.startswith("__")):
                read.add(name)
            return look(it, name)

        def reduce_ex(it: Any, protocol: Any) -> Any:
            if not self._within and id(it) in self._of:
                self._of[id(it)].add("__dict__")  # a copy, or a pickle of it, is read as a whole
            return object.__reduce_ex__(it, protocol)

        def represent(it: Any) -> str:
            self._within += 1
            try:
                return show(it)
            finally:
                self._within -= 1

        container.add_argument, parser.parse_known_args = add_argument, parse_known_args
        namespace.__getattribute__, namespace.__repr__, namespace.__reduce_ex__ = getattribute, represent, reduce_ex

    def _keep(self, parser: Any, namespace: Any) -> None:
        """Follow a namespace from here on; it is held, so that its id stays its own."""
        if type(namespace) is argparse.Namespace and id(namespace) not in self._of and len(self._parsed) < _MOST:
            self._of[id(namespace)] = read = set[str]()
            self._parsed.append((namespace, list(parser._actions), read))

    def seen(self) -> list[Option]:
        """All options that ended in a namespace."""
        found: list[Option] = []
        self._within += 1
        for namespace, actions, read in self._parsed:
            values: dict[str, Any] = namespace.__dict__
            for action in actions[:_MOST]:
                value: Any = values.get(action.dest)
                if action.dest in values and action.dest != "help":
                    plain = isinstance(value, int | float) and not isinstance(value, bool)
                    number = float(value) if plain else None
                    flag = max(action.option_strings, key=len, default=action.dest)
                    known = action.dest in read or "__dict__" in read
                    found.append(Option(action.dest, flag, self._places.get(id(action)), number, known))
        return found
