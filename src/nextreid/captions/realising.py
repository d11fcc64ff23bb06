"""From the values of a caption to its slots: the sentence of each group, and what made each value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from nextreid.attributes.grammar import Grammar
from nextreid.attributes.schema import Schema
from nextreid.captions.slots import UNFILLED, Slot
from nextreid.seeding import numpy_generator


@dataclass(frozen=True)
class Stated:
    """A value that a caption states.

    Attributes:
        value: one of the schema's.
        confidence: 0..1, or None where unknown.
        modalities: whose evidence made it, in the data set's order.
        models: whose answers made it, sorted.
    """

    value: str
    confidence: float | None
    modalities: tuple[str, ...]
    models: tuple[str, ...]


class Realiser:
    """Writes the sentences of captions.

    Args:
        schema: with the templates.
        seed: draws one of each group's sentence variants, by observation and modality; None: the first.
    """

    def __init__(self, schema: Schema, *, seed: int | None = None) -> None:
        self._grammar = Grammar(schema)
        self._groups = [(group.name, [a.name for a in group.attributes]) for group in schema.groups]
        self._seed = seed

    def slots(
        self,
        observation: str,
        modality: str,
        stated: Mapping[str, Stated],
        *,
        unfilled: Collection[str] = (),
        models: tuple[str, ...] = (),
    ) -> list[Slot]:
        """Return the slots of one caption, in the schema's order.

        Args:
            observation, modality: whose caption.
            stated: attribute -> what it states.
            unfilled: attributes that it says are "unknown"; empty for a reliable caption.
            models: who could not tell them.
        """
        values = {name: entry.value for name, entry in stated.items()}
        rng: Any = None
        if self._seed is not None:
            rng = numpy_generator(self._seed, "sentence", observation, modality)
        sentences = {
            piece.group: piece.text for piece in self._grammar.realise(values, rng=rng, unknown=unfilled)
        }
        nothing = Stated(UNFILLED, 0.0, (modality,), models)
        return [
            Slot(
                observation,
                modality,
                group,
                name,
                entry.value,
                entry.confidence,
                entry.modalities,
                entry.models,
                sentences[group],
            )
            for group, names in self._groups
            for name in names
            if (entry := stated.get(name, nothing if name in unfilled else None)) is not None
        ]
