"""Answers that were given before: of an answer log, of a caption set, or of published captions."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Question, Reply
from nextreid.captions.caption_set import ANSWERS, RUN, TABLE, TEXT, read_caption_set, read_run
from nextreid.captions.log import latest, read_log
from nextreid.captions.origin import set_from_truth, truth_of_world
from nextreid.captions.prompting import HIDDEN, askable
from nextreid.captions.slots import UNFILLED
from nextreid.data.manifest import Manifest
from nextreid.errors import InputError

BATCH = 64
"""Questions at a time (ours: looking one up costs less than a thread's turn)."""

TAKEN_AT_ITS_WORD = 1.0
"""Confidence of what a published caption states (ours: it says so without doubt, and gives no number)."""

Replies = Mapping[tuple[str, str], Reply]


class ReplayBackend:
    """Replies from memory; a `captions.answers.Backend`.

    Args:
        model: whose replies they are.
        replies: (observation, modality) -> reply.
        source: what the replies were read from, for the fingerprint.
        from_truth: they come from a synthetic world's truth.
    """

    batch = BATCH
    parallel = True

    def __init__(self, model: str, replies: Replies, *, source: str, from_truth: bool = False) -> None:
        self.model, self._replies, self.from_truth = model, dict(replies), from_truth
        self.fingerprint = hashlib.sha256(f"replay {source}".encode()).hexdigest()

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply for each question, in order; one that was never answered is a failed one."""
        missing = Reply("failed", error="no such answer was recorded", attempts=0)
        return [self._replies.get((q.row.observation, q.modality), missing) for q in questions]


def replay_backends(schema: Schema, name: str | Path, manifest: Manifest) -> list[ReplayBackend]:
    """Return what replays a source, one backend a model that answered.

    Args:
        schema: what published captions and caption sets are read in.
        name: an answer log; a caption set (its log, or, without one, what its captions state); or a folder
            of published captions, or of a world or benchmark with a folder `text` of them.
        manifest: says whose image an item of a published file is.

    Raises:
        InputError: nothing of the kind, or a damaged file.
    """
    path = Path(name)
    if path.is_file() or (path / ANSWERS).is_file():
        return _of_log(path if path.is_file() else path / ANSWERS)
    if (path / TABLE).is_file():
        return [_of_table(path, manifest)]
    return [_of_published(path, schema, manifest)]


def _of_log(path: Path) -> list[ReplayBackend]:
    replies: dict[str, dict[tuple[str, str], Reply]] = {}
    for (model, *_), record in sorted(latest(read_log(path)).items()):
        replies.setdefault(model, {})[record.key] = record.reply
    if not replies:
        raise InputError(f"{path} holds no answers")
    source = hashlib.sha256(path.read_bytes()).hexdigest()
    run = read_run(path.parent)[0] if (path.parent / RUN).is_file() else {}
    return [
        ReplayBackend(model, found, source=source, from_truth=set_from_truth(run, (model,)))
        for model, found in replies.items()
    ]


def _of_table(folder: Path, manifest: Manifest) -> ReplayBackend:
    held = read_caption_set(folder)
    replies = {}
    for row in manifest.rows:
        for modality in row.paths:
            slots = held.table.of.get((row.observation, modality), ())
            said = {slot.attribute: (slot.value, slot.confidence) for slot in slots if slot.value != UNFILLED}
            replies[row.observation, modality] = _stated(said, held.schema, modality)
    source = hashlib.sha256((folder / TABLE).read_bytes()).hexdigest()
    models = {model for slot in held.table.slots for model in slot.source_model}
    true = set_from_truth(held.run, models)
    return ReplayBackend(f"replay:{folder.resolve().name}", replies, source=source, from_truth=true)


def _of_published(folder: Path, schema: Schema, manifest: Manifest) -> ReplayBackend:
    from nextreid.attributes.recovery import Recovery
    from nextreid.captions.audit_sets import owners_of, read_texts

    texts = read_texts(folder) or read_texts(folder / TEXT)
    if not texts:
        raise InputError(
            f"There is nothing to replay in {folder}",
            allowed=f"{ANSWERS}, a caption set, or a folder with any of {{train,test}}_{{RGB,NI,TI}}.json",
        )
    recovery, owners = Recovery(schema), owners_of(manifest)
    replies: dict[tuple[str, str], Reply] = {}
    for (split, modality), captions in texts.items():
        for item, text in captions:
            owner = owners.get((split, modality, item))
            if owner is not None and (owner, modality) not in replies:
                values = recovery.read(text).values
                said = {attribute: (value, None) for attribute, value in values.items()}
                replies[owner, modality] = _stated(said, schema, modality)
    if not replies:
        raise InputError(
            f"{folder} has no caption of an image of {manifest.source}",
            allowed="captions of the same data set; an item is the file name of its image",
        )
    told = json.dumps([sorted(texts.items()), schema.to_dict()], sort_keys=True)
    source = hashlib.sha256(told.encode()).hexdigest()
    true = truth_of_world(folder, root=manifest.root)
    return ReplayBackend(f"replay:{_named(folder)}", replies, source=source, from_truth=true)


def _stated(said: Mapping[str, tuple[str, float | None]], schema: Schema, modality: str) -> Reply:
    """Return what was stated as a model's reply: everything else that the modality shows is unknown."""
    entries: dict[str, dict[str, str | float]] = {
        attribute.name: {"value": HIDDEN, "confidence": TAKEN_AT_ITS_WORD}
        for attribute in askable(schema, modality)
    }
    for name, (value, sure) in said.items():
        entries[name] = {"value": value, "confidence": TAKEN_AT_ITS_WORD if sure is None else sure}
    return Reply("answered", raw=json.dumps(entries), attempts=0)


def _named(folder: Path) -> str:
    """Return a folder's name; with the one above it for `text`, which says nothing."""
    parts = folder.resolve().parts
    return "/".join(parts[-2:] if parts[-1] == TEXT else parts[-1:])
