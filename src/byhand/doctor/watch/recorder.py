"""The record of a run while it goes on. The hooks in the user's code and torch's own report here; nothing is judged."""

from dataclasses import replace
from itertools import islice
from typing import Any, Final, cast, final

from byhand.doctor.clip import Clip
from byhand.doctor.place import Place
from byhand.doctor.slopes import Probe
from byhand.doctor.trace import Loader, Made, Printed
from byhand.doctor.watch.arrays import is_float, is_numpy, length, pointer, summarize
from byhand.doctor.watch.drafts import ForwardDraft
from byhand.doctor.watch.evaluations import Evaluations
from byhand.doctor.watch.forwards import Forwards
from byhand.doctor.watch.frames import Frames
from byhand.doctor.watch.kept import KeptGraphs
from byhand.doctor.watch.labels import INDEX, Labels
from byhand.doctor.watch.layers import Layers
from byhand.doctor.watch.lineage import Lineage
from byhand.doctor.watch.loops import Loops
from byhand.doctor.watch.options import Options
from byhand.doctor.watch.safe import Safe
from byhand.doctor.watch.samples import Samples
from byhand.doctor.watch.settings import Settings
from byhand.doctor.watch.steps import Steps
from byhand.doctor.watch.taping import TapeRecorder
from byhand.doctor.watch.written import Told

__all__ = ["Recorder"]

_LINES: Final = 20_000
_MADE: Final = 400
_NOTES: Final = 100
_PARTS: Final = 100  # of one list


@final
class Recorder:
    """Everything seen so far. ``on`` is False in child processes and once the run is over."""

    def __init__(self, frames: Frames) -> None:
        self.on = True
        self.branched = False  # this process is a branch of the run
        self.stepping = False  # an optimizer's step is under way
        self.seeded = False
        self.drew: tuple[str, ...] = ()  # libraries whose global generator gave numbers
        self.shift = 0  # added to every seed that the program sets
        self.notes: list[str] = []
        self.safe = Safe(self.notes)
        self.told = Told()  # output that goes on is recorded already
        self.kept: list[Any] = []  # objects whose id must stay theirs
        self.loaders: list[Loader] = []
        self.loader_of: dict[int, int] = {}  # id of a loader → its position
        self.made: list[Made] = []
        self.clips: list[Clip] = []
        self.printed: list[tuple[ForwardDraft | None, Printed]] = []
        self.settings = Settings()
        self.options = Options(frames)
        self.kept_graphs = KeptGraphs()
        self.probes: list[Probe] = []
        self.frames = frames
        self.loops = Loops()
        self.labels = Labels()
        self.layers = Layers(frames)
        self.lineage = Lineage(frames, self.loops.now)
        self.tape = TapeRecorder(self.lineage)
        self.samples = samples = Samples(self.lineage.parameters)
        self.forwards = Forwards(frames, self.lineage, self.labels, self.tape, samples)
        self.steps = Steps(self.lineage, self.forwards, self.labels, self.loops, self.tape, samples)
        self.evaluations = Evaluations(self.lineage, self.forwards, self.labels)

    def note(self, text: str) -> None:
        """Something was changed or could not be seen."""
        if text not in self.notes and len(self.notes) < _NOTES:
            self.notes.append(text)

    def tick(self, key: int) -> bool:
        """A round of a loop begins; whether the loop shall end instead."""
        self.forwards.round(key, self.loops.entered)
        return self.loops.tick(key)

    def name(self, name: str, array: Any, place: Place, first: bool) -> None:
        """An assignment gave an array a name; ``first``: it has not done so often."""
        self.lineage.name(array, name, place)
        if first and len(self.made) < _MADE:
            self.made.append(Made(name, place, summarize(array), self.forwards.clock))
        self.labels.candidate(array, length(array), self.lineage.role(array) == "data")

    def members(self, values: Any, place: Place) -> None:
        """Arrays became parts of a list or a dictionary here: this is where those without a name were made."""
        parts: Any = cast("dict[Any, Any]", values).values() if type(values) is dict else values
        for one in islice(parts, _PARTS):
            if is_numpy(one) and is_float(one) and one.ndim:
                self.lineage.member(one, place)

    def set(self, name: str, value: float, place: Place) -> None:
        """An assignment gave a plain number to a name that rates go by."""
        if self.on:
            self.settings.set(name, value, place, self.forwards.clock)

    def grown(self, k: int, name: str, value: Any, place: Place) -> None:
        """A sum got another term."""
        self.kept_graphs.grown(k, name, value, place, len(self.forwards.drafts))

    def objects(self, name: str, value: Any, place: Place) -> None:
        """An assignment named a module or a loader: its parameters are known by it."""
        index = self.loader_of.get(id(value))
        if index is None and type(value).__module__.startswith("fastai.") and hasattr(value, "fake_l"):
            self.loader_of[id(value)] = len(self.loaders)
            self.kept.append(value)
            self.loaders.append(Loader(name, place, value.n, value.bs, bool(value.shuffle), bool(value.drop_last)))
        elif index is not None and self.loaders[index].name is None:
            self.loaders[index] = replace(self.loaders[index], name=name)
        named = getattr(value, "named_parameters", None)
        if named is None or isinstance(value, type):
            return
        try:
            for path, array in list(named())[:1000]:
                self.lineage.name(array, f"{name}.{path}", place, again=False)
        except Exception:  # noqa: BLE001, an object that only looks like a module
            return

    def added(self, left: Any, right: Any, result: Any) -> None:
        """Two arrays were added: the smaller one may be a bias."""
        small = min(left, right, key=lambda array: pointer(array)[1])
        if small.ndim and self.lineage.role(small) == "data":
            self.labels.add(small, result)

    def is_offset(self, arrays: list[Any]) -> bool:
        """Whether a parameter is added to data that are more: a bias behind weights that are no parameters."""
        if len(arrays) != 2:
            return False
        small, large = sorted(arrays, key=lambda array: pointer(array)[1])
        if self.lineage.role(small) != "parameter" or self.lineage.role(large) != "data" or small.size == large.size:
            return False
        self.forwards.use(small)
        return True

    def beside(self, left: Any, right: Any) -> None:
        """Two arrays were multiplied or subtracted, one of them data: it may be labels, one-hot."""
        data = left if self.lineage.role(left) == "data" else right
        draft = self.forwards.current
        if data.ndim == 2 and (draft is None or draft.rank < INDEX):
            self.labels.note(draft, data, INDEX)

    def print(self, text: str, values: tuple[float, ...], place: Place | None) -> None:
        """A line was shown."""
        if len(self.printed) < _LINES:
            record = Printed(place, text, (), values, self.forwards.clock, None)
            self.printed.append((self.forwards.current, record))
        if self.samples.live is not None:
            self.samples.live.shown(text, place)

    def close(self) -> None:
        """The run is over."""
        self.on = False
        self.forwards.close()
        self.steps.close()
