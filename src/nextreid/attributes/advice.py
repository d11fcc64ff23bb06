"""What is doubtful in a schema that breaks no rule: sentences that are not read back, words that mislead."""

import re
from dataclasses import dataclass

from nextreid.attributes.grammar import Grammar
from nextreid.attributes.recovery import Recovery
from nextreid.attributes.schema import Attribute, Group, Schema
from nextreid.attributes.template import Slot as TemplateSlot
from nextreid.attributes.template import slots
from nextreid.modality import PUBLISHED_TAG
from nextreid.seeding import numpy_generator

LONGEST = 50
"""Words of one sentence: ours, because a text encoder of CLIP takes 77 tokens, and rare words are several."""

DRAWN = 50
"""Captions drawn at random and read back (ours: each takes a millisecond)."""

HIDDEN_WORDS = re.compile(r"\b(none|unknown|unclear|unknowable)\b", re.IGNORECASE)
"""Words by which an audit counts a caption as one that does not know."""


@dataclass(frozen=True)
class Advice:
    """Something to look at.

    Attributes:
        where: group, attribute or value.
        what: what is doubtful.
        do: what to do about it.
    """

    where: str
    what: str
    do: str


def advise(schema: Schema) -> tuple[Advice, ...]:
    """Look for what is allowed and yet likely a mistake.

    Args:
        schema: one that `load_schema` accepts.

    Returns:
        In the order of the schema; empty for one without doubts.
    """
    found: list[Advice] = []
    for group in schema.groups:
        found += _group(group)
        for attribute in group.attributes:
            where = f"attribute {attribute.name!r}"
            for value in attribute.values:
                if HIDDEN_WORDS.search(value):
                    found.append(
                        Advice(
                            f"{where}, value {value!r}",
                            "it counts as a caption that does not know, under `caption audit --rule strict`",
                            "leave out values that mean 'not known'; say 'no ...' or 'nothing' for absence",
                        )
                    )
            strange = sorted(name for name in attribute.observable if name not in PUBLISHED_TAG)
            if strange:
                found.append(
                    Advice(
                        f"{where}, observable",
                        f"{', '.join(strange)}: not one of {', '.join(PUBLISHED_TAG)}",
                        "fine if the manifest has a column of that name",
                    )
                )
    return (*found, *_reading(schema))


def _group(group: Group) -> list[Advice]:
    where = f"group {group.name!r}"
    names = {attribute.name: attribute for attribute in group.attributes}
    used: dict[str, set[str]] = {name: set() for name in names}
    found = []
    for number, nodes in enumerate(group.parsed(), start=1):
        mentioned = {slot.attribute for slot in slots(nodes)}
        silent = [name for name in names if name not in mentioned]
        if silent:
            found.append(
                Advice(
                    f"{where}, sentence {number}",
                    f"it says nothing of {', '.join(silent)}",
                    "fine, but it is used only where that is not known",
                )
            )
        for slot in slots(nodes):
            if isinstance(slot, TemplateSlot) and slot.form:
                used[slot.attribute].add(slot.form)
    for name, attribute in names.items():
        idle = sorted(set(attribute.words.forms) - used[name])
        if idle:
            found.append(
                Advice(
                    f"attribute {name!r}, forms",
                    f"no sentence uses {', '.join(idle)}",
                    f"write {{{name}.{idle[0]}}} in a sentence, or leave the form out",
                )
            )
        found += _fallbacks(attribute)
        for value in attribute.values:
            if re.search(rf"\b{re.escape(value)}\b", group.generic, re.IGNORECASE):
                found.append(
                    Advice(
                        f"{where}, generic",
                        f"it says {value!r}, a value of {name}",
                        "the generic sentence stands where nothing is known: name the subject only",
                    )
                )
    texts = [*group.sentences, *group.phrases.values()]
    idle = [name for name in group.phrases if not any(f"{{{name}}}" in text for text in texts)]
    if idle:
        found.append(
            Advice(f"{where}, phrases", f"no sentence uses {', '.join(idle)}", "use it, or leave it out")
        )
    if group.identity and all(attribute.per_image for attribute in group.attributes):
        found.append(
            Advice(
                where,
                "identity: true, and all its attributes belong to the picture",
                "say identity: false, or an expert learns from what changes with every picture",
            )
        )
    return found


def _fallbacks(attribute: Attribute) -> list[Advice]:
    """Name the values that a form lacks, where they look forgotten.

    A form may list what is irregular alone (teenager: teenage). It looks forgotten where at least half of the
    values are listed, or where a listed one gains words (raised: raised sails).
    """
    found = []
    for form, table in attribute.words.forms.items():
        left = [value for value in attribute.values if value not in table]
        gains = any(len(text.split()) > len(value.split()) for value, text in table.items())
        if left and "otherwise" not in table and (gains or len(left) <= len(attribute.values) / 2):
            found.append(
                Advice(
                    f"attribute {attribute.name!r}, form {form!r}",
                    f"it lacks {', '.join(left)}: {{{attribute.name}.{form}}} is written {left[0]!r} there",
                    "add the value to the form, or `otherwise` for all that it does not list",
                )
            )
    return found


def _reading(schema: Schema) -> list[Advice]:
    """Write sentences, and read them back."""
    grammar, recovery = Grammar(schema), Recovery(schema)
    rng = numpy_generator(0, "schema", "advice")
    asked = [{attribute.name: value} for attribute in schema.attributes for value in attribute.values]
    for _ in range(DRAWN):
        share = rng.uniform(0.3, 1.0)
        drawn = {
            attribute.name: attribute.values[int(rng.integers(len(attribute.values)))]
            for attribute in schema.attributes
            if rng.random() < share
        }
        asked += [drawn] if drawn else []
    found: dict[str, Advice] = {}
    for values in asked:
        sentences = grammar.realise(values, rng=rng)
        text = " ".join(sentence.text for sentence in sentences)
        told = dict(recovery.read(text).values)
        for name in [name for name in {**values, **told} if values.get(name) != told.get(name)]:
            found.setdefault(
                name,
                Advice(
                    f"attribute {name!r}",
                    f"{text!r} states {values.get(name, 'nothing')!r} and is read back as "
                    f"{told.get(name, 'nothing')!r}",
                    "give values and forms words that no other value or fixed text shares",
                ),
            )
        for sentence in sentences:
            if len(sentence.text.split()) > LONGEST:
                found.setdefault(
                    f"length of {sentence.group}",
                    Advice(
                        f"group {sentence.group!r}",
                        f"a sentence of {len(sentence.text.split())} words: {sentence.text[:60]!r} ...",
                        f"make two groups of it: beyond about {LONGEST} words a text encoder cuts",
                    ),
                )
    return list(found.values())
