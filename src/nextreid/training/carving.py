"""Validation identities, carved from the training ones: the test split never chooses anything."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from nextreid.errors import InputError
from nextreid.seeding import numpy_generator


class Sighting(Protocol):
    """What carving needs to know of a row or an observation."""

    @property
    def identity(self) -> str | None:
        """The identity."""

    @property
    def camera(self) -> str | None:
        """The camera."""


Row = TypeVar("Row", bound=Sighting)


@dataclass(frozen=True)
class Carved(Generic[Row]):
    """Rows to train on and rows to validate on, in the given order; no identity is in both.

    Attributes:
        train: rows of the other identities.
        validation: all rows of the carved identities.
        identities: the carved identities, sorted.
    """

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    identities: tuple[str, ...]


def carve_validation(
    rows: Sequence[Row], *, fraction: float | None = None, count: int | None = None, seed: int = 0
) -> Carved[Row]:
    """Carve identities that were seen by two or more cameras (the others have no valid match).

    Args:
        rows: training rows.
        fraction: share of *all* identities, rounded, at least 2 of them.
        count: or their number. Give one of the two.
        seed: of the choice.

    Raises:
        InputError: neither or both given, or too few such identities.
    """
    if (fraction is None) == (count is None):
        raise InputError("carve_validation", allowed="either fraction or count")
    cameras: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.identity is not None:
            cameras[row.identity] |= {row.camera} if row.camera is not None else set()
    able = sorted(name for name, seen in cameras.items() if len(seen) >= 2)
    wanted = count if count is not None else max(2, round(float(fraction or 0) * len(cameras)))
    if wanted < 1 or wanted > len(able) or wanted >= len(cameras):
        last_epoch = "val.rule to none (the last epoch is then taken)"
        if not cameras:
            raise InputError("No training row has an identity", do="fill the column `identity`")
        raise InputError(
            f"{wanted} validation identities of {len(cameras)}, of which {len(able)} were seen by two or "
            "more cameras",
            allowed=f"1 to {min(len(able), len(cameras) - 1)}" if able else None,
            do=f"set val.fraction accordingly, or {last_epoch}"
            if able
            else f"fill the column `camera`, or set {last_epoch}",
        )
    chosen = numpy_generator(seed, "validation").permutation(len(able))[:wanted]
    identities = frozenset(able[index] for index in chosen)
    return Carved(
        train=tuple(row for row in rows if row.identity not in identities),
        validation=tuple(row for row in rows if row.identity in identities),
        identities=tuple(sorted(identities)),
    )
