"""`nextreid caption rewrite`: a language model polishes sentences; what changes a fact is not taken."""

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, whole_number
from nextreid.cli.writing import check_out_folder
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.captions.asking import Asked
    from nextreid.captions.caption_set import CaptionSet
    from nextreid.captions.rewriting import RewriteBackend, Rewritten
    from nextreid.captions.spending import Budget
    from nextreid.data.manifest import Manifest

LOG, REJECTED = "rewrites.jsonl", "rejected.json"
SHOWN = 10
"""Rejected sentences named on the terminal; rejected.json names all (ours)."""

EXAMPLES = 2
"""Accepted sentences shown beside what they replace (ours: enough to see the tone)."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("captions", metavar="C", type=Path, help="a caption set; it stays as it is")
    parser.add_argument("--data", metavar="D", type=Path, required=True, help="the data set it describes")
    parser.add_argument("--layout", help="its layout, where it is not recognised")
    parser.add_argument("--model", metavar="NAME", required=True, help="a language model on the server")
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="server that speaks the OpenAI protocol (default: OpenAI's own; the key comes from the "
        "environment, OPENAI_API_KEY)",
    )
    parser.add_argument("--concurrency", type=whole_number(1), default=16, help="default: 16")
    parser.add_argument("--max-requests", type=whole_number(0), help="stop after so many captions")
    parser.add_argument("--max-cost", type=float, help="stop before the cost passes this")
    parser.add_argument("--price-in", type=float, help="of a million tokens read")
    parser.add_argument("--price-out", type=float, help="of a million tokens written")
    parser.add_argument(
        "--out", metavar="C2", type=Path, required=True, help="caption set to write; the same again goes on"
    )


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.captions.asking import ask_all
    from nextreid.captions.backends.openai_server import OpenAIBackend
    from nextreid.captions.caption_set import read_caption_set
    from nextreid.captions.log import AnswerLog, read_log
    from nextreid.captions.rewriting import RewriteBackend, apply_rewrites, asked_about, rows_of
    from nextreid.data.manifest import load_manifest

    _check(args)
    held = read_caption_set(args.captions)
    manifest = load_manifest(args.data, layout=args.layout)
    server = OpenAIBackend(held.schema, args.model, base_url=args.base_url)
    asked = dict.fromkeys(asked_about(held.table).values())
    captions = {key: held.table.of[key] for key in asked}
    backend = RewriteBackend(server.complete, captions, held.schema, model=args.model)
    rows = rows_of(asked)
    modalities = tuple(dict.fromkeys(modality for _, modality in asked))
    terminal.remark(
        f"{len(held.table.of)} captions, {len(asked)} of different words: one request for each of these"
    )
    with AnswerLog(args.out / LOG) as log:
        done = ask_all(
            rows,
            modalities,
            [backend],
            log,
            concurrency=args.concurrency,
            budget=_budget(args),
            progress=terminal.progress,
            first_failure=lambda why: terminal.warn(f"A question failed: {why}"),
        )
    records = [
        record
        for record in read_log(args.out / LOG)
        if (record.model, record.fingerprint) == (backend.model, backend.fingerprint)
    ]
    found = apply_rewrites(held.table, held.schema, records)
    _write(args, held, manifest, backend, found)
    return _say(args, done, held, found, terminal)


def _check(args: argparse.Namespace) -> None:
    from nextreid.captions.log import read_log

    if args.out.resolve() == args.captions.resolve():
        raise InputError(f"option --out: {args.out} is the caption set itself", do="name another folder")
    check_out_folder(args.out)
    if args.out.is_dir() and any(args.out.iterdir()) and not (args.out / LOG).is_file():
        raise InputError(f"option --out: {args.out} holds something else", do="name a new folder")
    if (args.out / LOG).is_file():
        arrived = [record for record in read_log(args.out / LOG) if record.reply.outcome != "failed"]
        others = sorted({record.model for record in arrived} - {args.model})
        if others:
            raise InputError(
                f"option --out: {args.out} holds rewrites by {', '.join(others)}, not by {args.model}",
                do="name a new folder for another model",
            )
    if (args.price_in is None) != (args.price_out is None):
        raise InputError("one price without the other", do="give both --price-in and --price-out")


def _budget(args: argparse.Namespace) -> "Budget":
    from nextreid.captions.spending import Budget, Prices

    prices = None if args.price_in is None else Prices(args.price_in, args.price_out)
    return Budget(max_requests=args.max_requests, max_cost=args.max_cost, prices=prices)


def _write(
    args: argparse.Namespace,
    held: "CaptionSet",
    manifest: "Manifest",
    backend: "RewriteBackend",
    found: "Rewritten",
) -> None:
    import json

    from nextreid.atomic import written_whole
    from nextreid.captions.audit_sets import read_texts
    from nextreid.captions.caption_set import TEXT, write_caption_set

    files = list(read_texts(args.captions / TEXT))
    splits = {split for split, _ in files}
    note = {
        "source": args.captions.name,
        "model": backend.model,
        "fingerprint": backend.fingerprint,
        "sentences": found.sentences,
        "taken": found.taken,
        "rejected": len(found.rejected),
    }
    write_caption_set(
        args.out,
        found.table,
        [row for row in manifest.rows if row.split in splits],
        held.schema,
        run={**held.run, "rewritten": note},
        modalities=tuple(dict.fromkeys(modality for _, modality in files)),
        root=manifest.root,
    )
    with written_whole(args.out / REJECTED) as temporary:
        entries = [asdict(entry) for entry in found.rejected]
        temporary.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def _say(
    args: argparse.Namespace, done: "Asked", held: "CaptionSet", found: "Rewritten", terminal: Terminal
) -> int:
    terminal.text(f"{done.asked} captions asked about, {done.reused} replies were there")
    reasons = Counter(entry.reason for entry in found.rejected)
    terminal.text(
        f"{found.taken} of {found.sentences} sentences rewritten, {found.same} came back as they were, "
        f"{len(found.rejected)} rejected"
        + (
            f" ({', '.join(f'{count} {reason}' for reason, count in reasons.most_common())})"
            if reasons
            else ""
        )
    )
    for before, after in _accepted(held, found)[:EXAMPLES]:
        terminal.text(f"    taken: {before} -> {after}")
    for entry in found.rejected[:SHOWN]:
        name = f", {entry.attribute}" if entry.attribute else ""
        terminal.text(
            f"    {entry.observation} {entry.modality} {entry.group}: {entry.reason}{name}: {entry.given}"
        )
    if len(found.rejected) > SHOWN:
        terminal.text(f"    ... {args.out / REJECTED} lists all")
    if found.open:
        by = f" (stopped by {done.stopped_by})" if done.stopped_by else ""
        terminal.warn(f"{found.open} captions have no reply yet{by}: the same command goes on")
    if done.last_error:
        terminal.warn(f"{done.failed} requests failed; the last: {done.last_error}")
    useless = _useless(found)
    if useless:
        terminal.warn(useless)
    terminal.text(str(args.out))
    terminal.result(
        {
            "captions": str(args.out),
            "sentences": found.sentences,
            "taken": found.taken,
            "same": found.same,
            "rejected": dict(reasons),
            "open": found.open,
            "asked": asdict(done),
        }
    )
    return 1 if useless or done.failed or done.stopped_by == "failures" else 0


def _accepted(held: "CaptionSet", found: "Rewritten") -> list[tuple[str, str]]:
    """Return (sentence, rewrite) of each different rewrite that was taken, in order."""
    pairs = zip(held.table.rows, found.table.rows, strict=True)
    return list(dict.fromkeys((o.sentence, n.sentence) for o, n in pairs if o.sentence != n.sentence))


def _useless(found: "Rewritten") -> str:
    """Return why no reply at all could be used; "" where one could, or there is none."""
    arrived = [entry for entry in found.rejected if entry.reason != "failed"]
    if found.taken or found.same or not arrived or any(entry.group for entry in arrived):
        return ""
    first = arrived[0]
    return (
        "No reply could be used: each has to be one JSON object with a sentence under the name of each group "
        f"(see docs/captions.md). The first was {first.reason}: {first.given or 'empty'}"
    )


VERBS = (
    Verb(
        name="caption rewrite",
        summary="let a language model polish the sentences; a rewrite that changes a fact is rejected",
        example="nextreid caption rewrite captions/gpt --data world --model qwen3 --base-url "
        "http://localhost:8000/v1 --out captions/polished",
        add_options=_add_options,
        run=_run,
    ),
)
