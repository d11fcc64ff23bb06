"""Bootstrap over clusters: whole identities or groups are drawn, what lies inside one belongs together."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from nextreid.errors import InputError
from nextreid.evaluation.statistics import CONFIDENCE
from nextreid.seeding import numpy_generator

_BLOCK = 64
"""Resamples at a time: ours; their sums stay small where a cluster has many numbers."""


def cluster_resamples(clusters: int, *, samples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield blocks (b, clusters): how often each cluster was drawn in b of the resamples.

    Args:
        clusters: how many there are; as many are drawn each time, with replacement.
        samples: resamples in all.
        seed: of the draws.
    """
    generator = numpy_generator(seed, "clusters")
    share = np.full(clusters, 1.0 / clusters)
    for start in range(0, samples, _BLOCK):
        drawn = generator.multinomial(clusters, share, size=min(_BLOCK, samples - start))
        yield drawn.astype(np.float64)


def cluster_interval(
    sums: NDArray[np.float64],
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    samples: int,
    seed: int,
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of a score of sums over clusters.

    Args:
        sums: (clusters, columns), what each cluster adds.
        score: (b, columns) added sums -> (b,) scores; NaN where a resample has none.
        samples: how many resamples; 0 gives None.
        seed: of the draws; the same seed draws the same clusters, so that two scores are paired.

    Returns:
        (low, high), or None where no resample has a score, or there is but one cluster.

    Raises:
        InputError: a negative number of resamples.
    """
    if samples < 0:
        raise InputError(f"{samples} bootstrap samples", allowed="0 (no intervals) or more; 1000 is usual")
    if samples == 0 or len(sums) < 2:
        return None
    drawn = cluster_resamples(len(sums), samples=samples, seed=seed)
    scores = np.concatenate([score(counts @ sums) for counts in drawn])
    return percentile_interval(scores)


def percentile_interval(scores: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of resampled scores; NaN are left out; None where all are."""
    known = scores[~np.isnan(scores)]
    if not len(known):
        return None
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(known, [tail, 100.0 - tail])
    return float(low), float(high)


def beyond(score: NDArray[np.float64], control: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(score - control) / (1 - control)`: 0 is the control, 1 is perfect; NaN where the control is 1.

    Args:
        score, control: shares of the same shape, 0..1.
    """
    room = 1.0 - control
    open_ = room > 1e-12
    return np.where(open_, (score - control) / np.where(open_, room, 1.0), np.nan)


def corrected(score: float, control: float) -> float | None:
    """Return `beyond` of two numbers; None where the control is perfect already."""
    value = float(beyond(np.array(score), np.array(control)))
    return None if np.isnan(value) else value
