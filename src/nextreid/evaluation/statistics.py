"""How sure a score is: bootstrap intervals over queries, paired differences, and chance.

Queries are resampled as if independent. Queries of one identity are not quite, so the intervals
describe other queries of these identities, not other identities.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nextreid.errors import InputError
from nextreid.evaluation.identity_chance import identity_chance
from nextreid.evaluation.per_query import PerQuery
from nextreid.evaluation.ranking import CMC_RANKS, METRIC_NAMES, Ranking
from nextreid.seeding import numpy_generator

CONFIDENCE = 0.95
"""Of every interval; the usual level."""

_BLOCK_NUMBERS = 2**22  # ours: draws per block, 32 MB as float64


@dataclass(frozen=True)
class PairedDifference:
    """How much better the first of two evaluations is, on the same queries.

    Attributes:
        metric: one of `METRIC_NAMES`.
        first, second: the two scores, 0..1.
        difference: first - second.
        interval: 95 % percentile interval of the difference.
        queries: how many queries both were scored on.
    """

    metric: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    queries: int

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.interval[0] > 0.0

    @property
    def worse(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.interval[1] < 0.0


def bootstrap_intervals(
    scored: Ranking | PerQuery, *, samples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return the 95 % percentile interval of each metric over resampled valid queries.

    Args:
        scored: the outcome per query, of one trial or averaged over all.
        samples: how many times to draw as many queries as there are, with replacement; 0 gives {}.
        seed: of the draws.
    """
    if samples == 0:
        return {}
    intervals = mean_intervals(scored.scores(), samples=samples, seed=seed)
    return dict(zip(METRIC_NAMES, intervals, strict=True))


def mean_intervals(
    scores: np.ndarray, *, samples: int = 1000, seed: int = 0
) -> tuple[tuple[float, float], ...]:
    """Return the 95 % percentile interval of each column's mean over resampled rows.

    Args:
        scores: (rows, columns) float64, at least one row.
        samples: how many times to draw as many rows as there are, with replacement; at least 1.
        seed: of the draws.
    """
    low, high = _percentiles(_resampled_means(scores, samples, seed))
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))


def paired_differences(
    first: Ranking | PerQuery, second: Ranking | PerQuery, *, samples: int = 1000, seed: int = 0
) -> dict[str, PairedDifference]:
    """Compare two scores of the same queries: both take the same resampled queries each time.

    Args:
        first, second: of one trial, or averaged over all (`Evaluation.per_query`); their queries and
            which of them are valid must be the same.
        samples: how many resamples, at least 1.
        seed: of the draws.

    Returns:
        Metric name -> the difference, for every metric.

    Raises:
        InputError: other queries, or queries valid in one only.
    """
    if samples < 1:
        raise InputError(f"{samples} bootstrap samples", allowed="1 or more for a difference")
    of_first, of_second = _queries_of(first), _queries_of(second)
    for name, a, b in (
        ("queries", of_first, of_second),
        ("valid queries", of_first[first.valid], of_second[second.valid]),
    ):
        if not np.array_equal(a, b):
            only = sorted(set(a.tolist()) ^ set(b.tolist()))[:3]
            raise InputError(
                f"The two evaluations have different {name} ({len(a)} and {len(b)}; e.g. {only})",
                allowed="the same data set, protocol and queries in the same order",
            )
    one, two = first.scores(), second.scores()
    low, high = _percentiles(_resampled_means(one - two, samples, seed))
    return {
        name: PairedDifference(
            metric=name,
            first=float(one[:, i].mean()),
            second=float(two[:, i].mean()),
            difference=float((one[:, i] - two[:, i]).mean()),
            interval=(float(low[i]), float(high[i])),
            queries=len(one),
        )
        for i, name in enumerate(METRIC_NAMES)
    }


def _queries_of(scored: Ranking | PerQuery) -> np.ndarray:
    return scored.query if isinstance(scored, PerQuery) else scored.matching.query


def chance_scores(ranking: Ranking) -> dict[str, float]:
    """Return what ranking the kept gallery at random scores on average: mAP and Rank-k, 0..1.

    For n matches among N entries, with H_N = 1 + 1/2 + ... + 1/N:

        E[AP] = (H_N + (n - 1) / (N - 1) (N - H_N)) / N
        P(first match within k) = 1 - C(N - n, k) / C(N, k)

    Where the protocol counts its CMC curve in identities, Rank-k is that of `identity_chance`.
    """
    scores = random_order_scores(ranking.matches[ranking.valid], ranking.kept[ranking.valid])
    if ranking.matching.protocol.cmc == "identity":
        scores.update(zip([f"rank{k}" for k in CMC_RANKS], identity_chance(ranking, CMC_RANKS), strict=True))
    return scores


def random_order_scores(n: np.ndarray, total: np.ndarray) -> dict[str, float]:
    """Return the same for queries of which only the numbers are known.

    Args:
        n: (Q,) int, how many matches each query has; at least 1.
        total: (Q,) int, how many entries it is compared with.
    """
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, total.max() + 1))])[total]
    share = (n - 1) / np.maximum(total - 1, 1)
    scores = {"mAP": float(((harmonic + share * (total - harmonic)) / total).mean())}
    for k in CMC_RANKS:
        miss = np.ones(len(n))
        for drawn in range(k):  # the next entry is no match either
            miss *= np.clip((total - n - drawn) / np.maximum(total - drawn, 1), 0.0, 1.0)
        scores[f"rank{k}"] = float((1.0 - miss).mean())
    return scores


def _resampled_means(scores: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Return (samples, columns): the column means of rows drawn with replacement."""
    return np.concatenate([counts @ scores for counts in _resamples(len(scores), samples, seed)]) / len(
        scores
    )


def _resamples(rows: int, samples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield blocks (b, rows) float64: how often each row was drawn, for b of the samples."""
    generator = numpy_generator(seed, "bootstrap")
    block = max(1, _BLOCK_NUMBERS // rows)
    for start in range(0, samples, block):
        size = min(block, samples - start)
        drawn = generator.integers(0, rows, size=(size, rows)) + rows * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def _percentiles(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100.0 - tail], axis=0)
    return low, high
