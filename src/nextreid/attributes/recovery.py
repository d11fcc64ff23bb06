"""Attributes recovered from captions: exactly from own sentences, by rules from published ones."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from nextreid.attributes.grammar import Grammar, GroupSentence
from nextreid.attributes.own_sentences import OwnSentences
from nextreid.attributes.phrasebook import Claim, Phrasebook, Stretch, whole_words
from nextreid.attributes.recovery_rules import Frame, RecoveryRules, rules_of
from nextreid.attributes.schema import Schema
from nextreid.attributes.template import UNKNOWN

LONGEST = 1000
"""Characters of a sentence that rules are tried on (ours: the longest published one has about 400; a
regular expression takes too long on a megabyte)."""

REMEMBERED = 8192
"""Sentences whose reading is kept (ours: 14,361 published captions consist of 2,915 different ones)."""

_SENTENCE_END = re.compile(r"[.!?。]+(?=\s|$)|。")
_PLACE = re.compile(r"\{(=?)([a-z]\w*)\}")


@dataclass(frozen=True)
class Unplaced:
    """Words of a caption that no recovered value accounts for.

    Attributes:
        text: the words, as they stand.
        attributes: what they speak of; empty where no rule knows their sentence.
    """

    text: str
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recovered:
    """What a caption states.

    Attributes:
        values: attribute -> value, in the schema's order. An attribute of which the caption says nothing, or
            nothing that the schema has, or two things, is not there.
        groups: the caption cut at group borders (`Grammar.read`).
        unplaced: words that belong neither to a recovered value nor to the sentence around one.
        words: words of the caption, split at white space.
        covered: words that are not unplaced.
    """

    values: Mapping[str, str]
    groups: tuple[GroupSentence, ...]
    unplaced: tuple[Unplaced, ...]
    words: int
    covered: int


@dataclass(frozen=True)
class _Span:
    """Words that are accounted for if an attribute is recovered; "" for words of the sentence itself."""

    start: int
    end: int
    attribute: str = ""


@dataclass(frozen=True)
class _Reading:
    """One sentence as it was read; positions count from its beginning."""

    claims: tuple[Claim, ...] = ()
    spans: tuple[_Span, ...] = ()
    stretches: tuple[tuple[int, int, tuple[str, ...]], ...] = ()


class Recovery:
    """Reads the attributes of captions.

    A sentence that the schema's own templates write gives exactly the values it was written from. Any other
    is read by rules: the frame that fits the whole sentence, or else the phrases found in it. A value is
    recovered if the caption names it and no other of the same attribute.

    Args:
        schema: the attribute schema.
        rules: how sentences of others are read; None: those of the schema's kind (`rules_of`).
    """

    def __init__(self, schema: Schema, rules: RecoveryRules | None = None) -> None:
        """Prepare expressions; the shipped rules of a kind are read from the package."""
        self.schema = schema
        self._rules = rules_of(schema) if rules is None else rules
        self._grammar = Grammar(schema)
        self._own = OwnSentences(schema)
        self._book = Phrasebook(schema, self._rules)
        self._frames = self._compiled(self._rules.frames)
        self._phrases = self._compiled(self._rules.phrases)
        self._by_rules = lru_cache(maxsize=REMEMBERED)(self._read_by_rules)
        rule = schema.subject
        self._called = {word.lower(): value for value, word in rule.forms.items()}
        self._names = re.compile(whole_words(self._called), re.IGNORECASE)
        glue = whole_words((*self._rules.glue, *rule.all))
        self._glue = re.compile(glue, re.IGNORECASE)

    def read(self, caption: str) -> Recovered:
        """Read one caption.

        Args:
            caption: one of our own, or a published one.
        """
        text = " ".join(caption.split())
        claims: list[tuple[str, str | None]] = []
        spans: list[_Span] = []
        stretches: list[tuple[int, int, tuple[str, ...]]] = []
        at = 0
        while at < len(text):
            own = self._own.at(text, at)
            if own is not None:
                claims += [(name, value) for name, value in own.values.items() if value != UNKNOWN]
                spans += _gaps(at, own.end, [(first, last) for first, last, _ in own.unknown])
                stretches += [(first, last, (name,)) for first, last, name in own.unknown]
                at = own.end
            else:
                found = _SENTENCE_END.search(text, at)
                end = found.end() if found else len(text)
                reading = self._by_rules(text[at:end]) if end - at <= LONGEST else _Reading()
                claims += [(claim.attribute, claim.value) for claim in reading.claims]
                spans += [_Span(at + span.start, at + span.end, span.attribute) for span in reading.spans]
                stretches += [(at + first, at + last, names) for first, last, names in reading.stretches]
                at = end
            while at < len(text) and text[at] == " ":
                at += 1
        if self.schema.subject.attribute is not None:
            name = self.schema.subject.attribute
            claims += [(name, self._called.get(match[0].lower())) for match in self._names.finditer(text)]
        values = self._settled(claims)
        unplaced = _unplaced(text, [s for s in spans if not s.attribute or s.attribute in values], stretches)
        words = len(text.split())
        return Recovered(
            values=values,
            groups=self._grammar.read(text),
            unplaced=unplaced,
            words=words,
            covered=words - sum(len(part.text.split()) for part in unplaced),
        )

    def _settled(self, claims: Iterable[tuple[str, str | None]]) -> dict[str, str]:
        """Return the attributes of which one value is named and nothing else, in the schema's order."""
        named: dict[str, set[str | None]] = {}
        for name, value in claims:
            named.setdefault(name, set()).add(value)
        settled: dict[str, str] = {}
        for attribute in self.schema.attributes:
            values = tuple(named.get(attribute.name, ()))
            if len(values) == 1 and values[0] is not None:
                settled[attribute.name] = values[0]
        return settled

    def _compiled(self, frames: Iterable[Frame]) -> tuple[tuple[re.Pattern[str], Frame], ...]:
        """Return frames as expressions; those of attributes that the schema does not have are left out."""
        ready = []
        for frame in frames:
            named = {name for _, name in _PLACE.findall(frame.frame)} - {"subject"} | set(frame.states)
            if not all(self._book.knows(name) for name in named) or not all(
                value in self.schema.attribute(name).values for name, value in frame.states.items()
            ):
                continue
            text = _PLACE.sub(self._expanded, frame.frame)
            ready.append((re.compile(text, re.IGNORECASE), frame))
        return tuple(ready)

    def _expanded(self, place: re.Match[str]) -> str:
        silent, name = place.groups()
        if name == "subject":
            called = sorted(self.schema.subject.all, key=len, reverse=True)
            return f"(?:{'|'.join(map(re.escape, called))})"
        body = self._book.alternatives(name)
        return f"(?:{body})" if silent else f"(?P<{name}>{body})"

    def _read_by_rules(self, sentence: str) -> _Reading:
        text = sentence.rstrip(" .!?。")
        for expression, frame in self._frames:
            match = expression.fullmatch(text)
            if match is not None:
                return self._matched(text, match, frame)
        found = [
            self._matched(text, match, frame)
            for expression, frame in self._phrases
            for match in expression.finditer(text)
        ]
        glue = self._glue.finditer(text) if any(part.claims for part in found) else ()
        return _Reading(
            tuple(claim for part in found for claim in part.claims),
            (*(span for part in found for span in part.spans), *(_Span(*match.span()) for match in glue)),
            tuple(stretch for part in found for stretch in part.stretches),
        )

    def _matched(self, text: str, match: re.Match[str], frame: Frame) -> _Reading:
        """Read the named parts of a match; the words between them are the sentence itself."""
        parts: dict[tuple[int, int], Stretch] = {}
        for name, words in match.groupdict().items():
            if words:
                part = self._rules.part(name)
                parts[match.span(name)] = self._book.read(text, *match.span(name), part)
        stated = [Claim(name, value, *match.span()) for name, value in frame.states.items()]
        claims = [claim for stretch in parts.values() for claim in stretch.claims]
        return _Reading(
            tuple(stated + claims),
            (
                *_gaps(*match.span(), sorted(parts)),
                *(_Span(*place) for stretch in parts.values() for place in stretch.fixed),
                *(_Span(claim.start, claim.end, claim.attribute) for claim in claims),
            ),
            tuple((*place, stretch.attributes) for place, stretch in parts.items()),
        )


def _gaps(start: int, end: int, parts: Iterable[tuple[int, int]]) -> list[_Span]:
    """Return what lies between parts."""
    gaps, at = [], start
    for first, last in parts:
        gaps.append(_Span(at, first))
        at = max(at, last)
    return [gap for gap in (*gaps, _Span(at, end)) if gap.start < gap.end]


def _unplaced(
    text: str, spans: Iterable[_Span], stretches: Iterable[tuple[int, int, tuple[str, ...]]]
) -> tuple[Unplaced, ...]:
    """Return runs of words that no span covers, with what the stretch they stand in tells of."""
    covered = bytearray(len(text))
    for span in spans:
        covered[span.start : span.end] = b"\1" * (span.end - span.start)
    of = {at: names for first, last, names in stretches for at in range(first, last)}
    runs: list[tuple[int, int, tuple[str, ...]]] = []
    for word in re.finditer(r"\S+", text):
        signs = [at for at in range(*word.span()) if text[at].isalnum()] or list(range(*word.span()))
        bare = [at for at in signs if not covered[at]]
        if not bare:
            continue
        names = of.get(bare[0], ())
        if runs and runs[-1][2] == names and not text[runs[-1][1] : word.start()].strip():
            runs[-1] = (runs[-1][0], word.end(), names)
        else:
            runs.append((*word.span(), names))
    return tuple(Unplaced(text[first:last], names) for first, last, names in runs)
