"""What each query contributes to the scores, over all trials of a protocol."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextreid.evaluation.ranking import METRIC_NAMES, Ranking


@dataclass(frozen=True, eq=False)
class PerQuery:
    """Every query's share in each metric, averaged over the trials; Q queries.

    Every gallery of a protocol's draw holds every identity under every camera, so whether a query has a
    match left is the same in all trials. Were it not, only queries valid in all would count.

    Attributes:
        query: (Q,) ids.
        valid: (Q,) bool, whether a match is left; only these queries count.
        values: (Q, 6) float64, 0..1, in the order of `METRIC_NAMES`; NaN where not valid.
        first_match_rank: (Q,) float64 from 1, the mean over the trials; NaN where not valid.
        trials: how many the values are means of.
    """

    query: np.ndarray
    valid: np.ndarray
    values: np.ndarray
    first_match_rank: np.ndarray
    trials: int

    @classmethod
    def over(cls, rankings: Sequence[Ranking]) -> "PerQuery":
        """Average over rankings of the same queries, at least one."""
        valid = np.logical_and.reduce([ranking.valid for ranking in rankings])
        values = np.zeros((len(valid), len(METRIC_NAMES)))
        first = np.zeros(len(valid))
        for ranking in rankings:
            values[ranking.valid] += ranking.scores()
            first += ranking.first_match_rank
        values, first = values / len(rankings), first / len(rankings)
        values[~valid], first[~valid] = np.nan, np.nan
        return cls(rankings[0].matching.query, valid, values, first, len(rankings))

    def scores(self) -> np.ndarray:
        """Return (valid queries, 6) float64: each query's share in `METRIC_NAMES`, in that order."""
        return self.values[self.valid]

    def metrics(self) -> dict[str, float]:
        """Return the means over the valid queries, 0..1."""
        return dict(zip(METRIC_NAMES, self.scores().mean(axis=0).tolist(), strict=True))
