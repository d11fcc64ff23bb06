"""Pointing: does the patch that is most like a sentence lie on the part that the sentence names?

A patch *lies on* parts when they fill at least a quarter of it, or, where no patch is half full of
them (glasses, a plate), at least half as much as in the patch that holds the most of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextreid.attributes.schema import Schema
from nextreid.evaluation.probe.truth import HIDDEN, Evidence

Level = Literal["attribute", "group"]

FULL = 0.25
"""Share of a patch that a part must fill: ours, the patch shows it and not only its edge."""

RELATIVE = 0.5
"""The same, relative to the fullest patch: ours; a small part on a border counts on both sides of it."""


@dataclass(frozen=True)
class Target:
    """What one sentence about one image points at.

    Attributes:
        level: whether it says one attribute, or all of a group that the image shows.
        name: of the attribute or group.
        values: attribute -> value, what it says.
        numbers: mask values of the parts it names.
    """

    level: Level
    name: str
    values: Mapping[str, str]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Away:
    """The sentences for which the constant patch misses the part; `n` of them, shares 0..1."""

    n: int
    accuracy: float
    chance: float


@dataclass(frozen=True)
class PointingScore:
    """Pointing with sentences about one attribute or group in one modality; shares 0..1.

    Attributes:
        level, name, modality: what the sentences say, and where.
        n: sentences, one an image.
        accuracy: share of them whose most similar patch lies on the part.
        chance: share of all patches that do: what a patch drawn at random scores.
        position: accuracy of the one patch position that lay on it most often in other images of the
            data set (its other split), whatever the image; None where there are none.
        away: the score where that patch misses; None where it never does, or there is none.
    """

    level: Level
    name: str
    modality: str
    n: int
    accuracy: float
    chance: float
    position: float | None
    away: Away | None

    @property
    def times_chance(self) -> float:
        """Accuracy over chance; at most 1 / chance."""
        return self.accuracy / self.chance


@dataclass(eq=False)
class PointingTally:
    """Counts what sentences point at, image by image.

    Attributes:
        modality: of the images.
        hits: (level, name) -> whether each sentence's patch lay on the part.
        lies: (level, name) -> for each sentence (N,) bool, the patches that lie on the part.
    """

    modality: str
    hits: dict[tuple[Level, str], list[bool]] = field(default_factory=lambda: defaultdict(list))
    lies: dict[tuple[Level, str], list[NDArray[np.bool_]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, target: Target, lies: NDArray[np.bool_], top: int) -> None:
        """Count one sentence.

        Args:
            target: what it names.
            lies: (N,) the patches that lie on it.
            top: the patch that is most like it.
        """
        self.hits[target.level, target.name].append(bool(lies[top]))
        self.lies[target.level, target.name].append(lies)

    def scores(self, position: Mapping[tuple[Level, str], int] | None = None) -> tuple[PointingScore, ...]:
        """Return the scores, in the order in which the targets were first seen.

        Args:
            position: the constant patch of each target; None where there is nothing to choose it from.
        """
        return tuple(
            self._score(level, name, None if position is None else position.get((level, name)))
            for level, name in self.hits
        )

    def _score(self, level: Level, name: str, place: int | None) -> PointingScore:
        hits, lies = np.array(self.hits[level, name]), np.stack(self.lies[level, name])
        missed = None if place is None else ~lies[:, place]
        away = None
        if missed is not None and missed.any():
            away = Away(int(missed.sum()), float(hits[missed].mean()), float(lies[missed].mean()))
        return PointingScore(
            level=level,
            name=name,
            modality=self.modality,
            n=len(hits),
            accuracy=float(hits.mean()),
            chance=float(lies.mean()),
            position=None if missed is None else float(1.0 - missed.mean()),
            away=away,
        )


def targets_of(schema: Schema, codes: NDArray[np.int16], evidence: Evidence) -> tuple[Target, ...]:
    """Return what can be pointed at in one image: each attribute that it shows and parts show, then groups.

    Light and quality have no part. A group's sentence says all its attributes that have one.

    Args:
        schema: the attributes, A of them.
        codes: (A,) which value the image shows, `HIDDEN` where none.
        evidence: which parts show it.
    """
    targets, groups = [], []
    column = 0
    for group in schema.groups:
        values: dict[str, str] = {}
        named: set[int] = set()
        for attribute in group.attributes:
            code, column = int(codes[column]), column + 1
            numbers = evidence.of(attribute.name, attribute.values[code]) if code != HIDDEN else ()
            if numbers:
                value = {attribute.name: attribute.values[code]}
                targets.append(Target("attribute", attribute.name, value, numbers))
                values |= value
                named.update(numbers)
        if len(values) > 1:
            groups.append(Target("group", group.name, values, tuple(sorted(named))))
    return (*targets, *groups)


@dataclass(frozen=True, eq=False)
class PartGrid:
    """How much of each of N patches belongs to each part of an image.

    Attributes:
        shares: mask value -> (N,) share of each patch, 0..1, row by row.
        patches: N.
    """

    shares: Mapping[int, NDArray[np.float64]]
    patches: int

    @classmethod
    def of(cls, mask: NDArray[np.uint8], grid: tuple[int, int]) -> "PartGrid":
        """Measure a mask.

        The mask need not have the input's size: a patch covers the same share of its height and width, and
        pixels that it cuts count by their area.

        Args:
            mask: (H,W) part numbers.
            grid: patches as (rows, columns).
        """
        down, across = (_overlap(length, cells) for length, cells in zip(mask.shape, grid, strict=True))
        shares = {int(part): (down @ (mask == part) @ across.T).ravel() for part in np.unique(mask)}
        return cls(shares, grid[0] * grid[1])

    def lies_on(self, numbers: Sequence[int]) -> NDArray[np.bool_]:
        """Return (N,) bool: the patches that lie on parts taken together; none where they are not seen."""
        found = [self.shares[number] for number in numbers if number in self.shares]
        return lies_on(np.sum(found, axis=0)) if found else np.zeros(self.patches, dtype=bool)


def lies_on(shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (N,) bool: the patches that lie on parts which fill these shares of them."""
    most = shares.max(initial=0.0)
    if most <= 0:
        return np.zeros(len(shares), dtype=bool)
    enough: NDArray[np.bool_] = shares >= min(FULL, RELATIVE * most) - 1e-9  # shares are sums of areas
    return enough


def best_positions(tally: Mapping[tuple[Level, str], NDArray[np.int64]]) -> dict[tuple[Level, str], int]:
    """Return the patch that lies on each target most often; the first of equals.

    Args:
        tally: target -> (N,) in how many images each patch lies on it.
    """
    return {key: int(counts.argmax()) for key, counts in tally.items()}


@lru_cache(maxsize=16)
def _overlap(length: int, cells: int) -> NDArray[np.float64]:
    """Return (cells, length): which share of each cell is covered by each pixel."""
    edges = np.arange(cells + 1) * (length / cells)
    low = np.maximum(edges[:-1, None], np.arange(length)[None])
    high = np.minimum(edges[1:, None], np.arange(1, length + 1)[None])
    return np.clip(high - low, 0.0, None) * (cells / length)
