"""A caption set that is being made of answers: what it notes of itself, and writing it when they are in."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nextreid.atomic import written_whole
from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Answer, Backend
from nextreid.captions.caption_set import (
    ANSWERS,
    RUN,
    TABLE,
    difference,
    read_run,
    write_caption_set,
    write_run,
)
from nextreid.captions.collecting import UNKNOWN, fault_counts, read_answers, unknown_counts
from nextreid.captions.contradictions import write_contradictions
from nextreid.captions.fusion import Merged
from nextreid.captions.log import latest, read_log
from nextreid.captions.origin import FROM_TRUTH
from nextreid.captions.rule import Rule, read_rule
from nextreid.captions.table import CaptionTable
from nextreid.data.rows import Manifest
from nextreid.errors import InputError
from nextreid.version import __version__

FAULTS = "faults.jsonl"
"""In the caption set, one line a fault of a reply; what a model says it cannot tell is none."""


@dataclass(frozen=True)
class Answered:
    """What came of the answers of a set.

    Attributes:
        answers: how many there are.
        told: how many of them are neither refusals nor failures; without any, no captions are written.
        faults: model -> reason -> how often.
        unknown: model -> how often it said that it cannot tell.
        merged: the captions.
    """

    answers: int
    told: int
    faults: Mapping[str, Mapping[str, int]]
    unknown: Mapping[str, int]
    merged: Merged


def notes_before(folder: Path, manifest: Manifest, schema: Schema) -> dict[str, Any]:
    """Return the notes of a set that is to go on; empty for one that is not there yet.

    Raises:
        InputError: the folder holds something else, or captions of other data, of another schema, or
            that were not made by asking.
    """
    if not (folder / RUN).is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} holds something that is no caption set", do="name a new folder")
        return {}
    run, held = read_run(folder)
    new = "name a new folder for these captions"
    if "models" not in run or ((folder / TABLE).is_file() and not (folder / ANSWERS).is_file()):
        raise InputError(f"{folder} was not made by asking models", do=new)
    if run.get("data", {}).get("sha256") != manifest.sha256:
        raise InputError(f"{folder} describes other data than {manifest.source}", do=new)
    if (how := difference(held, schema)) is not None:
        raise InputError(f"{folder} was made with another schema: with {how}", do=new)
    return run


def check_models(folder: Path, before: Mapping[str, Any], backends: Sequence[Backend]) -> dict[str, Any]:
    """Return the notes of a set without models that never answered.

    Args:
        folder: the caption set.
        before: as `notes_before` gives it.
        backends: that will be asked.

    Raises:
        InputError: the set holds answers of a model that is none of them: captions would mix them.
    """
    noted = before.get("models", {})
    prints = {name: entry["fingerprint"] for name, entry in noted.items()}
    found = latest(read_log(folder / ANSWERS), prints).values() if (folder / ANSWERS).is_file() else ()
    held = {record.model for record in found if record.reply.outcome != "failed"}
    others = sorted(held - {one.model for one in backends})
    if others:
        raise InputError(
            f"{folder} holds answers of {', '.join(others)}, not named now: captions would mix them",
            allowed="a new folder (`nextreid caption merge` joins sets), or, to have them mixed, every model "
            "of one backend named with --model",
        )
    return {**before, **({"models": {n: e for n, e in noted.items() if n in held}} if noted else {})}


def notes(
    before: Mapping[str, Any],
    manifest: Manifest,
    kind: str,
    backends: Sequence[Backend],
    *,
    splits: Iterable[str],
    modalities: Iterable[str],
) -> dict[str, Any]:
    """Return what run.yaml says; models, splits and modalities of earlier runs stay in the set.

    Args:
        before: as `notes_before` gives it; its rule of merging is kept.
        manifest: the data set.
        kind: of the backends, as the command line names it.
        backends: that will be asked.
        splits, modalities: that they will be asked about.
    """
    models = {
        one.model: {"backend": kind, "fingerprint": one.fingerprint}
        | ({FROM_TRUTH: True} if one.from_truth else {})
        for one in backends
    }
    described = {*before.get("modalities", ()), *modalities}
    return {
        "version": __version__,
        **{key: before.get(key, value) for key, value in Rule().notes().items()},
        "data": {"name": manifest.name, "sha256": manifest.sha256},
        "splits": sorted({*before.get("splits", ()), *splits}),
        "modalities": [name for name in manifest.modalities if name in described],
        "models": {**before.get("models", {}), **models},
    }


def write_answered(folder: Path, manifest: Manifest, schema: Schema, run: Mapping[str, Any]) -> Answered:
    """Merge the answers of a set by its rule and write it whole; without an answer, write no captions.

    Args:
        folder: the caption set, with its answer log.
        manifest: the data set.
        schema: what was asked.
        run: its notes; the models named there count, each with its fingerprint.
    """
    fingerprints = {name: entry["fingerprint"] for name, entry in run["models"].items()}
    answers = read_answers(folder / ANSWERS, schema, fingerprints=fingerprints)
    rows = [row for row in manifest.rows if row.split in run["splits"]]
    told = sum(answer.outcome == "answered" for answer in answers)
    rule = read_rule(folder, run)
    merged = rule.merge(answers, schema, rows) if told else Merged(CaptionTable(()))
    faults, unknown = fault_counts(answers), unknown_counts(answers)
    _write_faults(folder / FAULTS, answers)
    run = {**run, "answers": len(answers), "faults": faults, "unknown": unknown}
    if not told:
        write_run(folder, schema, run)
        return Answered(len(answers), 0, faults, unknown, merged)
    write_contradictions(folder, merged)
    write_caption_set(
        folder,
        merged.table,
        rows,
        schema,
        run=run,
        modalities=run["modalities"],
        root=manifest.root,
    )
    return Answered(len(answers), told, faults, unknown, merged)


def _write_faults(path: Path, answers: Iterable[Answer]) -> None:
    with written_whole(path) as temporary, temporary.open("w", encoding="ascii") as file:
        for answer in answers:
            where = {"observation": answer.observation, "modality": answer.modality, "model": answer.model}
            for fault in answer.faults:
                if fault.reason != UNKNOWN:
                    file.write(json.dumps(where | asdict(fault)) + "\n")
