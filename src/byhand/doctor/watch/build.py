"""From the record of a run to its trace: indices for references, and what is known only at the end."""

from dataclasses import replace
from typing import Final

from byhand.doctor.tape import Tape
from byhand.doctor.trace import End, Forward, Parameter, Printed, SourceFile, Trace, Training
from byhand.doctor.watch.drafts import ForwardDraft, Slot, TrainingDraft
from byhand.doctor.watch.numbers import numbers_in
from byhand.doctor.watch.recorder import Recorder

__all__ = ["build"]

_LINES: Final = 20  # of one print that are read


def build(recorder: Recorder, end: End, files: tuple[SourceFile, ...], libraries: tuple[str, ...]) -> Trace:
    """The trace of a run that is over; the output is filled in by whoever has caught it."""
    recorder.close()
    kept = {id(draft): draft.index for draft in recorder.forwards.drafts}

    def of(draft: ForwardDraft | None) -> int | None:
        return None if draft is None else kept.get(id(draft))

    seen = recorder.evaluations
    slots = recorder.lineage.parameters.slots
    rounds = recorder.loops.rounds(recorder.steps.trainings[-1]) if recorder.steps.trainings else None
    return Trace(
        replace(end, epochs=rounds),
        "",
        recorder.seeded,
        tuple(recorder.notes),
        files,
        tuple(_forward(draft, slots) for draft in recorder.forwards.drafts),
        tuple(replace(record, forward=of(seen.owner(event, draft))) for event, draft, record in seen.predictions),
        tuple(replace(record, forward=of(seen.owner(event, draft))) for event, draft, record in seen.comparisons),
        tuple(replace(record, forward=of(draft)) for draft, record in recorder.evaluations.loss_calls),
        tuple(replace(record, forward=of(draft)) for draft, record in recorder.steps.backwards),
        tuple(_training(draft) for draft in recorder.steps.trainings),
        tuple(_parameter(slot) for slot in slots),
        tuple(recorder.steps.optimizers),
        tuple(recorder.loaders),
        tuple(_printed(record, of(draft)) for draft, record in recorder.printed),
        tuple(recorder.made),
        tuple(recorder.settings.seen),
        tuple(recorder.kept_graphs.seen()),
        tuple(recorder.options.seen()),
        recorder.drew,
        tuple(
            Tape(
                of(taped.draft),
                taped.draft.clock,
                taped.draft.kind,
                tuple(taped.values),
                tuple(taped.ops),
                taped.loss,
                taped.cost,
            )
            for taped in recorder.tape.tapes
        ),
        recorder.forwards.trained.examples(),
        recorder.forwards.evaluated.examples(),
        libraries,
        clips=tuple(recorder.clips),
        layers=tuple(recorder.layers.seen),
        probes=tuple(recorder.probes),
    )


def _forward(draft: ForwardDraft, slots: list[Slot]) -> Forward:
    training = None if draft.training is None else slots[draft.training].training
    return Forward(
        draft.index,
        draft.place,
        draft.clock,
        draft.kind,
        draft.n,
        draft.rows,
        draft.labels,
        draft.input,
        draft.grad,
        tuple(sorted(draft.noisy)),
        tuple(sorted(draft.fixed)),
        draft.loader,
        training,
        draft.stack,
        tuple(sorted(draft.layers)),
    )


def _training(draft: TrainingDraft) -> Training:
    rate = draft.rates[0][1] if draft.rates else None
    return Training(
        draft.first, draft.last, draft.place, draft.hand, rate, tuple(draft.rates), draft.loop, draft.epochs
    )


def _parameter(slot: Slot) -> Parameter:
    return Parameter(
        slot.name,
        slot.place,
        slot.shape,
        slot.summary,
        slot.end,
        slot.changed,
        slot.reached,
        slot.used,
        slot.frozen,
        slot.alike,
        slot.optimizer,
        slot.training,
        tuple(slot.samples),
    )


def _printed(record: Printed, forward: int | None) -> Printed:
    numbers = [number for line in record.text.splitlines()[:_LINES] for number in numbers_in(line)]
    return replace(record, numbers=tuple(numbers), forward=forward)
