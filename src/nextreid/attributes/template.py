"""The small template language in which a schema writes its sentences.

    {age}            the value of an attribute      {carrying.verb}  a form of the value
    {age=child}      nothing; usable only if the attribute has this value
    {subject}        he, she, the person, the vehicle ...
    {name}           a phrase that the group defines under `phrases`
    [a|b|c]          the usable alternative that mentions most attributes (the first among equals);
                     `[a|]` may be left out
    <...>            a noun phrase: takes "a" or "an", or nothing if a value in it is plural

A part is usable when every slot in it has a value. One template therefore serves every subset of
its group's attributes, and never has to say "unknown".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from nextreid.errors import InputError

UNKNOWN = "unknown"
"""Written for a value that is not known, in captions made without confidence."""

SENTENCE_END = r"\s*(?:\.?(?<=\.)(?=\s|\Z)|\Z)"
"""Behind the expression of a template: a full stop, of its own or added, or the end of the text."""


@dataclass(frozen=True)
class Words:
    """How the values of one attribute are written.

    Attributes:
        values: the allowed values.
        forms: form name -> (value -> text); key `otherwise` serves the values not listed.
        bare: values that take no article (plural or uncountable: jeans, luggage).
    """

    values: tuple[str, ...]
    forms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    bare: frozenset[str] = frozenset()

    def write(self, value: str, form: str | None) -> str:
        """Return a value as text, in a named form or as it is."""
        if form is None:
            return value
        table = self.forms[form]
        return table.get(value, table.get("otherwise", value))


@dataclass(frozen=True)
class Rendering:
    """A rendered part: its text, the attributes it mentions, and whether it is without article."""

    text: str
    mentions: frozenset[str] = frozenset()
    bare: bool = False


@dataclass(frozen=True)
class Text:
    """Words as they stand."""

    text: str


@dataclass(frozen=True)
class Slot:
    """The value of an attribute, or a form of it."""

    attribute: str
    form: str | None


@dataclass(frozen=True)
class Guard:
    """Nothing, usable only if the attribute has the value."""

    attribute: str
    value: str


@dataclass(frozen=True)
class Subject:
    """The pronoun or noun for the object."""


@dataclass(frozen=True)
class Choice:
    """Alternatives."""

    options: tuple["Nodes", ...]


@dataclass(frozen=True)
class Phrase:
    """A noun phrase with an indefinite article."""

    body: "Nodes"


Node = Text | Slot | Guard | Subject | Choice | Phrase
Nodes = tuple[Node, ...]

_TOKEN = re.compile(r"\{([^{}]*)\}|([\[\]|<>])|([^\[\]|<>{}]+)|(.)", re.DOTALL)
_CLOSING = {"]": "[", ">": "<"}


def parse(template: str, phrases: Mapping[str, Nodes] | None = None) -> Nodes:
    """Parse a template.

    Args:
        template: the template.
        phrases: named parts that `{name}` may stand for.

    Raises:
        InputError: brackets that do not match, an empty slot, a bar outside brackets.
    """
    tokens = _TOKEN.findall(template)
    nodes, position = _sequence(template, tokens, 0, None, phrases or {})
    if position != len(tokens):
        raise InputError(f"Template {template!r} closes a bracket that was not opened")
    return nodes


def _sequence(
    template: str, tokens: list[tuple[str, ...]], at: int, inside: str | None, phrases: Mapping[str, Nodes]
) -> tuple[Nodes, int]:
    nodes: list[Node] = []
    while at < len(tokens):
        slot, sign, text, stray = tokens[at]
        if stray:
            raise InputError(f"Template {template!r} has a brace that is not closed")
        if sign in ("]", ">") or (sign == "|" and inside == "["):
            return tuple(nodes), at
        at += 1
        if text:
            nodes.append(Text(text))
        elif sign == "|":
            raise InputError(f"Template {template!r} has a bar outside square brackets")
        elif sign == "[":
            options = []
            while True:
                body, at = _sequence(template, tokens, at, "[", phrases)
                options.append(body)
                closing = tokens[at][1] if at < len(tokens) else ""
                at += 1
                if closing != "|":
                    break
            _expect(template, closing, "]")
            nodes.append(Choice(tuple(options)))
        elif sign == "<":
            body, at = _sequence(template, tokens, at, "<", phrases)
            _expect(template, tokens[at][1] if at < len(tokens) else "", ">")
            at += 1
            nodes.append(Phrase(body))
        elif slot.strip() in phrases:
            nodes.append(Choice((phrases[slot.strip()],)))
        else:
            nodes.append(_slot(template, slot.strip()))
    return tuple(nodes), at


def _expect(template: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise InputError(f"Template {template!r} opens {_CLOSING[wanted]!r} and does not close it")


def _slot(template: str, inner: str) -> Node:
    if inner == "subject":
        return Subject()
    if "=" in inner:
        attribute, value = (part.strip() for part in inner.split("=", 1))
        return Guard(attribute, value)
    attribute, _, form = inner.partition(".")
    if not attribute:
        raise InputError(
            f"Template {template!r} has an empty slot", allowed="{attribute} or {attribute.form}"
        )
    return Slot(attribute, form or None)


def slots(nodes: Nodes) -> tuple[Slot | Guard, ...]:
    """Return every slot and guard of a template, in order."""
    found: list[Slot | Guard] = []
    for node in nodes:
        if isinstance(node, Slot | Guard):
            found.append(node)
        elif isinstance(node, Choice):
            found += [slot for option in node.options for slot in slots(option)]
        elif isinstance(node, Phrase):
            found += slots(node.body)
    return tuple(found)


def render(
    nodes: Nodes, values: Mapping[str, str], words: Mapping[str, Words], subject: str
) -> Rendering | None:
    """Fill a template; None if a slot outside brackets has no value.

    Args:
        nodes: the parsed template.
        values: attribute -> value, for the attributes that are known.
        words: attribute -> how its values are written.
        subject: what `{subject}` stands for.
    """
    text, mentions, bare = "", frozenset[str](), False
    for node in nodes:
        part = _render_node(node, values, words, subject)
        if part is None:
            return None
        text, mentions, bare = text + part.text, mentions | part.mentions, bare or part.bare
    return Rendering(text, mentions, bare)


def _render_node(
    node: Node, values: Mapping[str, str], words: Mapping[str, Words], subject: str
) -> Rendering | None:
    if isinstance(node, Text):
        return Rendering(node.text)
    if isinstance(node, Subject):
        return Rendering(subject)
    if isinstance(node, Guard):
        usable = values.get(node.attribute) == node.value
        return Rendering("", frozenset({node.attribute})) if usable else None
    if isinstance(node, Slot):
        if node.attribute not in values:
            return None
        value, entry = values[node.attribute], words[node.attribute]
        return Rendering(
            entry.write(value, node.form),
            frozenset({node.attribute}),
            node.form is None and value in entry.bare,
        )
    if isinstance(node, Phrase):
        body = render(node.body, values, words, subject)
        if body is None:
            return None
        lead = "" if body.bare else f"{article(body.text)} "
        return Rendering(lead + body.text, body.mentions)
    best: Rendering | None = None
    for option in node.options:
        part = render(option, values, words, subject)
        if part is not None and (best is None or len(part.mentions) > len(best.mentions)):
            best = part
    return best


def article(phrase: str) -> str:
    """Return "a" or "an", by the sound of the first word: a used car, an SUV, an hour."""
    word = re.split(r"[\s-]", phrase.strip(), maxsplit=1)[0]
    if len(word) > 1 and word.isupper():
        return "an" if word[0] in "AEFHILMNORSX" else "a"  # letters whose spoken name begins with a vowel
    low = word.lower()
    if re.match(r"uni(?!n|m)|us[aeu]|eu|one\b|once\b|u\b", low):
        return "a"
    if re.match(r"hour|honest|hono|heir", low):
        return "an"
    return "an" if low[:1] in tuple("aeiou") else "a"


def pattern(
    nodes: Nodes,
    words: Mapping[str, Words],
    subjects: tuple[str, ...],
    captured: list[Slot | Guard | Subject] | None = None,
) -> str:
    """Return a regular expression for everything the template can say (to read own captions).

    Args:
        nodes: the parsed template.
        words: attribute -> how its values are written; "unknown" may stand in for any of them.
        subjects: everything that `{subject}` can become.
        captured: if given, slots, guards and subjects are groups of the expression, and are appended here
            in the order of the groups; a guard's group is empty.
    """
    parts = []
    for node in nodes:
        if isinstance(node, Slot | Guard | Subject) and captured is not None:
            captured.append(node)
        opening = "(?:" if captured is None else "("
        if isinstance(node, Text):
            parts.append(re.sub(r"(?:\\ )+|\s+", r"\\s*", re.escape(node.text)))
        elif isinstance(node, Subject):
            parts.append(f"{opening}{_any_of(subjects)})")
        elif isinstance(node, Slot):
            entry = words[node.attribute]
            texts = tuple(entry.write(value, node.form) for value in (*entry.values, UNKNOWN))
            parts.append(f"{opening}{_any_of(texts)})")
        elif isinstance(node, Guard):
            parts.append(f"{opening})")
        elif isinstance(node, Phrase):
            parts.append(r"(?:an?\s+)?" + pattern(node.body, words, subjects, captured))
        elif isinstance(node, Choice):
            options = (pattern(option, words, subjects, captured) for option in node.options)
            parts.append("(?:" + "|".join(options) + ")")
    return "".join(parts)


def _any_of(texts: tuple[str, ...]) -> str:
    longest_first = sorted(set(texts), key=lambda text: (-len(text), text))
    return "|".join(re.escape(text) for text in longest_first)
