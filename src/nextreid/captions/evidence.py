"""How claims add up: a weighted noisy-or per value, and how sure that leaves one of the strongest.

Each claim for a value is a cause that makes it true with the claim's weight, independently of the others:
`s(v) = 1 - prod(1 - w)`. At most one value is true, so values weigh on each other: with the odds
`o(v) = s(v) / (1 - s(v))`, the confidence in v is `o(v) / (1 + sum o)`. A value without rivals keeps `s(v)`;
two equally strong ones share, and neither can pass one half.
"""

from collections.abc import Iterable
from dataclasses import dataclass

SUREST = 1.0 - 1e-9
"""A claim's greatest weight: ours; certainty could not be weighed against another certainty."""

EVEN = 1e-9
"""Values whose confidences differ by less are a tie: ours, the last digits of a sum."""


@dataclass(frozen=True)
class Weighed:
    """One claim and what it weighs.

    Attributes:
        value: what is claimed.
        modality, model: by which model about which image.
        weight: 0..1.
    """

    value: str
    modality: str
    model: str
    weight: float


@dataclass(frozen=True)
class Verdict:
    """What a set of claims comes to.

    Attributes:
        value: the strongest value; "" without claims, or where the strongest are even.
        confidence: in it, 0..1; in case of a tie, in each of the even ones.
        support: the claims for it; in case of a tie none.
    """

    value: str
    confidence: float
    support: tuple[Weighed, ...]


NOTHING = Verdict("", 0.0, ())


def weigh(claims: Iterable[Weighed]) -> Verdict:
    """Add up claims about one attribute; those that weigh nothing are not evidence."""
    doubt: dict[str, float] = {}
    support: dict[str, list[Weighed]] = {}
    for claim in claims:
        if claim.weight > 0.0:
            doubt[claim.value] = doubt.get(claim.value, 1.0) * (1.0 - min(claim.weight, SUREST))
            support.setdefault(claim.value, []).append(claim)
    if not doubt:
        return NOTHING
    odds = {value: (1.0 - left) / left for value, left in doubt.items()}
    total = 1.0 + sum(odds.values())
    confidence, value = max((chance / total, value) for value, chance in odds.items())
    if sum(confidence - chance / total < EVEN for chance in odds.values()) > 1:
        return Verdict("", confidence, ())
    return Verdict(value, confidence, tuple(support[value]))
