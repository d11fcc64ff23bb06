"""Ranking: where each query's matches stand in the gallery. Metric, picture and file all read it.

Per query, with the n matches at ranks r_1 < ... < r_n among the kept gallery entries:

    AP = 1/n sum_j j / r_j          INP = n / r_n          Rank-k: r_1 <= k

Where the protocol counts its CMC curve in identities, Rank-k takes 1 + the number of other identities
with an entry before r_1 instead (entries of unknown identity count one each). Ties go by gallery order.
Only the ranks of the matches are needed, so no gallery is argsorted: a match's rank is found by bisection
in the query's sorted distances.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from nextreid.embedding.neighbours import BLOCK_BYTES, Block, distance_blocks
from nextreid.errors import InputError
from nextreid.evaluation.protocols import Matching
from nextreid.progress import Progress, Silent

CMC_RANKS = (1, 5, 10, 20)
_ROWS_AT_ONCE = 64  # ours: some milliseconds of work for a thread
_MOST_THREADS = 4  # ours: sorting leaves the interpreter free, the rest of a query (a third) does not

METRIC_NAMES = ("mAP", *(f"rank{k}" for k in CMC_RANKS), "mINP")


@dataclass(frozen=True, eq=False)
class Ranking:
    """The outcome for every query; Q queries, G gallery entries, T entries listed per query.

    Attributes:
        matching: the protocol applied: ids, kept and removed entries, matches.
        ap, inp: (Q,) float64, 0..1; NaN where the query has no match left.
        first_match_rank: (Q,) int64 from 1, in images or in identities as the protocol's CMC curve has
            it; 0 where the query has no match left.
        matches: (Q,) int64, how many kept gallery entries are of the query's identity.
        kept: (Q,) int64, how many gallery entries the query is compared with.
        top: (Q, T) int64, the nearest kept gallery entries, nearest first; -1 past the last.
        top_distance: (Q, T) float32; NaN past the last.
        top_match: (Q, T) bool, whether that entry is of the query's identity.
        lost: (Q,) bool, whether the protocol removed every match the query had.
    """

    matching: Matching
    ap: np.ndarray
    inp: np.ndarray
    first_match_rank: np.ndarray
    matches: np.ndarray
    kept: np.ndarray
    top: np.ndarray
    top_distance: np.ndarray
    top_match: np.ndarray
    lost: np.ndarray = field(repr=False)

    @property
    def valid(self) -> np.ndarray:
        """(Q,) bool: whether a match is left; only these queries count."""
        return self.matches > 0

    def kept_mask(self, query: int) -> np.ndarray:
        """Return (G,) bool: the gallery entries that this query was compared with."""
        return self.matching.kept(query)

    def scores(self) -> np.ndarray:
        """Return (valid queries, 6) float64: each query's share in `METRIC_NAMES`, in that order.

        Rank-k is 1 where the first match is among the first k kept entries. A gallery shorter
        than k holds all its entries within the first k, so there every valid query scores 1.
        """
        first = self.first_match_rank[self.valid]
        hits = [(first <= k).astype(np.float64) for k in CMC_RANKS]
        return np.stack([self.ap[self.valid], *hits, self.inp[self.valid]], axis=1)

    def metrics(self) -> dict[str, float]:
        """Return mAP, Rank-1/5/10/20 and mINP: means over the valid queries, 0..1."""
        return dict(zip(METRIC_NAMES, self.scores().mean(axis=0).tolist(), strict=True))


def rank(
    queries: np.ndarray,
    gallery: np.ndarray,
    matching: Matching,
    *,
    metric: str = "cosine",
    top_k: int = 20,
    block_bytes: int = BLOCK_BYTES,
    progress: Progress | None = None,
) -> Ranking:
    """Rank the gallery for every query.

    Args:
        queries: (Q, D) float32, in the order of `matching.query`.
        gallery: (G, D) float32, in the order of `matching.gallery`.
        matching: the protocol applied.
        metric: `cosine` or `euclidean`.
        top_k: how many of the nearest entries to list for each query.
        block_bytes: memory for one block of distances.
        progress: one step per query.

    Raises:
        InputError: row counts that disagree, or vectors the metric cannot use.
    """
    if len(queries) != len(matching.query) or len(gallery) != len(matching.gallery):
        raise InputError(
            f"{len(queries)} query and {len(gallery)} gallery vectors for {len(matching.query)} queries "
            f"and {len(matching.gallery)} entries"
        )
    blocks = distance_blocks(queries, gallery, metric=metric, block_bytes=block_bytes)
    return rank_blocks(blocks, matching, top_k=top_k, progress=progress)


def rank_blocks(
    blocks: Iterable[Block], matching: Matching, *, top_k: int = 20, progress: Progress | None = None
) -> Ranking:
    """Rank the gallery for every query by distances that are given block by block.

    Args:
        blocks: all queries' keys to the whole gallery, in order; overwritten.
        matching, top_k, progress: as for `rank`.

    Raises:
        InputError: blocks that are not of these queries and this gallery.
    """
    count, total = len(matching.query), len(matching.gallery)
    top_k = max(1, min(top_k, total))
    ranking = Ranking(
        matching=matching,
        ap=np.full(count, np.nan),
        inp=np.full(count, np.nan),
        first_match_rank=np.zeros(count, dtype=np.int64),
        matches=np.zeros(count, dtype=np.int64),
        kept=np.zeros(count, dtype=np.int64),
        top=np.full((count, top_k), -1, dtype=np.int64),
        top_distance=np.full((count, top_k), np.nan, dtype=np.float32),
        top_match=np.zeros((count, top_k), dtype=bool),
        lost=np.zeros(count, dtype=bool),
    )
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool, (progress or Silent()).task("ranking", count) as task:
        done = 0
        for block in blocks:
            if block.start != done or block.keys.shape[1] != total or done + len(block.keys) > count:
                raise InputError(
                    f"Keys of the queries from {block.start} are {block.keys.shape}",
                    allowed=f"those from {done} on, of {count} in all, to {total} gallery entries",
                )
            starts = range(0, len(block.keys), _ROWS_AT_ONCE)
            list(pool.map(partial(_rank_some, ranking, block), starts))
            done += len(block.keys)
            task.advance(len(block.keys))
    if done != count:
        raise InputError(f"Keys of {done} queries", allowed=f"of all {count}")
    for name in (
        "ap",
        "inp",
        "first_match_rank",
        "matches",
        "kept",
        "top",
        "top_distance",
        "top_match",
        "lost",
    ):
        getattr(ranking, name).flags.writeable = False
    return ranking


def _rank_some(ranking: Ranking, block: Block, start: int) -> None:
    for row in range(start, min(start + _ROWS_AT_ONCE, len(block.keys))):
        _rank_one(ranking, block, row)


def _rank_one(ranking: Ranking, block: Block, row: int) -> None:
    """Fill one query's row of the ranking."""
    matching, query, keys = ranking.matching, block.start + row, block.keys[row]
    removed, positives = matching.removed(query), matching.positives(query)
    keys[removed] = np.inf  # sorts behind every kept entry: keys are finite
    ranking.kept[query] = kept = len(keys) - len(removed)
    ranking.matches[query] = n = len(positives)
    if kept == 0:
        ranking.lost[query] = matching.loses_all(query)
        return
    ordered = np.sort(keys)
    _list_nearest(ranking, block, row, ordered)
    if n == 0:
        ranking.lost[query] = matching.loses_all(query)
        return
    of_positives = keys[positives]
    closer = ordered.searchsorted(of_positives, side="left")
    not_farther = ordered.searchsorted(of_positives, side="right")
    ranks = closer + 1
    for tied in (not_farther - closer > 1).nonzero()[0]:
        ranks[tied] += np.count_nonzero(keys[: positives[tied]] == of_positives[tied])
    first = int(ranks.argmin())
    ranking.first_match_rank[query] = (
        ranks[first] if matching.protocol.cmc == "image" else _identities_to(matching, keys, positives[first])
    )
    ranks.sort()
    ranking.ap[query] = (np.arange(1, n + 1) / ranks).sum() / n
    ranking.inp[query] = n / ranks[-1]


def _identities_to(matching: Matching, keys: np.ndarray, match: int) -> int:
    """Return the rank of an entry when the entries of one identity before it count once."""
    nearer = np.flatnonzero(keys < keys[match])
    tied = np.flatnonzero(keys[:match] == keys[match])
    return 1 + len(np.unique(matching.identities(np.concatenate([nearer, tied]))))


def _list_nearest(ranking: Ranking, block: Block, row: int, ordered: np.ndarray) -> None:
    query, keys = block.start + row, block.keys[row]
    listed = min(ranking.top.shape[1], int(ranking.kept[query]))
    candidates = (keys <= ordered[listed - 1]).nonzero()[0]  # ascending: ties in gallery order
    nearest = candidates[keys[candidates].argsort(kind="stable")[:listed]]
    ranking.top[query, :listed] = nearest
    ranking.top_distance[query, :listed] = block.to_distance(row, keys[nearest])
    ranking.top_match[query, :listed] = ranking.matching.same_identity(query, nearest)
