"""`nextreid caption show`: everything that is known of one observation's captions."""

import argparse
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.attributes.schema import Schema
    from nextreid.captions.caption_set import CaptionSet


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "observation", metavar="OBSERVATION", help="its id, or the file name of one of its images"
    )
    parser.add_argument(
        "--captions",
        metavar="A",
        type=Path,
        action="extend",
        nargs="+",
        required=True,
        help="caption sets, or folders of published files; several are shown one after another",
    )
    parser.add_argument("--schema", help="what published captions are read in (default: recognised)")


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    from nextreid.captions.caption_set import is_caption_set

    shown = [
        _of_set(folder, args.observation, terminal)
        if is_caption_set(folder)
        else _of_files(folder, args.observation, args.schema, terminal)
        for folder in args.captions
    ]
    if not any(shown):
        raise InputError(
            f"{', '.join(map(str, args.captions))}: no caption of {args.observation!r}",
            allowed="the id of an observation that is captioned, or the file name of its image",
        )
    sets = {str(folder): found for folder, found in zip(args.captions, shown, strict=True)}
    terminal.result({"observation": args.observation, "captions": sets})
    return 0


def _of_set(folder: Path, observation: str, terminal: Terminal) -> list[dict[str, Any]]:
    from nextreid.captions.caption_set import ANSWERS, read_caption_set

    held = read_caption_set(folder)
    observation = _observation(held, observation)
    found: list[dict[str, Any]] = []
    for (name, modality), slots in held.table.of.items():
        if name != observation:
            continue
        caption = held.table.caption(observation, modality)
        terminal.text(f"{folder}, {modality}: {printable(caption)}")
        terminal.table(
            "",
            ("attribute", "value", "confidence", "seen in", "by"),
            [
                (
                    slot.attribute,
                    slot.value,
                    "-" if slot.confidence is None else f"{slot.confidence:.2f}",
                    ", ".join(slot.source_modality),
                    printable(", ".join(slot.source_model)),
                )
                for slot in slots
            ],
        )
        entries = [
            {
                "group": slot.group,
                "attribute": slot.attribute,
                "value": slot.value,
                "confidence": slot.confidence,
                "source_modality": list(slot.source_modality),
                "source_model": list(slot.source_model),
                "sentence": slot.sentence,
            }
            for slot in slots
        ]
        found.append({"modality": modality, "caption": caption, "slots": entries})
    if (folder / ANSWERS).is_file():
        found += _answers(folder / ANSWERS, observation, held.schema, terminal)
    return found


def _observation(held: "CaptionSet", name: str) -> str:
    """Return the observation that a name means: its id, or the file name of one of its images."""
    from nextreid.captions.audit_sets import read_texts
    from nextreid.captions.caption_set import TEXT

    if any(observation == name for observation, _ in held.table.of):
        return name
    items = {item for captions in read_texts(held.folder / TEXT).values() for item, _ in captions}
    return PurePath(name).stem if items & {name, PurePath(name).name} else name


def _answers(log: Path, observation: str, schema: "Schema", terminal: Terminal) -> list[dict[str, Any]]:
    """Show what the models replied; of one question to one model the last reply counts."""
    from nextreid.captions.collecting import UNKNOWN
    from nextreid.captions.log import read_log
    from nextreid.captions.parsing import ReplyReader

    reader = ReplyReader(schema)
    last = {(r.model, r.modality): r for r in read_log(log) if r.observation == observation}
    found: list[dict[str, Any]] = []
    for (model, modality), record in last.items():
        answer = reader.read(record.reply, observation=observation, modality=modality, model=model)
        claims = ", ".join(
            f"{name} {claim.value} {claim.confidence:.2f}" for name, claim in answer.claims.items()
        )
        terminal.text(f"{printable(model)} on {modality}, {answer.outcome}: {claims or 'no claims'}")
        silent = [fault.attribute for fault in answer.faults if fault.reason == "missing"]
        if silent:
            terminal.text(f"    said nothing of {', '.join(silent)}")
        unsure = [fault.attribute for fault in answer.faults if fault.reason == UNKNOWN]
        if unsure:
            terminal.text(f"    said unknown of {', '.join(unsure)}")
        for fault in [fault for fault in answer.faults if fault.reason not in ("missing", UNKNOWN)]:
            used = ", used" if fault.used else ""
            given = f": {printable(fault.given)}" if fault.given else ""
            terminal.text(f"    {fault.attribute or 'reply'}: {fault.reason}{used}{given}")
        found.append(
            {
                "modality": modality,
                "model": model,
                "outcome": answer.outcome,
                "claims": {
                    n: {"value": c.value, "confidence": c.confidence} for n, c in answer.claims.items()
                },
                "faults": [vars(fault) for fault in answer.faults],
            }
        )
    return found


def _of_files(folder: Path, observation: str, schema: str | None, terminal: Terminal) -> list[dict[str, Any]]:
    from nextreid.attributes.recovery import Recovery
    from nextreid.attributes.schema import load_schema
    from nextreid.captions.audit_sets import read_texts, recognised_schema
    from nextreid.captions.caption_set import TEXT, check_finished

    check_finished(folder)
    texts = read_texts(folder) or read_texts(folder / TEXT)
    if not texts:
        raise InputError(
            f"{folder} holds no captions", allowed="a caption set, or {train,test}_{RGB,NI,TI}.json"
        )
    chosen = load_schema(schema) if schema else recognised_schema(texts)
    found: list[dict[str, Any]] = []
    for (split, modality), captions in texts.items():
        for item, text in captions:
            if observation not in (item, PurePath(item).stem):
                continue
            told = Recovery(chosen).read(text) if chosen else None
            values = dict(told.values) if told else {}
            unread = [part.text for part in told.unplaced] if told else []
            terminal.text(f"{folder}, {split} {modality}: {printable(text)}")
            stated = ", ".join(f"{name} {value}" for name, value in values.items())
            terminal.text(f"    states: {stated or 'nothing that is understood'}")
            if unread:
                terminal.text(f"    not understood: {printable('; '.join(unread))}")
            found.append(
                {
                    "split": split,
                    "modality": modality,
                    "item": item,
                    "caption": text,
                    "values": values,
                    "not_understood": unread,
                }
            )
    return found


def printable(text: str) -> str:
    """Return a text that cannot steer a terminal: control characters are written as escapes."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


VERBS = (
    Verb(
        name="caption show",
        summary="show the captions of one observation, with where each value comes from",
        example="nextreid caption show 000049_cam4_1_17 --captions captions/gpt",
        add_options=_add_options,
        run=_run,
    ),
)
