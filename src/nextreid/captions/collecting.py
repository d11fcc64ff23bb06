"""The answers that a log holds, read in a schema's words."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Answer
from nextreid.captions.log import latest, read_log
from nextreid.captions.parsing import ReplyReader

UNKNOWN = "hidden"
"""The reason by which a model says that it cannot tell a value: asked for, and no fault of its reply."""


def read_answers(
    path: str | Path, schema: Schema, *, fingerprints: Mapping[str, str] | None = None
) -> tuple[Answer, ...]:
    """Read the answers of a log: one for each model and image that was asked about.

    Args:
        path: answers.jsonl.
        schema: in whose words.
        fingerprints: model -> the fingerprint whose answers count, for the models that count; None: all
            models, each as it was last asked.

    Returns:
        Sorted by observation, modality and model, so that the order of arrival changes nothing.

    Raises:
        InputError: no log, or a damaged line.
    """
    reader = ReplyReader(schema)
    records = latest(read_log(path), fingerprints)
    return tuple(
        reader.read(
            record.reply, observation=record.observation, modality=record.modality, model=record.model
        )
        for _, record in sorted(records.items(), key=lambda entry: (*entry[0][1:], entry[0][0]))
    )


def fault_counts(answers: Iterable[Answer]) -> dict[str, dict[str, int]]:
    """Return model -> reason -> how often, commonest first; to say "unknown" is none."""
    counts: dict[str, Counter[str]] = {}
    for answer in answers:
        counts.setdefault(answer.model, Counter()).update(
            fault.reason for fault in answer.faults if fault.reason != UNKNOWN
        )
    return {model: dict(found.most_common()) for model, found in sorted(counts.items())}


def unknown_counts(answers: Iterable[Answer]) -> dict[str, int]:
    """Return model -> how often it said that it cannot tell a value."""
    counts: dict[str, int] = {}
    for answer in answers:
        said = sum(fault.reason == UNKNOWN for fault in answer.faults)
        counts[answer.model] = counts.get(answer.model, 0) + said
    return dict(sorted(counts.items()))
