"""The ways in which the values of a schema are written, and the stretches of text that are read for them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nextreid.attributes.recovery_rules import ASIDE, DOUBT_AFTER, DOUBT_BEFORE, Part, RecoveryRules
from nextreid.attributes.schema import Schema

OUTSIDE = "outside"
"""In rules: phrases that speak of an attribute and are none of its values."""

_ARTICLE = re.compile(r"(?<![\w-])(?:an?|the)(?![\w-])", re.IGNORECASE)
_ASIDE = re.compile(ASIDE)
_BEFORE = re.compile(rf"{DOUBT_BEFORE}[\s,]*(?:(?:an?|the)\s+)?\Z", re.IGNORECASE)
_AFTER = re.compile(rf"\s*{DOUBT_AFTER}", re.IGNORECASE)
_REACH = 24
"""Characters before a phrase that are searched for doubt: the longest such words, an article and spaces."""


@dataclass(frozen=True)
class Claim:
    """What some words say of an attribute.

    Attributes:
        attribute: of what.
        value: one of the schema's values; None for words that leave it open or name something else.
        start, end: where the words stand.
    """

    attribute: str
    value: str | None
    start: int
    end: int


@dataclass(frozen=True)
class Stretch:
    """A part of a sentence as it was read.

    Attributes:
        attributes: what it tells of.
        claims: what it says.
        fixed: (start, end) of words that belong to any sentence: articles.
    """

    attributes: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    fixed: tuple[tuple[int, int], ...] = ()


class Phrasebook:
    """Finds values in words.

    Args:
        schema: the attribute schema: its values and their forms are phrases.
        rules: further phrases. Values and attributes that the schema does not have are none of its values.
    """

    def __init__(self, schema: Schema, rules: RecoveryRules) -> None:
        """Collect the phrases; nothing is read from disk."""
        self._meanings = {
            attribute.name: _phrases(schema, attribute.name, rules.words.get(attribute.name, {}))
            for attribute in schema.attributes
        }
        self._expressions: dict[tuple[str, ...], re.Pattern[str]] = {}

    def alternatives(self, attribute: str) -> str:
        """Return a regular expression for every phrase of an attribute's values, as whole words."""
        texts = [text for text, value in self._meanings[attribute].items() if value is not None]
        return whole_words(texts)

    def knows(self, attribute: str) -> bool:
        """Tell whether the schema has the attribute."""
        return attribute in self._meanings

    def read(self, sentence: str, start: int, end: int, part: Part) -> Stretch:
        """Read a stretch of a sentence.

        Args:
            sentence: the whole sentence; words around the stretch can take a value back.
            start, end: the stretch.
            part: what it tells of.
        """
        names = tuple(name for name in part.attributes if self.knows(name))
        text = sentence[start:end]
        fixed = tuple((start + m.start(), start + m.end()) for m in _ARTICLE.finditer(text))
        if not names:
            return Stretch(part.attributes)
        if part.void is not None and re.search(part.void, text, re.IGNORECASE):
            return Stretch(names, fixed=fixed)
        shown = _ASIDE.sub(lambda aside: " " * len(aside[0]), text)
        claims: list[Claim] = []
        for match in self._expression(names).finditer(shown):
            first, last = start + match.start(), start + match.end()
            before = sentence[max(0, first - _REACH) : first]
            doubtful = _BEFORE.search(before) or _AFTER.match(sentence, last)
            for name in names:
                if match[0].lower() in self._meanings[name]:
                    value = None if doubtful else self._meanings[name][match[0].lower()]
                    claims.append(Claim(name, value, first, last))
        return Stretch(names, tuple(claims), fixed)

    def _expression(self, names: tuple[str, ...]) -> re.Pattern[str]:
        if names not in self._expressions:
            texts = [text for name in names for text in self._meanings[name]]
            self._expressions[names] = re.compile(whole_words(texts), re.IGNORECASE)
        return self._expressions[names]


def _phrases(schema: Schema, name: str, more: Mapping[str, Sequence[str]]) -> dict[str, str | None]:
    """Return phrase in small letters -> value, or None for a phrase that is no value of the schema."""
    attribute = schema.attribute(name)
    table: dict[str, str | None] = {}
    for form in attribute.words.forms:  # a form that says the same of two values says neither
        written = [attribute.words.write(value, form).lower() for value in attribute.values]
        for value, text in zip(attribute.values, written, strict=True):
            if written.count(text) == 1:
                table[text] = value
    for value, texts in more.items():
        known = value if value in attribute.values else None
        table |= {text.lower(): known for text in (*texts, *([value] if value != OUTSIDE else []))}
    return table | {value.lower(): value for value in attribute.values}


def whole_words(texts: Iterable[str]) -> str:
    """Return a regular expression for any of some texts, the longest first, and not as part of a word."""
    longest_first = sorted(set(texts), key=lambda text: (-len(text), text))
    some = "|".join(re.escape(text) for text in longest_first) or r"(?!)"
    return rf"(?<![\w-])(?:{some})(?![\w-])"
