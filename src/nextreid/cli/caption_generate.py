"""`nextreid caption generate`: models are asked about images; what they say becomes a caption set."""

import argparse
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from nextreid.cli.caption_backends import add_backend_options, make_backends
from nextreid.cli.caption_generated import say_generated
from nextreid.cli.caption_schema import warn_of_kind
from nextreid.cli.reading import open_data
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, whole_number
from nextreid.cli.writing import check_out_folder
from nextreid.errors import ImageError, InputError

if TYPE_CHECKING:
    from nextreid.attributes.schema import Schema
    from nextreid.captions.answers import Backend
    from nextreid.captions.spending import Budget, Prices
    from nextreid.data.manifest import Manifest, Row


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="D", type=Path, required=True, help="the data set to describe")
    parser.add_argument("--layout", help="its layout, where it is not recognised")
    parser.add_argument(
        "--out", metavar="C", type=Path, required=True, help="caption set; the same command again goes on"
    )
    parser.add_argument(
        "--schema", default="auto", help="person, vehicle or a YAML file (default: the kind's)"
    )
    parser.add_argument("--split", choices=("train", "test"), help="default: both")
    parser.add_argument("--modalities", type=_names, metavar="A,B", help="default: all that show anything")
    add_backend_options(parser)
    group = parser.add_argument_group("requests")
    group.add_argument("--concurrency", type=whole_number(1), default=16, help="at once (default: 16)")
    group.add_argument("--max-requests", type=whole_number(0), metavar="N", help="ask about so many images")
    group.add_argument("--max-cost", type=_money, metavar="X", help="stop before this run costs more")
    group.add_argument("--price-in", type=_money, metavar="X", help="of a million tokens read")
    group.add_argument("--price-out", type=_money, metavar="X", help="of a million tokens written")
    group.add_argument(
        "--dry-run", action="store_true", help="only say how many requests, and what they cost"
    )


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.captions.asking import ask_all
    from nextreid.captions.caption_set import ANSWERS, write_run
    from nextreid.captions.generation import check_models, notes, notes_before, write_answered
    from nextreid.captions.log import AnswerLog
    from nextreid.captions.rule import read_rule
    from nextreid.data.rows import SPLITS

    prices = _prices(args)
    opened = open_data(
        args.data, layout=args.layout, on_error=args.on_error, split=args.split, terminal=terminal
    )
    manifest = opened.manifest
    rows = manifest.split(args.split).rows if args.split else manifest.rows
    schema = _schema(args.schema, rows)
    warn_of_kind(schema, rows, terminal)
    modalities = _modalities(args.modalities, manifest, schema, terminal)
    before = notes_before(args.out, manifest, schema)
    rule = read_rule(args.out, before)
    backends = make_backends(args, schema, manifest, terminal)
    before = check_models(args.out, before, backends)
    if args.dry_run:
        return _estimate(args, schema, rows, modalities, backends, prices, terminal)
    check_out_folder(args.out)
    splits = (args.split,) if args.split else SPLITS
    run = notes(before, manifest, args.backend, backends, splits=splits, modalities=modalities)
    write_run(args.out, schema, run)
    with AnswerLog(args.out / ANSWERS) as log, _stopped_by_signal():
        budget = _budget(args, schema, rows, modalities, prices)
        try:
            done = ask_all(
                rows,
                modalities,
                backends,
                log,
                concurrency=args.concurrency,
                budget=budget,
                progress=terminal.progress,
                first_failure=lambda why: terminal.warn(f"A question failed: {why}"),
            )
        except KeyboardInterrupt:
            terminal.warn(f"Every reply is kept in {log.path}: the same command goes on.")
            raise
        except ImageError:
            terminal.warn(f"Every reply is kept in {log.path}; --on-error skip leaves such images out.")
            raise
    found = write_answered(args.out, manifest, schema, run)
    return say_generated(args.out, done, found, rule, opened.summary(), terminal)


def _schema(choice: str, rows: "Sequence[Row]") -> "Schema":
    """Return the schema that the option names; `auto`: of the commonest kind in the data, else person."""
    from nextreid.attributes.schema import load_schema

    if choice != "auto":
        return load_schema(choice)
    kinds = Counter(row.kind for row in rows if row.kind)
    return load_schema(min(kinds, key=lambda kind: (-kinds[kind], kind)) if kinds else "person")


def _modalities(
    wanted: tuple[str, ...] | None, manifest: "Manifest", schema: "Schema", terminal: Terminal
) -> tuple[str, ...]:
    from nextreid.captions.prompting import askable, instructions

    strangers = [name for name in wanted or () if name not in manifest.modalities]
    if strangers:
        raise InputError(
            f"option --modalities: {manifest.source} has no {', '.join(strangers)}",
            allowed=", ".join(manifest.modalities),
        )
    shown = tuple(name for name in manifest.modalities if askable(schema, name))
    if wanted or not shown:
        for name in wanted or manifest.modalities:
            instructions(schema, name)  # says what is wrong with one that shows nothing
        return wanted or ()
    dark = [name for name in manifest.modalities if name not in shown]
    if dark:
        terminal.warn(f"Left out: {', '.join(dark)}, which shows no attribute of the {schema.kind} schema.")
    return shown


def _estimate(
    args: argparse.Namespace,
    schema: "Schema",
    rows: "Sequence[Row]",
    modalities: Sequence[str],
    backends: "Sequence[Backend]",
    prices: "Prices | None",
    terminal: Terminal,
) -> int:
    """Say what would be asked; nothing is written."""
    from nextreid.captions.asking import questions_of
    from nextreid.captions.caption_set import ANSWERS
    from nextreid.captions.estimating import expected_tokens
    from nextreid.captions.log import latest, read_log

    log = args.out / ANSWERS
    asked = list(questions_of(rows, modalities))
    entries = []
    local = args.backend != "openai"
    for one in backends:
        found = latest(read_log(log), {one.model: one.fingerprint}).values() if log.is_file() else ()
        known = [record for record in found if record.reply.outcome != "failed"]
        keys = {record.key for record in known}
        left = [q for q in asked if (q.row.observation, q.modality) not in keys]
        tokens = (0.0, 0.0)
        if args.backend == "openai":
            tokens = expected_tokens(schema, left, max_side=args.max_side, known=known)
        read, written = (round(each * len(left)) for each in tokens)
        entry: dict[str, Any] = {
            "model": one.model,
            "requests": len(left),
            "answered": len(asked) - len(left),
        }
        entry |= {"input_tokens": read, "output_tokens": written}
        entry["cost"] = 0.0 if local else None if prices is None else prices.of((read, written))
        entries.append(entry)
    terminal.table(
        "would be asked (tokens and cost are estimates)",
        ("model", "requests", "answered before", "tokens read", "tokens written", "cost"),
        [[*list(entry.values())[:-1], "none" if local else _shown_cost(entry["cost"])] for entry in entries],
    )
    if prices is None and args.backend == "openai":
        terminal.remark("--price-in and --price-out, per million tokens, tell the cost")
    terminal.result({"dry_run": entries})
    return 0


def _shown_cost(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.2f}"


def _prices(args: argparse.Namespace) -> "Prices | None":
    from nextreid.captions.spending import Prices

    if (args.price_in is None) != (args.price_out is None):
        raise InputError("one price without the other", do="give both --price-in and --price-out")
    if args.max_cost is not None and args.price_in is None:
        raise InputError(
            "option --max-cost without prices", do="add --price-in and --price-out, per million tokens"
        )
    return None if args.price_in is None else Prices(args.price_in, args.price_out)


def _budget(
    args: argparse.Namespace,
    schema: "Schema",
    rows: "Sequence[Row]",
    modalities: Sequence[str],
    prices: "Prices | None",
) -> "Budget":
    from nextreid.captions.asking import questions_of
    from nextreid.captions.estimating import expected_tokens
    from nextreid.captions.spending import Budget

    expected = (0.0, 0.0)
    if prices is not None:
        expected = expected_tokens(schema, list(questions_of(rows, modalities)), max_side=args.max_side)
    return Budget(max_requests=args.max_requests, max_cost=args.max_cost, prices=prices, expected=expected)


@contextmanager
def _stopped_by_signal() -> Iterator[None]:
    """Let a request to end the program (SIGTERM) end it as Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread, where no signal arrives
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _names(text: str) -> tuple[str, ...]:
    from nextreid.modality import modality_tuple

    return modality_tuple(name.strip() for name in text.split(","))


def _money(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a number, 0 or more")
    return number


VERBS = (
    Verb(
        name="caption generate",
        summary="ask models what images show, and write a caption set",
        example="nextreid caption generate --data world --out captions/clip --backend clip",
        add_options=_add_options,
        run=_run,
    ),
)
