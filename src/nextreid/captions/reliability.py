"""How well confidences tell what is right: reliability, calibration error, threshold for a precision."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
"""Bars of a reliability diagram and of the calibration error: the usual number."""


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram.

    Attributes:
        low, high: the confidences it holds: above low, up to high (the first from 0 on).
        count: claims in it.
        confidence, precision: their mean confidence, and the share that is right; 0 where there is none.
    """

    low: float
    high: float
    count: int
    confidence: float
    precision: float


@dataclass(frozen=True)
class Reliability:
    """How far confidences are from what they are worth.

    Attributes:
        ece: expected calibration error, 0..1: the mean gap of the bins, weighted by their claims.
        bins: of equal width, from 0 to 1.
    """

    ece: float
    bins: tuple[Bin, ...]


def reliability(claims: Iterable[tuple[float, bool]], *, bins: int = BINS) -> Reliability:
    """Sort claims into bins of equal width.

    Args:
        claims: (confidence 0..1, whether the value was right) of each.
        bins: how many.
    """
    stated, truth = _arrays(claims)
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, stated, side="left") - 1, 0, bins - 1)
    found = []
    for number in range(bins):
        here = place == number
        count = int(here.sum())
        means = (float(stated[here].mean()), float(truth[here].mean())) if count else (0.0, 0.0)
        found.append(Bin(float(edges[number]), float(edges[number + 1]), count, *means))
    gaps = sum(part.count * abs(part.confidence - part.precision) for part in found)
    return Reliability(gaps / len(stated) if len(stated) else 0.0, tuple(found))


CAUTION = 1.645
"""Standard deviations by which a precision must be assured: one-sided 95 %."""


def threshold_for(claims: Iterable[tuple[float, bool]], target: float) -> float | None:
    """Return the least confidence from which on claims are right as often as wanted; None: there is none.

    The lower Wilson bound of the precision must reach the target, so that it also holds on other rows.

    Args:
        claims: (confidence 0..1, whether the value was right) of each.
        target: wanted precision, 0..1.
    """
    stated, truth = _arrays(claims)
    if not len(stated):
        return None
    order = np.argsort(-stated, kind="stable")
    stated, hits = stated[order], np.cumsum(truth[order])
    counts = np.arange(1, len(stated) + 1)
    whole = np.append(stated[1:] != stated[:-1], True)  # claims of one confidence stay together
    fine = np.flatnonzero(whole & (wilson_bound(hits / counts, counts) >= target))
    return float(stated[fine[-1]]) if len(fine) else None


def wilson_bound(share: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the lower bounds of shares of that many draws (Wilson 1927, one-sided 95 %)."""
    square = CAUTION**2
    centre = share + square / (2 * counts)
    width = CAUTION * np.sqrt(share * (1 - share) / counts + square / (4 * counts**2))
    bound: NDArray[np.float64] = (centre - width) / (1 + square / counts)
    return bound


def _arrays(claims: Iterable[tuple[float, bool]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n,) confidences, and (n,) 1 where right."""
    pairs = np.array([(confidence, right) for confidence, right in claims], np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
