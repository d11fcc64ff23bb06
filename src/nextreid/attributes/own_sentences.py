"""Sentences that a schema's own templates write, read back to exactly the values they were written from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nextreid.attributes.schema import Schema
from nextreid.attributes.template import (
    SENTENCE_END,
    UNKNOWN,
    Guard,
    Nodes,
    Slot,
    Subject,
    Words,
    pattern,
    render,
)


@dataclass(frozen=True)
class OwnSentence:
    """What stands at one place of a caption.

    Attributes:
        end: where it ends.
        values: attribute -> value, as the templates were given them; "unknown" where they were told that
            it is not known.
        unknown: (start, end, attribute) of each word that stands for a value that is not known.
    """

    end: int
    values: Mapping[str, str]
    unknown: tuple[tuple[int, int, str], ...] = ()


class OwnSentences:
    """Reads the sentences of one schema.

    Args:
        schema: the attribute schema with its sentence templates.
    """

    def __init__(self, schema: Schema) -> None:
        """Prepare one expression a template."""
        words = {attribute.name: attribute.words for attribute in schema.attributes}
        self._variants = [
            _Variant(nodes, words, schema.subject.all) for group in schema.groups for nodes in group.parsed()
        ]

    def at(self, text: str, position: int) -> OwnSentence | None:
        """Return the longest own sentence that begins at a position, or None.

        Args:
            text: a caption, its white space single spaces.
            position: where a sentence begins.
        """
        found = [variant.read(text, position) for variant in self._variants]
        return max((part for part in found if part is not None), key=lambda part: part.end, default=None)


class _Variant:
    """One template of one group."""

    def __init__(self, nodes: Nodes, words: Mapping[str, Words], subjects: tuple[str, ...]) -> None:
        self._nodes, self._words = nodes, words
        self._captured: list[Slot | Guard | Subject] = []
        body = pattern(nodes, words, subjects, self._captured)
        self._expression = re.compile(body + SENTENCE_END, re.IGNORECASE)
        self._meanings = {
            slot: _meanings(words[slot.attribute], slot.form)
            for slot in self._captured
            if isinstance(slot, Slot)
        }

    def read(self, text: str, position: int) -> OwnSentence | None:
        """Read the sentence at a position; None if this template could not have written it."""
        match = self._expression.match(text, position)
        if match is None or match.end() == position:
            return None
        possible: dict[str, frozenset[str]] = {}
        unknown: list[tuple[int, int, str]] = []
        subject = ""
        for number, node in enumerate(self._captured, start=1):
            if match.start(number) < 0:
                continue
            if isinstance(node, Subject):
                subject = match[number]
                continue
            meant = frozenset({node.value}) if isinstance(node, Guard) else self._meant(node, match[number])
            name = node.attribute
            possible[name] = possible.get(name, meant) & meant
            if possible[name] == {UNKNOWN}:
                unknown.append((*match.span(number), name))
        if any(len(values) != 1 for values in possible.values()):
            return None
        values = {name: next(iter(only)) for name, only in possible.items()}
        written = render(self._nodes, values, self._words, subject)
        if written is None or _plain(written.text) != _plain(match[0]):
            return None
        return OwnSentence(match.end(), values, tuple(unknown))

    def _meant(self, slot: Slot, text: str) -> frozenset[str]:
        """Return what a slot's text can mean; nothing for letters that only look alike (a long s)."""
        return self._meanings[slot].get(text.lower(), frozenset())


def _meanings(words: Words, form: str | None) -> dict[str, frozenset[str]]:
    """Return what each text of a slot can mean: text in small letters -> values."""
    table: dict[str, frozenset[str]] = {}
    for value in (*words.values, UNKNOWN):
        text = words.write(value, form).lower()
        table[text] = table.get(text, frozenset()) | {value}
    return table


def _plain(text: str) -> str:
    """Make texts comparable: small letters, single spaces, no full stop at the end, one kind of article."""
    text = " ".join(text.lower().split()).strip(" ,;").removesuffix(".").rstrip()
    return re.sub(r"\ban\b", "a", text)
