"""What pretraining reads: sentences drawn from the schema, and of which pictures each is true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.attributes.grammar import Grammar
from nextreid.attributes.schema import Schema

Assertions = frozenset[tuple[str, str]]
"""(attribute, value) pairs that a text states."""

GROUPS = (0.65, 0.25, 0.10)
"""Chance that a drawn text speaks of one, two or three groups: ours; an expert hears one group."""

PRONOUN = 0.5
"""Chance that a text calls a person he or she where it could: ours, so that both are known."""

CHANGED = 0.3
"""Share of drawn texts in which one value is changed, so that nearly right texts are heard too: ours."""


@dataclass(frozen=True)
class Text:
    """A text and what it states.

    Attributes:
        text: one sentence, or one a group.
        states: attribute -> value; the text is true of a picture if all of them are, and visible there.
        place: key of the parts that it names (`Vocabulary.places`); None where it names several places
            or none.
    """

    text: str
    states: Assertions
    place: int | None


class Vocabulary:
    """Everything that can be said about one kind of object, as numbers.

    Args:
        schema: the attribute schema.
        evidence: attribute, or "attribute=value", -> the parts that show it.

    Attributes:
        columns: (attribute, value) -> column of a truth table, V of them.
        places: the P different sets of parts that attributes are seen on, sorted.
    """

    def __init__(self, schema: Schema, evidence: Mapping[str, tuple[str, ...]]) -> None:
        self.schema = schema
        self.grammar = Grammar(schema)
        pairs = [(a.name, value) for a in schema.attributes for value in a.values]
        self.columns = {pair: column for column, pair in enumerate(pairs)}
        self._parts = {
            (name, value): frozenset(evidence.get(f"{name}={value}", evidence.get(name, ())))
            for name, value in pairs
        }
        found = {parts for parts in self._parts.values() if parts}
        self.places: tuple[frozenset[str], ...] = tuple(sorted(found, key=sorted))
        self._singles = [
            (frozenset({pair}), self.grammar.variants(dict([pair])), self._place(frozenset({pair})))
            for pair in pairs
        ]

    def table(self, values: NDArray[np.int8], visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return what is true and visible, (n*M, V).

        Args:
            values: (n, M, A) index of the value, -1 for none.
            visible: (n, M, A).
        """
        n, modalities, _ = visible.shape
        blocks = [
            (values[:, :, a, None] == np.arange(len(attribute.values))) & visible[:, :, a, None]
            for a, attribute in enumerate(self.schema.attributes)
        ]
        return np.concatenate(blocks, axis=2).reshape(n * modalities, len(self.columns))

    def shown(self, visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which columns of a truth table speak of what is visible, (n, M, A) -> (n*M, V)."""
        counts = [len(attribute.values) for attribute in self.schema.attributes]
        return np.repeat(visible.reshape(-1, visible.shape[-1]), counts, axis=1)

    def singles(self, rng: np.random.Generator) -> list[Text]:
        """Say every value of every attribute once, in column order, each in one of its wordings."""
        return [
            Text(wordings[int(rng.integers(len(wordings)))], states, place)
            for states, wordings, place in self._singles
        ]

    def draw(self, truth: NDArray[np.bool_], count: int, rng: np.random.Generator) -> list[Text]:
        """Draw texts that combine values: most of them true of some picture, some with one value changed.

        Args:
            truth: (b, V), rows of `table`.
            count: texts to draw; fewer are returned if pictures show too little.
            rng: of every choice.
        """
        pairs = list(self.columns)
        texts = []
        for row in rng.integers(len(truth), size=count):
            known = dict(pairs[column] for column in np.flatnonzero(truth[row]))
            if known:
                texts.append(self._combine(known, rng))
        return texts

    def of_the_object(self, truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return truth tables without what is said of the picture, not the object: light and quality."""
        kept = [self.schema.group_of(name).identity for name, _ in self.columns]
        return truth & np.array(kept)

    def labels(self, truth: NDArray[np.bool_], texts: Sequence[Text]) -> NDArray[np.bool_]:
        """Tell which texts are true of which pictures, (b, V) -> (b, S)."""
        return np.stack(
            [truth[:, [self.columns[pair] for pair in text.states]].all(axis=1) for text in texts], axis=1
        )

    def corpus(self) -> list[str]:
        """Return the wording that a tokenizer should know: every value, and the generic prompts."""
        texts = {text for _, wordings, _ in self._singles for text in wordings}
        return sorted(texts | {group.generic for group in self.schema.groups})

    def _combine(self, known: dict[str, str], rng: np.random.Generator) -> Text:
        gender = self.schema.subject.attribute
        groups = [g for g in self.schema.groups if any(a.name in known for a in g.attributes)]
        wanted = 1 + int(rng.choice(len(GROUPS), p=GROUPS))
        chosen = rng.permutation(len(groups))[:wanted]
        names = {groups[index].name for index in chosen}
        states: dict[str, str] = {}
        for group in groups:
            if group.name in names:
                there = [a.name for a in group.attributes if a.name in known]
                keep = rng.permutation(len(there))[: int(rng.integers(1, len(there) + 1))]
                states |= {there[index]: known[there[index]] for index in sorted(keep)}
        if rng.random() < CHANGED:
            name = sorted(states)[int(rng.integers(len(states)))]
            values = self.schema.attribute(name).values
            states[name] = values[int(rng.integers(len(values)))]
        spoken = dict(states)
        own = self.schema.group_of(gender).name if gender else ""  # this group would say it as a word
        if gender in known and gender not in states and own not in names and rng.random() < PRONOUN:
            spoken[gender] = known[gender]
        said = [part for part in self.grammar.realise(spoken, rng=rng) if part.group in names]
        text = " ".join(part.text for part in said)
        forms = self.schema.subject.forms
        if gender in spoken and gender not in states and _names(text, forms[spoken[gender]]):
            states[gender] = spoken[gender]
        stated = frozenset(states.items())
        places = frozenset(pair for pair in stated if pair[0] != gender or len(states) == 1)
        return Text(text, stated, self._place(places) if len(names) == 1 else None)

    def place_of(self, pair: tuple[str, str]) -> int | None:
        """Return the place that shows a value of an attribute; None if no part does."""
        return self._place(frozenset({pair}))

    def _place(self, states: Assertions) -> int | None:
        """Return the place that a statement names: where all its values are seen; None if they differ."""
        found = {self._parts[pair] for pair in states}
        if len(found) != 1 or not (parts := found.pop()):
            return None
        return self.places.index(parts)


def _names(text: str, pronoun: str) -> bool:
    words = text.lower().replace(".", " ").replace(",", " ").split()
    return pronoun.lower() in words
