"""`nextreid caption merge`: the answers of one or several caption sets become captions."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.reading import open_data
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb
from nextreid.cli.writing import check_out_folder
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.attributes.schema import Schema
    from nextreid.captions.answers import Answer
    from nextreid.captions.calibration import Calibration
    from nextreid.captions.fusion import Merged

SHOWN = 8
"""Attributes listed on the terminal, the most contradicted ones (ours); the report names all."""


def share(text: str) -> float:
    """Read an option that takes a share, 0..1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a number from 0 to 1")
    return number


def add_answer_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say whose answers are used."""
    parser.add_argument("captions", metavar="C", type=Path, nargs="+", help="caption sets with answers")
    parser.add_argument(
        "--model",
        metavar="NAME",
        action="extend",
        nargs="+",
        help="use only the answers of these; clip:builtin:x or builtin:x",
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_answer_options(parser)
    parser.add_argument("--data", metavar="D", required=True, help="the data set that was described")
    parser.add_argument("--layout", help="its layout, where it is not recognised")
    parser.add_argument("--out", metavar="C", type=Path, help="default: the set itself, if it is only one")
    parser.add_argument(
        "--method",
        choices=("merge", "confident", "plain"),
        default="merge",
        help="merge: images complement each other; confident: each by itself, what is sure; plain: each by "
        'itself, "unknown" for the rest (default: merge)',
    )
    parser.add_argument(
        "--threshold",
        type=share,
        help="least confidence of an image's own value (default: calibrated, or 0.7)",
    )
    parser.add_argument(
        "--complement-threshold",
        type=share,
        help="least confidence of a value that several images tell (default: calibrated, or 0.35)",
    )
    parser.add_argument(
        "--calibration", metavar="FILE", type=Path, help="of `nextreid caption calibrate` (default: none)"
    )
    parser.add_argument(
        "--vary", action="store_true", help="draw among a group's sentences (by --seed) instead of the first"
    )


def read_sets(
    folders: Sequence[Path], models: Sequence[str] | None
) -> "tuple[Schema, list[Answer], list[dict[str, Any]]]":
    """Read the answers of caption sets of one schema: (schema, answers, what each run.yaml says).

    Raises:
        InputError: a folder that is none or has no answers (refusals alone are none), schemas that differ,
            one model that answered under different settings in two of them, or a model that none has.
    """
    from nextreid.captions.caption_set import answers_of, difference, read_run
    from nextreid.captions.collecting import read_answers

    found = [read_run(folder) for folder in folders]
    schema = found[0][1]
    asked: dict[str, tuple[str, Path]] = {}
    answers: list[Answer] = []
    for folder, (run, other) in zip(folders, found, strict=True):
        if (how := difference(other, schema)) is not None:
            raise InputError(
                f"{folder} was made with another schema than {folders[0]}: with {how}",
                allowed="sets of one schema",
            )
        prints = {name: entry["fingerprint"] for name, entry in run.get("models", {}).items()}
        for name, fingerprint in prints.items():
            before, place = asked.setdefault(name, (fingerprint, folder))
            if before != fingerprint:
                raise InputError(
                    f"{name} answered with other settings in {folder} than in {place}",
                    do="name one of the two sets",
                )
        answers += read_answers(answers_of(folder, run), schema, fingerprints=prints or None)
    held = sorted({answer.model for answer in answers})
    named = held if models is None else [_held(name, held) for name in models]
    kept = [answer for answer in answers if answer.model in named]
    if not any(answer.outcome == "answered" for answer in kept):
        raise InputError(
            f"{', '.join(map(str, folders))}: no answer, only {len(kept)} refusals and failures",
            do="run `nextreid caption generate` again; its `faults.jsonl` tells why",
        )
    return schema, kept, [run for run, _ in found]


def _held(name: str, held: Sequence[str]) -> str:
    """Return the model that a name means: its whole name, or that without the backend before it."""
    meant = [name] if name in held else [one for one in held if one.partition(":")[2] == name]
    if len(meant) != 1:
        what = f"{name} may be any of {', '.join(meant)}" if meant else f"no answers of {name}"
        raise InputError(f"option --model: {what}", allowed=", ".join(held))
    return meant[0]


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.captions.calibration import read_calibration
    from nextreid.captions.caption_set import write_caption_set
    from nextreid.captions.contradictions import contradiction_counts, write_contradictions
    from nextreid.captions.rule import Rule

    out = _out(args)
    _check_options(args)
    schema, answers, runs = read_sets(args.captions, args.model)
    calibration = read_calibration(args.calibration) if args.calibration else None
    if calibration is not None:
        _check_calibration(args.calibration, calibration, answers, schema, terminal)
    manifest = open_data(
        args.data, layout=args.layout, on_error="raise", split=None, terminal=terminal
    ).manifest
    for folder, run in zip(args.captions, runs, strict=True):
        if run.get("data", {}).get("sha256") not in (None, manifest.sha256):
            raise InputError(
                f"{folder} describes other data than {manifest.source}", do="give that with --data"
            )
    splits = sorted({split for run in runs for split in run.get("splits", ())})
    described = {name for run in runs for name in run.get("modalities", ())}
    modalities = [name for name in manifest.modalities if not described or name in described]
    rows = [row for row in manifest.rows if not splits or row.split in splits]
    rule = Rule(
        method=args.method,
        threshold=args.threshold,
        complement_threshold=args.complement_threshold,
        calibration=calibration,
        calibrated_by=args.calibration.name if args.calibration else None,
        seed=(args.seed or 0) if args.vary else None,
    )
    merged = rule.merge(answers, schema, rows)
    counts = contradiction_counts(merged)
    run = {key: value for one in reversed(runs) for key, value in one.items()}
    run |= {
        **rule.notes(),
        "merged": [folder.name for folder in args.captions],
        "splits": splits or sorted({row.split for row in rows}),
        "modalities": modalities,
        "models": _models(runs, answers),
        "data": {"name": manifest.name, "sha256": manifest.sha256},
    }
    write_caption_set(out, merged.table, rows, schema, run=run, modalities=modalities, root=manifest.root)
    write_contradictions(out, merged)
    rule.keep_calibration(out)
    return _say(out, merged, counts, terminal)


def _out(args: argparse.Namespace) -> Path:
    if args.out is None and len(args.captions) > 1:
        raise InputError("several caption sets and no --out", do="name a new folder with --out")
    out: Path = args.captions[0] if args.out is None else args.out
    if out not in args.captions and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"option --out: {out} exists and is not empty", do="name a new folder")
    check_out_folder(out)
    return out


def _check_options(args: argparse.Namespace) -> None:
    given = {
        "--threshold": args.threshold,
        "--complement-threshold": args.complement_threshold,
        "--calibration": args.calibration,
    }
    unread = {"plain": tuple(given), "confident": ("--complement-threshold",), "merge": ()}[args.method]
    for option in unread:
        if given[option] is not None:
            raise InputError(f"option {option} has no effect with --method {args.method}")


def _check_calibration(
    path: Path,
    calibration: "Calibration",
    answers: "Sequence[Answer]",
    schema: "Schema",
    terminal: Terminal,
) -> None:
    kind = calibration.notes.get("schema")
    if kind not in (None, schema.kind):
        raise InputError(f"{path} was fitted to {kind} captions", allowed=f"one of {schema.kind} captions")
    asked = {(answer.model, answer.modality) for answer in answers if answer.claims}
    unmapped = sorted(f"{model} in {modality}" for model, modality in asked - set(calibration.claims))
    if unmapped:
        terminal.warn(f"Not calibrated, taken as stated: {', '.join(unmapped)}.")


def _models(runs: Sequence[dict[str, Any]], answers: "Sequence[Answer]") -> dict[str, Any]:
    used = {answer.model for answer in answers}
    return {name: entry for run in runs for name, entry in run.get("models", {}).items() if name in used}


def _say(out: Path, merged: "Merged", counts: dict[str, dict[str, int]], terminal: Terminal) -> int:
    terminal.text(
        f"{len(merged.table.slots)} slots: {merged.own} by their own image, {merged.complemented} "
        f"complemented; {merged.dropped} dropped, {len(merged.contradictions)} contradictions"
    )
    if counts:
        terminal.table(
            "most contradicted, whatever the thresholds",
            ("attribute", *next(iter(counts.values()))),
            [(name, *found.values()) for name, found in list(counts.items())[:SHOWN]],
        )
    terminal.text(str(out))
    terminal.result(
        {
            "captions": str(out),
            "slots": len(merged.table.slots),
            "own": merged.own,
            "complemented": merged.complemented,
            "dropped": merged.dropped,
            "contradictions": counts,
        }
    )
    return 0


VERBS = (
    Verb(
        name="caption merge",
        summary="make captions of the answers of caption sets, by another rule or with a calibration",
        example="nextreid caption merge captions/a captions/b --data world --out captions/both",
        add_options=_add_options,
        run=_run,
    ),
)
