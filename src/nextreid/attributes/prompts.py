"""Prompt ensembles: the sentences that say one value of one attribute, for zero-shot use."""

from nextreid.attributes.grammar import Grammar
from nextreid.attributes.schema import Schema


def value_prompts(schema: Schema, attribute: str, value: str) -> tuple[str, ...]:
    """Return every way in which the schema says that an attribute has a value, and nothing else.

    Their normalised embeddings are averaged into one for the value (CLIP's prompt ensemble).

    Args:
        schema: the attribute schema.
        attribute: its name.
        value: one of its values.

    Raises:
        InputError: no such attribute or value.
    """
    return Grammar(schema).variants({attribute: value})
