"""Zero-shot attributes: is the value whose prompts are most like the image the one it shows?

Balanced over values, so that the commonest value every time earns exactly chance: with C values to
choose from, the mean over them of the recall, beside 1/C. C are the values that at least `least` of
the scored images show; the rarer ones are left out on both sides, and named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextreid.attributes.schema import Attribute, Schema
from nextreid.evaluation.probe.truth import HIDDEN

Cut = Literal["all", "daylight"]

LEAST = 5
"""Images that must show a value for its recall to count: ours, one image then moves it by 20 points."""


@dataclass(frozen=True)
class AttributeScore:
    """One attribute in one modality; shares 0..1.

    Attributes:
        attribute, modality: what was asked.
        cut: "all" images, or those in "daylight".
        n: images that show one of the values scored.
        recalls: value -> share of its images that were given it; the C values scored.
        rare: values that too few images show to be scored.
        accuracy: share of right answers.
        balanced: mean of the recalls.
    """

    attribute: str
    modality: str
    cut: Cut
    n: int
    recalls: Mapping[str, float]
    rare: tuple[str, ...]
    accuracy: float
    balanced: float

    @property
    def chance(self) -> float:
        """1/C: what guessing, or the same answer every time, is expected to score."""
        return 1.0 / len(self.recalls)

    @property
    def times_chance(self) -> float:
        """Balanced accuracy over chance; at most C."""
        return self.balanced * len(self.recalls)

    @property
    def error_removed(self) -> float:
        """Share of chance's error that is gone: (balanced - chance) / (1 - chance); at most 1."""
        return (self.balanced - self.chance) / (1.0 - self.chance)

    @property
    def enough(self) -> bool:
        """Whether it is twice chance; of two values, where that would be 100 %, half the error removed."""
        return self.error_removed >= 0.5 if len(self.recalls) == 2 else self.times_chance >= 2.0


def attribute_scores(
    schema: Schema,
    classes: NDArray[np.float32],
    codes: NDArray[np.int16],
    prompts: Mapping[str, NDArray[np.float32]],
    *,
    modality: str,
    cut: Cut = "all",
    least: int = LEAST,
) -> tuple[AttributeScore, ...]:
    """Score every attribute of which at least two values can be.

    Args:
        schema: the attributes, A of them.
        classes: (n,D) normalised image vectors.
        codes: (n,A) which value each image shows, `HIDDEN` where none.
        prompts: attribute -> (values, D) normalised vectors.
        modality, cut: which images these are.
        least: images that must show a value.
    """
    scores = []
    for a, attribute in enumerate(schema.attributes):
        score = _score(attribute, classes, codes[:, a], prompts[attribute.name], modality, cut, least)
        if score is not None:
            scores.append(score)
    return tuple(scores)


def _score(
    attribute: Attribute,
    classes: NDArray[np.float32],
    codes: NDArray[np.int16],
    prompts: NDArray[np.float32],
    modality: str,
    cut: Cut,
    least: int,
) -> AttributeScore | None:
    counts = np.bincount(codes[codes != HIDDEN], minlength=len(attribute.values))
    chosen = np.flatnonzero(counts >= max(least, 1))
    if len(chosen) < 2:
        return None
    here = np.flatnonzero(np.isin(codes, chosen))
    likeness = classes[here] @ prompts[chosen].T  # (n,C)
    right = chosen[likeness.argmax(axis=1)] == codes[here]
    recalls = {attribute.values[code]: float(right[codes[here] == code].mean()) for code in chosen}
    return AttributeScore(
        attribute=attribute.name,
        modality=modality,
        cut=cut,
        n=len(here),
        recalls=recalls,
        rare=tuple(attribute.values[code] for code in np.flatnonzero((counts > 0) & (counts < least))),
        accuracy=float(right.mean()),
        balanced=float(np.mean(list(recalls.values()))),
    )
