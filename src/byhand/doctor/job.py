"""One run of the user's program, as it is asked for: what to run, where, on which copy, and for how long."""

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, final

from byhand.json_text import json_text

__all__ = ["Fence", "Job"]


@final
@dataclass(frozen=True, slots=True)
class Fence:
    """What a run of somebody else's program may use; it also has no network and writes in ``Job.copy`` only."""

    memory: int  # bytes of data of one process
    file: int  # bytes of one file, and of what it prints
    files: int  # that are open at once
    processes: int  # at once, where the system counts those of one run by themselves


@final
@dataclass(frozen=True, slots=True)
class Job:
    """A run of the program. At ``soft`` seconds it is asked to end its training loops, at ``hard`` to end at all."""

    program: Path  # the script or notebook
    folder: Path  # the working directory
    arguments: tuple[str, ...] = ()
    copy: Mapping[Path, Path] | None = None  # original folder → its copy, as ``Scratch.fresh`` gives it; None: in place
    sources: Mapping[str, str] = field(default_factory=dict[str, str])  # edited source by unit: "file" or "file#cell"
    seed: int = 0  # where the program sets none
    shift: int = 0  # added to every seed that the program sets
    steps: int | None = None  # end the training loops after that many updates
    soft: float = math.inf  # seconds from the start: SIGUSR1
    hard: float = math.inf  # seconds from the start: SIGTERM, and SIGKILL to its whole group a little later
    light: bool = False  # a replay: no network, no experiment tracking, no writing outside ``copy``
    clocks: tuple[int, ...] = ()  # numbers of updates at which every operation is to be written down
    home: Path | None = None  # the folder that the program stands in, if not that of its file
    probe: tuple[int, ...] = ()  # numbers of updates before which finite differences are taken; it ends after the last
    threads: int | None = None  # of torch and the BLAS; None: as they come
    fence: Fence | None = None
    live: bool = False  # tell what goes on while it does, for ``byhand.doctor.run.mailbox``
    observer: str = "byhand.doctor.watch.observe:observe"  # module:function, called as f(job, trace folder)

    def place(self, path: Path) -> Path:
        """Where a path of the user's is in the copy; the path itself where it is not copied, or is there already."""
        copies = self.copy or {}
        for full in (Path(os.path.abspath(path)), Path(os.path.realpath(path))):
            if any(full.is_relative_to(copy) for copy in copies.values()):
                return full
            for original, copy in copies.items():
                if full.is_relative_to(original):
                    return copy / full.relative_to(original)
        return path

    def placed(self) -> Self:
        """The job with its paths in the copy, those among the arguments too."""
        return dataclasses.replace(
            self,
            program=self.place(self.program),
            folder=self.place(self.folder),
            home=None if self.home is None else self.place(self.home),
            arguments=tuple([self._argument(word) for word in self.arguments]),
        )

    def _argument(self, word: str) -> str:
        option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        return option + equals + str(self.place(Path(value))) if value.startswith("/") else word

    def to_json(self) -> str:
        """The job on one line."""
        return json_text(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The job that ``to_json`` wrote."""
        copy: dict[str, str] | None = record["copy"]
        limits = {name: math.inf if record[name] is None else record[name] for name in ("soft", "hard")}
        fields: dict[str, Any] = {
            **record,
            **limits,
            "program": Path(record["program"]),
            "folder": Path(record["folder"]),
            "home": None if record["home"] is None else Path(record["home"]),
            "arguments": tuple(record["arguments"]),
            "clocks": tuple(record["clocks"]),
            "fence": record["fence"] and Fence(**record["fence"]),
            "probe": tuple(record["probe"]),
            "copy": None if copy is None else {Path(original): Path(place) for original, place in copy.items()},
        }
        return cls(**fields)
