"""From attributes to sentences, and from captions back to sentences of attribute groups."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from nextreid.attributes.schema import Schema
from nextreid.attributes.template import SENTENCE_END, Nodes, Words, pattern, render
from nextreid.errors import InputError

UNPLACED = ""
"""The group of words that `Grammar.read` cannot place."""


@dataclass(frozen=True)
class GroupSentence:
    """What is said about one attribute group.

    Attributes:
        group: name of the group; "" for words that belong to none.
        text: one sentence (several for a group whose facts are separate sentences).
    """

    group: str
    text: str


class Grammar:
    """Writes and reads captions of one schema.

    Args:
        schema: the attribute schema with its sentence templates.
    """

    def __init__(self, schema: Schema) -> None:
        """Prepare templates and reading cues; nothing is read from disk."""
        self.schema = schema
        self._words: dict[str, Words] = {a.name: a.words for a in schema.attributes}
        self._variants: dict[str, tuple[Nodes, ...]] = {g.name: g.parsed() for g in schema.groups}
        subjects = schema.subject.all
        self._own = [
            (name, re.compile(pattern(nodes, self._words, subjects) + SENTENCE_END, re.IGNORECASE))
            for name, variants in self._variants.items()
            for nodes in variants
        ]
        self._cues = [(cue.group, re.compile(cue.cue, re.IGNORECASE)) for cue in schema.reading]

    def realise(
        self,
        values: Mapping[str, str],
        *,
        rng: np.random.Generator | None = None,
        unknown: Collection[str] = (),
    ) -> tuple[GroupSentence, ...]:
        """Write one sentence for each group of which anything is known.

        Args:
            values: attribute -> value, for the known attributes only.
            rng: chooses among the sentence variants; None takes the first.
            unknown: attributes that are written as "unknown", as captions are published that were made
                without confidence; a reliable caption leaves out what is not known.

        Returns:
            Sentences in group order; what is neither known nor named as unknown is not mentioned.

        Raises:
            InputError: an attribute or value that the schema does not have.
        """
        self._check(values)
        sentences: list[GroupSentence] = []
        for group in self.schema.groups:
            known = {
                a.name: values.get(a.name, "unknown")
                for a in group.attributes
                if a.name in values or a.name in unknown
            }
            if not known:
                continue
            complete = self._complete(group.name, known, values, first=not sentences)
            if not complete:  # a template that spells out each value has no place for "unknown"
                told = (f"{name.replace('_', ' ')} {value}" for name, value in known.items())
                complete = [", ".join(told)]
            chosen = complete[0] if rng is None else complete[int(rng.integers(len(complete)))]
            sentences.append(GroupSentence(group.name, _finished(chosen)))
        return tuple(sentences)

    def variants(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Write every variant of the sentence about one group.

        Args:
            values: attribute -> value, all of one group; a gender beside them only decides how the
                person is called.

        Returns:
            Sentences that mention each of the values, in the schema's order, none twice.

        Raises:
            InputError: an attribute or value that the schema does not have, or of several groups.
        """
        self._check(values)
        groups = {self.schema.group_of(name).name for name in values if name != self.schema.subject.attribute}
        groups = groups or {self.schema.group_of(name).name for name in values}
        if len(groups) != 1:
            raise InputError(
                f"{', '.join(sorted(values)) or 'nothing'}",
                allowed="attributes of one group",
                do="write one sentence a group",
            )
        (name,) = groups
        known = {a.name: values[a.name] for a in self.schema.group(name).attributes if a.name in values}
        return tuple(
            dict.fromkeys(_finished(text) for text in self._complete(name, known, values, first=True))
        )

    def caption(self, values: Mapping[str, str], *, rng: np.random.Generator | None = None) -> str:
        """Write the whole caption: the sentences of `realise`, joined."""
        return " ".join(sentence.text for sentence in self.realise(values, rng=rng))

    def read(self, caption: str) -> tuple[GroupSentence, ...]:
        """Cut a caption at group borders.

        A sentence that this grammar could have written goes to its group; any other is cut where the
        schema's reading cues say that a group's words begin. No word is lost: what belongs to no
        group comes last, as group "".

        Args:
            caption: a published caption, or an own one.

        Returns:
            At most one entry per group, in group order.
        """
        pieces: dict[str, list[str]] = {}
        text = " ".join(caption.split())
        at = 0
        while at < len(text):
            group, end = self._own_sentence(text, at)
            if end == at:
                end = _sentence_end(text, at)
                for owner, piece in self._cut(text[at:end]):
                    pieces.setdefault(owner, []).append(_finished(piece))
            else:
                pieces.setdefault(group, []).append(_finished(text[at:end]))
            at = end
            while at < len(text) and text[at] == " ":
                at += 1
        order = [*(group.name for group in self.schema.groups), UNPLACED]
        return tuple(GroupSentence(name, " ".join(pieces[name])) for name in order if name in pieces)

    def _check(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            attribute = self.schema.attribute(name)
            if value not in attribute.values:
                raise InputError(
                    f"{value!r} is not a value of {name} in the {self.schema.kind} schema",
                    allowed=", ".join(attribute.values),
                    do="leave out an attribute that is not known",
                )

    def _complete(
        self, group: str, known: Mapping[str, str], values: Mapping[str, str], *, first: bool
    ) -> list[str]:
        """Return the variants that mention all of a group's known values, as written by the templates."""
        subject = self.schema.subject.write(values, first=first)
        spoken = [render(nodes, known, self._words, subject) for nodes in self._variants[group]]
        return [part.text for part in spoken if part is not None and part.mentions == frozenset(known)]

    def _own_sentence(self, text: str, at: int) -> tuple[str, int]:
        """Return group and end of the longest own sentence at a position; the position if there is none."""
        best = (UNPLACED, at)
        for name, expression in self._own:
            match = expression.match(text, at)
            if match and match.end() > best[1]:
                best = (name, match.end())
        return best

    def _cut(self, sentence: str) -> list[tuple[str, str]]:
        """Cut one sentence at the cues; words before the first cue belong to no group."""
        starts: dict[int, str] = {}
        for name, expression in self._cues:
            for match in expression.finditer(sentence):
                starts.setdefault(match.start(), name)
        borders = [(0, UNPLACED)] if 0 not in starts else []
        borders += sorted(starts.items())
        spans: list[tuple[int, str]] = []
        for start, name in borders:
            if not spans or spans[-1][1] != name:
                spans.append((start, name))
        ends = [start for start, _ in spans[1:]] + [len(sentence)]
        cut = [(name, sentence[start:end]) for (start, name), end in zip(spans, ends, strict=True)]
        return [(name, piece) for name, piece in cut if re.search(r"\w", piece)]


def _sentence_end(text: str, at: int) -> int:
    """Return the end of the sentence that begins at a position."""
    match = re.compile(r"[.!?。]+(?=\s|$)|。").search(text, at)
    return match.end() if match else len(text)


def _finished(text: str) -> str:
    """Give a piece a capital, one space between words, and a full stop."""
    text = " ".join(text.split()).strip(" ,;")
    text = re.sub(r"(^|[.!?] )([a-z])", lambda found: found[1] + found[2].upper(), text)
    return text if text.endswith((".", "!", "?", "。")) else f"{text}."
