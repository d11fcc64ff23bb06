"""A language model polishes the sentences of a caption set; each rewrite is checked against its attributes.

The model is shown the sentences of one caption with the values they state, and returns one sentence a group.
A rewrite is taken only if reading it gives exactly the values of the sentence it replaces, and if it has no
word but those of the grammar's own sentences about these values, and words that merely join. The original
stays otherwise.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from nextreid.attributes.grammar import Grammar
from nextreid.attributes.recovery import Recovery
from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Question, Reply
from nextreid.captions.lenient_json import find_json
from nextreid.captions.log import Record
from nextreid.captions.parsing import shown
from nextreid.captions.slots import UNFILLED, Slot
from nextreid.captions.table import CaptionTable
from nextreid.data.rows import Row

Complete = Callable[[str, Mapping[str, Any]], Reply]
"""Asks a language model: (what it is told, JSON schema of the answer) -> its reply."""

Key = tuple[str, str]
"""(observation, modality) of a caption."""

LONGER = 3
"""A rewrite has at most so many times the letters of its original, or `SHORT` (ours: more is chatter)."""

SHORT = 200

_JOINING = (
    "a an the this that there here it its he she they his her him their them who which whose and or",
    "but with while as of in on at by to from for under over above below against into is are was were",
    "be been being has have had having appears appear appearing seems seem looks look looking shown",
    "shows show showing seen see sees can could may one also both just only together along paired",
    "combined complemented well clearly visible view viewed shot picture photo photograph image scene",
    "taken captured features featuring featured feature individual person figure someone wears",
    "wearing worn wear dressed clad clothed outfit sporting holds holding carrying carries carried",
    "carry comes fitted equipped plus each",
)

JOINING = frozenset(word for line in _JOINING for word in line.split())
"""Words that state nothing by themselves (ours)."""

REMEMBERED = 4096
"""Sets of values whose words are kept (ours: a data set has some hundred sentences of one group)."""

PRONOUNS = {"he": "he him his himself", "she": "she her hers herself"}
"""What a pronoun of the schema's subject brings along."""

_MARKUP = re.compile(r"[<>{}\[\]`\\|*_#]|https?:|www\.", re.IGNORECASE)


@dataclass(frozen=True)
class Rejection:
    """A rewrite that was not taken.

    Attributes:
        observation, modality, group: of which sentence; group "" for a whole reply.
        reason: `added`, `dropped`, `changed` (an attribute); `other words` (something that is no attribute);
            `no text`, `too long`, `control characters`, `markup`; `failed`, `refused`, `malformed`.
        attribute: which one, "" where it is none.
        given: what stood there, escaped, cut to 80 characters.
    """

    observation: str
    modality: str
    group: str
    reason: str
    attribute: str = ""
    given: str = ""


@dataclass(frozen=True)
class Rewritten:
    """What came of rewriting.

    Attributes:
        table: the captions; sentences that were not rewritten are as they were.
        sentences: how many there are.
        taken: how many of them were replaced by another text.
        same: how many came back as they were.
        rejected: every other one that came back, with the reason; one entry for a reply without any.
        open: captions without a reply.
    """

    table: CaptionTable
    sentences: int
    taken: int
    same: int
    rejected: tuple[Rejection, ...]
    open: int


class Checker:
    """Tells whether a sentence may replace another.

    Args:
        schema: of the captions.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._recovery, self._grammar = Recovery(schema), Grammar(schema)
        self._vocabulary = lru_cache(maxsize=REMEMBERED)(self._variants)
        self._called = {
            word: value
            for value, form in schema.subject.forms.items()
            for word in PRONOUNS.get(form.lower(), form.lower()).split()
        }

    def fault(
        self, text: Any, original: str, values: Mapping[str, str], caption: Mapping[str, str]
    ) -> tuple[str, str, str] | None:
        """Return (reason, attribute, given) of what is wrong with a rewrite, or None.

        Args:
            text: what the model returned for a sentence.
            original: the sentence it is to replace.
            values: attribute -> value that the sentence states.
            caption: the same for the whole caption, which decides how the object may be called.
        """
        if not isinstance(text, str) or not text.strip():
            return ("no text", "", shown(text))
        if len(text) > max(SHORT, LONGER * len(original)):
            return ("too long", "", shown(text))
        if not text.strip().isprintable():
            return ("control characters", "", shown(text))
        if _MARKUP.search(text):
            return ("markup", "", shown(text))
        told = self._recovery.read(text)
        rule = self.schema.subject
        for name in (attribute.name for attribute in self.schema.attributes):
            given, found = values.get(name), told.values.get(name)
            if name == rule.attribute and given is None and found == caption.get(name):
                continue  # he, of somebody whom the caption calls a man
            if given != found:
                reason = "added" if given is None else "dropped" if found is None else "changed"
                return (reason, name, shown(found if found is not None else text))
        for word in re.findall(r"\w+", text.lower()):
            if word in self._called and rule.attribute and caption.get(rule.attribute) != self._called[word]:
                return ("added", rule.attribute, word)
        known = JOINING | set(self._called) | _words(original) | self._vocabulary(tuple(values.items()))
        strange = sorted(_words(text) - known)
        return ("other words", "", shown(" ".join(strange))) if strange else None

    def _variants(self, values: tuple[tuple[str, str], ...]) -> frozenset[str]:
        """Return the words of every sentence that the grammar has for some values."""
        return frozenset(word for text in self._grammar.variants(dict(values)) for word in _words(text))


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip("'-") for word in re.findall(r"[\w'-]+", text.lower()))


class RewriteBackend:
    """Asks a language model for the sentences of captions; goes through `ask_all` like any backend.

    Args:
        complete: the language model.
        captions: (observation, modality) -> its slots, for the captions to be asked about.
        schema: of the captions.
        model: its name.
    """

    batch = 1
    parallel = True
    from_truth = False  # of its own: that of the captions it polishes stays noted

    def __init__(
        self, complete: Complete, captions: Mapping[Key, Sequence[Slot]], schema: Schema, *, model: str
    ) -> None:
        self.model = model
        self._complete = complete
        self._captions = captions
        whole = hashlib.sha256(rewrite_prompt(()).encode())
        whole.update(json.dumps(schema.to_dict(), sort_keys=True).encode())
        for key in sorted(captions):
            whole.update(json.dumps([*key, *caption_groups(captions[key])]).encode())
        self.fingerprint = whole.hexdigest()

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply for each question."""
        replies = []
        for question in questions:
            slots = self._captions[question.row.observation, question.modality]
            replies.append(self._complete(rewrite_prompt(slots), answer_form(slots)))
        return replies


def rewrite_prompt(slots: Sequence[Slot]) -> str:
    """Return what the model is told about one caption."""
    sentences = "\n".join(
        f"- {group}: {sentence}\n  states: "
        + "; ".join(f"{slot.attribute} = {slot.value}" for slot in slots if slot.group == group)
        for group, sentence in caption_groups(slots).items()
    )
    return (
        "Rewrite each sentence below so that it reads naturally. Each states certain values. State all of "
        "them and nothing else: add no attribute, leave none out, change none, and keep the words of the "
        "values as they are. Do not say he or she where the sentence does not. One sentence for each.\n"
        "Answer with one JSON object and nothing else; its keys are the names before the colons.\n"
        f"{sentences}"
    )


def answer_form(slots: Sequence[Slot]) -> dict[str, Any]:
    """Return the JSON schema of the answer: one text for each group."""
    groups = list(caption_groups(slots))
    return {
        "type": "object",
        "properties": {group: {"type": "string"} for group in groups},
        "required": groups,
        "additionalProperties": False,
    }


def caption_groups(slots: Sequence[Slot]) -> dict[str, str]:
    """Return group -> sentence of one caption, but for groups that say "unknown"."""
    hidden = {slot.group for slot in slots if slot.value == UNFILLED}
    return {slot.group: slot.sentence for slot in slots if slot.group not in hidden}


def asked_about(table: CaptionTable) -> dict[Key, Key]:
    """Return caption -> the first caption of the same words: only that one is asked about."""
    first: dict[tuple[tuple[str, str], ...], Key] = {}
    found = {}
    for key, slots in table.of.items():
        words = tuple(caption_groups(slots).items())
        if words:
            found[key] = first.setdefault(words, key)
    return found


def rows_of(keys: Iterable[Key]) -> tuple[Row, ...]:
    """Return rows that stand for captions, to ask about them; their images are not read."""
    modalities: dict[str, list[str]] = {}
    for observation, modality in keys:
        modalities.setdefault(observation, []).append(modality)
    return tuple(
        Row(number, "captions", observation, {name: Path(name) for name in names})
        for number, (observation, names) in enumerate(modalities.items(), start=1)
    )


def apply_rewrites(table: CaptionTable, schema: Schema, records: Iterable[Record]) -> Rewritten:
    """Put rewrites that pass the check into a caption table.

    Args:
        table: the captions.
        schema: of them.
        records: of one rewriting model; of one caption the last reply counts.
    """
    replies = {record.key: record.reply for record in records}
    checker, source = Checker(schema), asked_about(table)
    rows: list[Slot] = []
    rejected: list[Rejection] = []
    sentences = taken = same = unasked = 0
    for key, slots in table.of.items():
        groups = caption_groups(slots)
        sentences += len(groups)
        reply = replies.get(source[key]) if key in source else None
        if reply is None:
            unasked += bool(groups)
            rows += slots
            continue
        texts, fault = _texts(reply, groups)
        if fault is not None:
            rejected.append(Rejection(*key, "", fault, given=shown(reply.error or reply.raw)))
        caption = {slot.attribute: slot.value for slot in slots if slot.value != UNFILLED}
        new: dict[str, str] = {}
        for group, text in texts.items():
            values = {slot.attribute: slot.value for slot in slots if slot.group == group}
            found = checker.fault(text, groups[group], values, caption)
            if found is not None:
                rejected.append(Rejection(*key, group, *found))
            elif text.strip() == groups[group]:
                same += 1
            else:
                new[group] = _ended(text)
        taken += len(new)
        rows += [replace(slot, sentence=new.get(slot.group, slot.sentence)) for slot in slots]
    return Rewritten(CaptionTable(tuple(rows)), sentences, taken, same, tuple(rejected), unasked)


def _texts(reply: Reply, groups: Mapping[str, str]) -> tuple[dict[str, Any], str | None]:
    """Return group -> what the reply says for it, and what is wrong with the whole reply."""
    if reply.outcome != "answered":
        return {}, reply.outcome
    found = find_json(reply.raw, lambda value: isinstance(value, dict) and bool(set(value) & set(groups)))
    if found is None:
        return {}, "malformed"
    return {group: found.value.get(group) for group in groups}, None


def _ended(text: str) -> str:
    """Return a sentence with one space between words, a capital, and a full stop."""
    text = " ".join(text.split())
    return text[0].upper() + (text[1:] if text.endswith((".", "!", "?")) else f"{text[1:]}.")
