"""Rank-k of a random order where gallery entries of one identity count once.

Give every entry a random arrival time, exponential with rate 1: their order is a random one. An identity
with m entries first arrives at a time t that is exponential with rate m, and the query's rank is 1 + the
number of other identities that arrive before its own. With u = exp(-t), another identity has arrived with
probability 1 - u^m, and the query's own, of n matches, arrives with density n u^(n-1) du, so

    P(rank <= k) = integral over u in (0, 1) of n u^(n-1) P(fewer than k of the others have arrived)

and the number of arrivals is a sum of independent binomials, one for each size m. Only the proportions of
the sizes matter, so that all are divided by what divides them all.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from nextreid.evaluation.ranking import Ranking

_NODES = 256
"""Of the Gauss-Legendre sum. Ours: exact for polynomials up to degree 511, such as 511 identities of one
size; for 3,000 entries of uneven sizes within 1e-9."""


def identity_chance(ranking: Ranking, ranks: Sequence[int]) -> tuple[float, ...]:
    """Return the expected Rank-k of a random order, for each k, over the valid queries.

    Args:
        ranking: the outcome per query, for its kept entries and matches.
        ranks: each k, at least 1.
    """
    matching, alike = ranking.matching, ranking.matching.alike()
    everyone = matching.identities(np.arange(len(matching.gallery)))
    known: dict[tuple[int, tuple[tuple[int, int], ...]], np.ndarray] = {}
    total, valid = np.zeros(len(ranks)), 0
    for group in np.unique(alike[ranking.valid]):
        members = np.flatnonzero(alike == group)
        n = int(ranking.matches[members[0]])
        kept = matching.kept(int(members[0]))
        kept[matching.positives(int(members[0]))] = False
        sizes = Counter(np.unique(everyone[kept], return_counts=True)[1].tolist())
        key = (n, tuple(sorted(sizes.items())))
        if key not in known:
            known[key] = first_within(n, sizes, ranks)
        total += len(members) * known[key]
        valid += len(members)
    return tuple((total / valid).tolist())


def first_within(n: int, sizes: Counter[int], ranks: Sequence[int]) -> np.ndarray:
    """Return P(rank <= k) for each k, of an identity with n entries among others.

    Args:
        n: entries of the identity, at least 1.
        sizes: number of entries -> how many other identities have as many.
        ranks: each k, at least 1.
    """
    most = max(ranks)
    u, weights = _quadrature()
    shared = math.gcd(n, *sizes)
    n //= shared
    arrived = np.zeros((most, _NODES))  # P(so many others), most - 1 at most
    arrived[0] = 1.0
    for m, count in sizes.items():
        absent = u ** (m // shared)
        joined = np.zeros_like(arrived)
        for j in range(min(count, most - 1) + 1):
            share = math.comb(count, j) * (1 - absent) ** j * absent ** (count - j)
            joined[j:] += share * arrived[: most - j]
        arrived = joined
    within = np.cumsum(arrived, axis=0) @ (weights * n * u ** (n - 1))
    return np.array([within[k - 1] for k in ranks])


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Return nodes in (0, 1) and their weights, which sum to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2
