"""Prompt ensembles: the sentences that say one value of one attribute, for zero-shot use."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

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


def prompt_vectors(
    schema: Schema, encode: Callable[[Sequence[str]], NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Return the vector of every value: the normalised mean of its prompts' vectors.

    Args:
        schema: the attribute schema.
        encode: sentences -> (S,D) normalised vectors.

    Returns:
        Attribute -> (values, D) float32, rows of length one, in the order of the schema's values.
    """
    prompts = [
        (attribute.name, value_prompts(schema, attribute.name, value))
        for attribute in schema.attributes
        for value in attribute.values
    ]
    vectors = encode([text for _, ensemble in prompts for text in ensemble])
    rows: dict[str, list[NDArray[np.float32]]] = {}
    at = 0
    for name, ensemble in prompts:
        mean = vectors[at : at + len(ensemble)].mean(axis=0, dtype=np.float64)
        at += len(ensemble)
        length = max(float(np.linalg.norm(mean)), 1e-12)  # opposite prompts would cancel: no division by 0
        rows.setdefault(name, []).append((mean / length).astype(np.float32))
    return {name: np.stack(part) for name, part in rows.items()}
