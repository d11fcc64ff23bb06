"""Sentences to ask images for, and of which images each is true."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.attributes.grammar import Grammar
from nextreid.attributes.schema import Schema
from nextreid.evaluation.probe.truth import HIDDEN

MOST_GROUPS = 3
"""Groups that one sentence may speak of: ours, from a single detail to most of what a witness recalls."""

TRIES = 20
"""Draws per wanted sentence, so that a small or poor gallery ends with fewer: ours."""


@dataclass(frozen=True, eq=False)
class Questions:
    """S sentences about a gallery of n images.

    Attributes:
        texts: the sentences, none twice.
        true: (S,n) bool, of which images each is true; of at least one, and never of all.
    """

    texts: tuple[str, ...]
    true: NDArray[np.bool_]


def questions_from_truth(
    schema: Schema,
    codes: NDArray[np.int16],
    count: int,
    rng: np.random.Generator,
    *,
    most: float = 1.0,
) -> Questions:
    """Draw sentences that are true of a random image of the gallery, and find all of which they are.

    A sentence speaks of one to three attribute groups, and in each of one or more of the attributes that
    the image shows. It is true of an image that shows all these attributes with these values.

    Args:
        schema: the attributes, A of them.
        codes: (n,A) which value each image shows, `HIDDEN` where none.
        count: how many to draw; there are fewer where the gallery has no more to say.
        rng: of the draws.
        most: share of the images that a sentence may be true of; never of all.
    """
    grammar = Grammar(schema)
    columns = {attribute.name: a for a, attribute in enumerate(schema.attributes)}
    groups = [[columns[attribute.name] for attribute in group.attributes] for group in schema.groups]
    found: dict[str, NDArray[np.bool_]] = {}
    for _ in range(count * TRIES):
        if len(found) == count:
            break
        image = codes[int(rng.integers(len(codes)))]
        shown = [[a for a in group if image[a] != HIDDEN] for group in groups]
        shown = [group for group in shown if group]
        if not shown:
            continue
        number = int(rng.integers(1, min(MOST_GROUPS, len(shown)) + 1))
        picked = [shown[at] for at in sorted(rng.choice(len(shown), number, replace=False))]
        asked = [a for group in picked for a in _some(group, rng)]
        true = (codes[:, asked] == image[asked]).all(axis=1)
        if true.all() or true.mean() > most:
            continue
        values = {schema.attributes[a].name: schema.attributes[a].values[image[a]] for a in asked}
        found.setdefault(grammar.caption(values, rng=rng), true)
    return Questions(tuple(found), np.array(list(found.values()), dtype=bool).reshape(len(found), len(codes)))


def questions_from_captions(captions: Sequence[str], count: int, rng: np.random.Generator) -> Questions:
    """Take images' own captions as sentences; each counts as true of the images that have just these words.

    Args:
        captions: one an image, "" where there is none.
        count: how many of the distinct captions to draw.
        rng: of the draw.
    """
    distinct = sorted({text for text in captions if text})
    drawn = [distinct[at] for at in rng.permutation(len(distinct))[:count]]
    rows = {text: np.array([caption == text for caption in captions], dtype=bool) for text in drawn}
    kept = {text: true for text, true in rows.items() if not true.all()}
    return Questions(tuple(kept), np.array(list(kept.values()), dtype=bool).reshape(len(kept), len(captions)))


def _some(group: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Return one or more of a group's attributes, each number of them equally likely."""
    number = int(rng.integers(1, len(group) + 1))
    return [group[at] for at in sorted(rng.choice(len(group), number, replace=False))]
