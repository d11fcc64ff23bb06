"""k-reciprocal re-ranking, sparse and in blocks (Zhong et al., Re-ranking Person Re-identification with
k-reciprocal Encoding, CVPR 2017).

All N items, queries before gallery, are neighbours of each other; d is their distance (cosine, or squared
Euclidean), each row divided by its maximum. With N(i, k) the k + 1 nearest of item i, itself among them:

    R(i, k)   = {j in N(i, k): i in N(j, k)}                              k-reciprocal neighbours
    R*(i)     = R(i, k1) and every R(c, k1/2), c in R(i, k1), that lies in R(i, k1) by more than 2/3
    V_ij      = exp(-d_ij) / sum over R*(i), for j in R*(i); else 0       a row of N weights
    V_i       <- mean of V over the k2 nearest of i                       local query expansion
    Jaccard   = 1 - sum_k min(V_ik, V_jk) / (2 - sum_k min(V_ik, V_jk))
    distance  = (1 - weight) Jaccard + weight d

A row of V has some tens of entries, so V is kept sparse and no N x N matrix is ever made: memory grows
with N (k1 + width), time with N^2 for the nearest neighbours. The gallery entries that a protocol removes
for a query take part here, as in the public evaluators, which remove them from the ranked lists only. An
item that is query and gallery entry at once takes part twice, for the same reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from nextreid.embedding.neighbours import BLOCK_BYTES, METRICS, Block, distance_blocks, nearest, unit_vectors
from nextreid.errors import InputError
from nextreid.progress import Progress, Silent

_EXPANSION_ROWS = 2048  # ours: products of so many rows at once are small beside a block of distances


@dataclass(frozen=True)
class RerankSettings:
    """The three numbers of the method; the defaults are the authors' for Market-1501.

    Attributes:
        k1: neighbours looked at, at least 1.
        k2: neighbours averaged over, at least 1 (1: none but the nearest).
        weight: of the original distance in the final one, 0..1 (lambda in the paper).

    Raises:
        InputError: a number out of its range.
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3

    def __post_init__(self) -> None:
        if self.k1 < 1 or self.k2 < 1 or not 0.0 <= self.weight <= 1.0:
            raise InputError(
                f"Re-ranking with k1={self.k1}, k2={self.k2}, weight={self.weight}",
                allowed="k1 and k2 from 1, weight 0 to 1; usual are 20, 6 and 0.3",
            )

    @property
    def half(self) -> int:
        """k1 / 2, rounded half to even as the authors' code does."""
        return round(self.k1 / 2)


@dataclass(frozen=True, eq=False)
class Reranked:
    """Queries and gallery after the reciprocal neighbours are known; distances are made when asked for.

    Attributes:
        settings: the method's numbers.
        metric: of the original distance.
        queries: (Q, D) float32. gallery: (G, D) float32. For cosine of length 1.
        weights: (Q + G, Q + G) float32, sparse by rows: V.
        farthest: (Q + G,) float32, the distance of each item to the farthest one.
    """

    settings: RerankSettings
    metric: str
    queries: np.ndarray = field(repr=False)
    gallery: np.ndarray = field(repr=False)
    weights: sparse.csr_array = field(repr=False)
    farthest: np.ndarray = field(repr=False)

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Yield the re-ranked distances of all queries to the gallery, 0..1, some rows at a time.

        Args:
            block_bytes: how large a block may be; at least one query is done at a time.
        """
        count, settings = len(self.queries), self.settings
        # by item: which gallery entries hold it among their neighbours, and how strongly
        holders = self.weights[count:].tocsc()
        for block in distance_blocks(self.queries, self.gallery, metric=self.metric, block_bytes=block_bytes):
            final = _relative(block, self.farthest[block.start : block.start + len(block.keys)])
            final *= settings.weight
            for row, distances in enumerate(final):
                shared = _shared_weight(self.weights, holders, block.start + row)
                distances += (1.0 - settings.weight) * (1.0 - shared / (2.0 - shared))
            zero = np.zeros((len(final), 1), dtype=np.float32)
            yield Block(start=block.start, keys=final, offset=zero, metric="reranked")


def rerank(
    queries: np.ndarray,
    gallery: np.ndarray,
    *,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
    metric: str = "cosine",
    block_bytes: int = BLOCK_BYTES,
    progress: Progress | None = None,
) -> Reranked:
    """Find the reciprocal neighbours of all queries and gallery entries.

    Args:
        queries: (Q, D) float32. gallery: (G, D) float32.
        k1, k2, weight: see `RerankSettings`. Fewer items than k1 + 1 or k2: all of them.
        metric: `cosine` or `euclidean`.
        block_bytes: memory for one block of distances.
        progress: one step per item, twice.

    Returns:
        What `nextreid.evaluation.ranking.rank_blocks` ranks by: `rerank(...).blocks()`.

    Raises:
        InputError: a number out of its range, an unknown metric, vectors that the metric cannot use.
    """
    settings = RerankSettings(k1=k1, k2=k2, weight=weight)
    if metric not in METRICS:
        raise InputError(f"There is no metric {metric!r}", allowed=", ".join(METRICS))
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise InputError(
            f"Queries have the shape {queries.shape} and the gallery {gallery.shape}",
            allowed="(Q, D) and (G, D) with the same D",
        )
    if metric == "cosine":
        queries, gallery = unit_vectors(queries, "query"), unit_vectors(gallery, "gallery item")
    items, count = np.concatenate([queries, gallery]), len(queries)
    queries, gallery = items[:count], items[count:]
    shown = progress or Silent()
    ranked, farthest = _neighbours(items, settings, metric, block_bytes, shown)
    weights = _weights(items, ranked, farthest, settings, metric, shown)
    if k2 > 1:
        mean = _indicator(ranked[:, :k2])
        mean.data /= min(k2, ranked.shape[1])
        weights = mean @ weights
    return Reranked(
        settings=settings,
        metric=metric,
        queries=queries,
        gallery=gallery,
        weights=weights,
        farthest=farthest,
    )


def memory_estimate(
    queries: int,
    gallery: int,
    width: int,
    *,
    settings: RerankSettings | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> int:
    """Return about how many bytes `rerank` and its blocks take at most, beside the vectors given.

    Args:
        queries, gallery: number of items. width: of their vectors.
        settings: the method's numbers; None: the authors'.
        block_bytes: memory for one block of distances.
    """
    chosen, items = settings or RerankSettings(), queries + gallery
    listed = max(chosen.k1 + 1, chosen.k2)
    block = min(max(block_bytes, 4 * items), 4 * items * items)
    # V has k1 + 1 entries a row, or fewer (each query expansion joins up to k2 rows); by rows and by columns
    weights = 2 * 8 * items * (chosen.k1 + 1) * chosen.k2
    # the items, as both factors of a product, and being normalised; keys, and once more where items repeat
    return weights + 4 * 4 * items * width + 4 * items * listed + 2 * block


def _neighbours(
    items: np.ndarray, settings: RerankSettings, metric: str, block_bytes: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Return each item's nearest items (N, max(k1 + 1, k2)), nearest first, and its farthest distance."""
    count = min(len(items), max(settings.k1 + 1, settings.k2))
    ranked = np.empty((len(items), count), dtype=np.int32)
    farthest = np.empty(len(items), dtype=np.float32)
    with progress.task("nearest neighbours", len(items)) as task:
        for block in distance_blocks(items, items, metric=metric, block_bytes=block_bytes):
            stop = block.start + len(block.keys)
            farthest[block.start : stop] = np.maximum(block.keys.max(axis=1) + block.offset[:, 0], 0.0)
            for row, keys in enumerate(block.keys, start=block.start):
                ranked[row] = nearest(keys, count)
            task.advance(len(block.keys))
    return ranked, farthest


def _weights(
    items: np.ndarray,
    ranked: np.ndarray,
    farthest: np.ndarray,
    settings: RerankSettings,
    metric: str,
    progress: Progress,
) -> sparse.csr_array:
    """Return V (N, N) before query expansion."""
    mutual = _mutual(ranked[:, : settings.k1 + 1])
    half = _mutual(ranked[:, : settings.half + 1])
    size = np.diff(half.indptr)
    parts = []
    with progress.task("reciprocal neighbours", len(items)) as task:
        for start in range(0, len(items), _EXPANSION_ROWS):
            own = mutual[start : start + _EXPANSION_ROWS]
            overlap = (own @ half.T).multiply(own).tocsr()  # |R(i, k1) and R(c, k1/2)| for c in R(i, k1)
            overlap.data = (3.0 * overlap.data > 2.0 * size[overlap.indices]).astype(np.float32)
            expanded = (own + overlap @ half).tocsr()
            expanded.eliminate_zeros()
            expanded.sort_indices()
            _weigh(expanded, items, farthest, start, metric)
            parts.append(expanded)
            task.advance(expanded.shape[0])
    return sparse.vstack(parts, format="csr")


def _weigh(part: sparse.csr_array, items: np.ndarray, farthest: np.ndarray, start: int, metric: str) -> None:
    """Put exp(-d_ij), each row summing to 1, in place of the entries of some rows of V."""
    for row in range(part.shape[0]):
        entries = slice(part.indptr[row], part.indptr[row + 1])
        own, others = items[start + row], items[part.indices[entries]]
        if metric == "cosine":
            distances = np.maximum(1.0 - others @ own, 0.0)
        else:
            distances = np.square(others - own).sum(axis=1)
        scale = farthest[start + row] or 1.0  # all items in one point
        strength = np.exp(-distances / scale)
        part.data[entries] = strength / strength.sum()


def _mutual(ranked: np.ndarray) -> sparse.csr_array:
    """Return (N, N) float32 with ones where both items are among the other's nearest."""
    forward = _indicator(ranked)
    return forward.multiply(forward.T).tocsr()


def _indicator(ranked: np.ndarray) -> sparse.csr_array:
    """Return (N, N) float32 with ones at each row's listed items."""
    count, width = ranked.shape
    bounds = np.arange(0, count * width + 1, width, dtype=np.int64)
    ones = np.ones(count * width, dtype=np.float32)
    return sparse.csr_array((ones, np.sort(ranked, axis=1).ravel(), bounds), shape=(count, count))


def _relative(block: Block, farthest: np.ndarray) -> np.ndarray:
    """Return a block's distances (cosine, or squared Euclidean) divided by the farthest of each row.

    They take the place of the block's keys: there is no second array of that size.
    """
    distances = block.keys
    distances += block.offset
    np.maximum(distances, 0.0, out=distances)
    distances /= np.where(farthest > 0, farthest, 1.0)[:, None]
    return distances


def _shared_weight(weights: sparse.csr_array, holders: sparse.csc_array, query: int) -> np.ndarray:
    """Return (G,): the sum over items of the smaller weight, a query's or a gallery entry's."""
    entries = slice(weights.indptr[query], weights.indptr[query + 1])
    items, own = weights.indices[entries], weights.data[entries]
    first = holders.indptr[items]
    length = holders.indptr[items + 1] - first
    # places of all holders of the first item, then of the second, ...
    places = np.arange(length.sum()) + np.repeat(first - (np.cumsum(length) - length), length)
    smaller = np.minimum(np.repeat(own, length), holders.data[places])
    return np.bincount(holders.indices[places], weights=smaller, minlength=holders.shape[0])
