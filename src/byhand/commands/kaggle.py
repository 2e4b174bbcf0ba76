"""``byhand kaggle``: from the Digit Recognizer's two tables to a checked submission."""

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from byhand.commands import emit_json, new_app, one_line, options
from byhand.commands.lines import paragraph
from byhand.commands.running import run_fields, trained
from byhand.data.competition import Competition, open_competition
from byhand.data.content import shared
from byhand.errors import UsageError
from byhand.kaggle.files import Files, check_sample, check_target, find_files, usual_target
from byhand.kaggle.submission import write_submission

if TYPE_CHECKING:
    from byhand.evaluate.statistics import Proportion
    from byhand.kaggle.entry import Score
    from byhand.recipe import Recipe

app = new_app()


@app.command()
def kaggle(
    train: Annotated[
        Path | None, typer.Argument(metavar="TRAIN.csv", help="Kaggle's table with labels.  [where Kaggle puts it]")
    ] = None,
    test: Annotated[
        Path | None, typer.Argument(metavar="TEST.csv", help="Kaggle's table without.  [beside the other]")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The submission.  [submission.csv, where Kaggle wants it]"),
    ] = None,
    model: options.Model = None,
    hidden: options.Hidden = None,
    epochs: options.Epochs = None,
    lr: options.Lr = None,
    batch_size: options.BatchSize = None,
    opt: options.Opt = None,
    schedule: options.Schedule = None,
    momentum: options.Momentum = None,
    weight_decay: options.WeightDecay = None,
    dropout: options.Dropout = None,
    input_dropout: options.InputDropout = None,
    batch_norm: options.BatchNorm = None,
    augment: options.Augment = None,
    valid: options.Valid = None,
    seed: options.Seed = None,
    device: options.Device = None,
    precision: options.Precision = None,
    init: options.Init = None,
    weights: options.Weights = None,
    freeze: options.Freeze = None,
    reproducible: options.Reproducible = None,
    save_every: options.SaveEvery = None,
    out: options.Out = None,
    like: options.Like = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with this run where it was left.")] = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the submission's path only.")] = False,
) -> None:
    """Train on train.csv, name the images of test.csv, and write what Kaggle's Digit Recognizer takes, checked.

    It learns from train.csv alone: test.csv's images come from MNIST, so whoever trains on MNIST has seen the answers.
    """
    given = options.given_settings(locals())
    if resume is not None and (given or like or out):
        raise UsageError("--resume goes on with a run as it was begun; give no other settings with it")
    if "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE") != "1":
        raise UsageError("byhand kaggle trains in one process; start it without torchrun")
    settings, _ = options.chosen(like or resume, given, None)
    files = find_files(train, test)
    target = output or usual_target()
    check_target(target, files)
    entered = open_competition(files.train, files.test, settings.valid, settings.seed)
    data, images = entered
    if files.sample is not None:
        check_sample(files.sample, len(images))
    talk = not json and not quiet
    if talk:
        typer.echo(_data_line(entered, files))
    seen = int((shared(images, data.train.images) | shared(images, data.valid.images)).sum())
    for warning in _warnings(seen, len(images), files, weights):
        typer.echo(f"byhand: {one_line(warning)}", err=True)

    plan, folder, record = trained(
        settings, data, resume=resume, like=like, out=out, talk=talk, command=_command(files, output)
    )
    if plan.learn.stopped:
        if json:
            emit_json("kaggle", _fields(None, entered, files, folder, plan, record) | _judged(None, seen))
        name = one_line(str(folder))
        typer.echo(f"byhand: {plan.learn.stopped}; no submission is written, the run is kept in {name}", err=True)
        raise typer.Exit(1)
    from byhand.checkpoint import change_run  # it imports torch
    from byhand.kaggle.entry import judge, name_images

    labels = [data.classes[int(place)] for place in name_images(plan.model, images)]
    judged = judge(plan.model, data.valid, len(images))
    write_submission(target, labels, data.classes)
    found = _judged(judged, seen)
    change_run(folder, {"kaggle": {"submission": target, "test": files.test, "rows": len(images)} | found})
    if json:
        emit_json("kaggle", _fields(target, entered, files, folder, plan, record) | found)
    elif quiet:
        typer.echo(one_line(str(target)))
    else:
        typer.echo(_closing(target, entered, files, folder, plan, judged))


def _data_line(entered: Competition, files: Files) -> str:
    data, images = entered
    return (
        f"data   {one_line(str(files.train))}: {len(data.train):,} images to learn from, {len(data.valid):,} to judge "
        f"by; {one_line(str(files.test))}: {len(images):,} to name"
    )


def _warnings(seen: int, rows: int, files: Files, weights: str | None) -> list[str]:
    said: list[str] = []
    if seen:
        said.append(
            f"{seen:,} of the {rows:,} images of {files.test} stand in {files.train} too, pixel for pixel, with their "
            "labels: the model sees these answers, and the score says less of new images; take Kaggle's own train.csv"
        )
    if weights:
        said.append(
            f"what the weights of {weights} have learnt from is not known here; if from MNIST, they have seen the "
            "answers, and the score says nothing"
        )
    return said


def _command(files: Files, output: Path | None) -> str:
    words = ["byhand", "kaggle", str(files.train), str(files.test), *(["-o", str(output)] if output else [])]
    return one_line(shlex.join(words))


def _judged(judged: "tuple[Proportion, Score] | None", seen: int) -> dict[str, object]:
    valid, score = judged or (None, None)
    return {"valid": valid and asdict(valid), "score": score and asdict(score), "seen": seen}


def _fields(
    target: Path | None, entered: Competition, files: Files, folder: Path, plan: "Recipe", record: dict[str, Any]
) -> dict[str, object]:
    return {
        "submission": target,
        "rows": len(entered.images),
        "train": files.train,
        "test": files.test,
        "sample": files.sample,
        "run": folder,
        "data": {name: record["data"][name] for name in ("source", "train", "valid", "hash")},
        **run_fields(plan, record),
    }


def _closing(
    target: Path,
    entered: Competition,
    files: Files,
    folder: Path,
    plan: "Recipe",
    judged: "tuple[Proportion, Score] | None",
) -> str:
    lines = [""]
    if judged is None:
        lines.append("valid  no image was kept to judge by, so no score can be expected; leave --valid 0 out")
    else:
        valid, score = judged
        lines += [
            f"valid  {100 * valid.value:.2f} % ({100 * valid.low:.2f} to {100 * valid.high:.2f}) of {valid.n:,} images",
            paragraph(
                f"{100 * score.low:.2f} to {100 * score.high:.2f} % is the public score to expect, 95 times in 100, if "
                f"Kaggle counts {score.rows:,} of the images. Below {100 * score.floor:.2f} % (1 in 10,000) it is not "
                "bad luck: the file is wrong, or its images are not those that were named.",
                "score  ",
            ),
        ]
    like = ", as in sample_submission.csv" if files.sample else ""
    rows, labels = len(entered.images), f"{entered.data.classes[0]} to {entered.data.classes[-1]}"
    lines += [
        f"wrote  {one_line(str(target))}: {rows:,} rows, ImageId 1 to {rows}, labels {labels}{like}",
        "       read back and checked",
        f"saved  {one_line(str(folder))}",
    ]
    if plan.settings.model == "linear":
        lines.append("next   one linear layer hardly goes further; a hidden layer does: the same with --hidden 512")
    return "\n".join(lines)
