"""Distances of queries to a gallery, block by block, in memory linear in the block.

Ordering needs no distance but a number that grows with it, the *key*, which costs one matrix
product. With a, b the (centred or normalised) vectors of query and gallery item:

    cosine     key = -a.b               distance = 1 + key
    euclidean  key = |b|^2 - 2 a.b      distance = sqrt(key + |a|^2)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nextreid.errors import InputError

Metric = Literal["cosine", "euclidean"]
METRICS: tuple[Metric, ...] = ("cosine", "euclidean")

BLOCK_BYTES = 64 * 2**20
"""Size of one block of keys. Ours: large enough for the matrix product to run at full speed
(1,000 queries against 16,000 items), small beside the vectors themselves."""

_HASHED_ROWS = 1024  # ours: 4 MB of integers for vectors of 512
_DIVIDED_ROWS = 256  # ours: 1 MB of float64 for vectors of 512 stays in the processor's cache


@dataclass(frozen=True, eq=False)
class Block:
    """The keys of some queries to the whole gallery.

    Attributes:
        start: row of the block's first query.
        keys: (rows, G) float32, growing with distance; the reader may overwrite it.
        offset: (rows, 1) float32, what `to_distance` adds: |a|^2, or 1 for cosine.
        metric: the metric's name; `reranked` where the keys are distances already (0..1), offset 0.
    """

    start: int
    keys: np.ndarray
    offset: np.ndarray
    metric: Metric | Literal["reranked"]

    def to_distance(self, row: int, keys: np.ndarray) -> np.ndarray:
        """Turn keys of one of the block's queries into distances (cosine: 0..2)."""
        shifted = np.maximum(keys + self.offset[row], 0.0)
        return np.sqrt(shifted) if self.metric == "euclidean" else shifted


def nearest(keys: np.ndarray, count: int) -> np.ndarray:
    """Return the nearest items of one query, nearest first, ties in gallery order.

    Args:
        keys: (G,) float32, growing with distance.
        count: how many, at most G.
    """
    bound = np.partition(keys, count - 1)[count - 1]
    candidates = np.flatnonzero(keys <= bound)  # ascending: a stable sort leaves ties in gallery order
    return candidates[np.argsort(keys[candidates], kind="stable")[:count]]


def distance_blocks(
    queries: np.ndarray, gallery: np.ndarray, *, metric: str = "cosine", block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Yield the keys of all queries, some rows at a time, in order.

    Gallery items with equal vectors (cosine: of equal directions) get equal keys, bit for bit: a matrix
    product alone does not promise that (its kernels sum differently at their edges), and ties must stay ties.

    Args:
        queries: (Q, D) float32.
        gallery: (G, D) float32.
        metric: `cosine` or `euclidean`.
        block_bytes: how large a block of keys may be; at least one query is done at a time.

    Yields:
        Blocks; a block's keys are valid until the next one is asked for.

    Raises:
        InputError: widths that differ, an unknown metric, a vector that has no direction
            (cosine), or one too long for float32 (euclidean).
    """
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise InputError(
            f"Queries have the shape {queries.shape} and the gallery {gallery.shape}",
            allowed="(Q, D) and (G, D) with the same D",
        )
    if metric == "cosine":
        left, right = unit_vectors(queries, "query"), unit_vectors(gallery, "gallery item")
        right, inverse = _distinct(right)
        bias = None
        offset = np.ones((len(queries), 1), dtype=np.float32)
    elif metric == "euclidean":
        # Centring keeps |b|^2 - 2 a.b accurate when all vectors share a large offset. The lower
        # median is a value that occurs, so whole numbers stay whole and their ties exact.
        sample = gallery[:: max(1, len(gallery) // 1000)]  # ours: 1,000 items place the centre well enough
        centre = np.quantile(sample, 0.5, axis=0, method="lower").astype(np.float32)
        left = queries - centre
        right, inverse = _distinct(gallery - centre)
        bias = _squared_norms(right, "gallery item").astype(np.float32)
        offset = _squared_norms(left, "query").astype(np.float32)[:, None]
        left *= 2.0
    else:
        raise InputError(f"There is no metric {metric!r}", allowed=", ".join(METRICS))
    np.negative(left, out=left)
    known: Metric = "cosine" if metric == "cosine" else "euclidean"
    rows = max(1, block_bytes // (4 * max(1, len(gallery))))
    buffer = np.empty((min(rows, len(queries)), len(right)), dtype=np.float32)
    for start in range(0, len(queries), rows):
        part = left[start : start + rows]
        keys = np.matmul(part, right.T, out=buffer[: len(part)])
        if bias is not None:
            keys += bias
        if inverse is not None:
            keys = keys[:, inverse]
        yield Block(start=start, keys=keys, offset=offset[start : start + rows], metric=known)


def _distinct(gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the distinct rows, and for each row its place among them (None if all are distinct).

    Rows are compared by their bytes; only those whose hash another row shares are looked at.
    """
    _, code, count = np.unique(_row_hashes(gallery), return_inverse=True, return_counts=True)
    doubtful = np.flatnonzero(count[code] > 1)
    first_with: dict[bytes, int] = {}
    representative = np.arange(len(gallery))
    for row in doubtful.tolist():
        representative[row] = first_with.setdefault((gallery[row] + 0.0).tobytes(), row)
    first = np.flatnonzero(representative == np.arange(len(gallery)))
    if len(first) == len(gallery):
        return gallery, None
    return gallery[first], np.searchsorted(first, representative)


def _row_hashes(vectors: np.ndarray) -> np.ndarray:
    """Return (n,) uint64: equal for equal rows, and for others hardly ever (sum of bits x odd numbers)."""
    odd = np.random.default_rng(0).integers(2**63, size=vectors.shape[1], dtype=np.uint64) * 2 + 1
    hashes = np.empty(len(vectors), dtype=np.uint64)
    for start in range(0, len(vectors), _HASHED_ROWS):
        # + 0.0 makes -0.0 equal 0.0
        bits = (vectors[start : start + _HASHED_ROWS] + np.float32(0.0)).view(np.uint32)
        hashes[start : start + len(bits)] = np.einsum("nd,d->n", bits.astype(np.uint64), odd)
    return hashes


def unit_vectors(vectors: np.ndarray, what: str) -> np.ndarray:
    """Return vectors (n, D) float32 divided by their lengths.

    Lengths and quotients are float64, rounded once: v and 3 v give the same bits, so ties stay ties.

    Raises:
        InputError: a vector of zeros; `what` says what its row is.
    """
    norms = np.sqrt(_squared_norms(vectors, what, limit=np.inf))[:, None]
    if (norms == 0).any():
        raise InputError(
            f"The vector of {what} {int(np.argmin(norms))} (from 0) is all zeros, which has no direction",
            do="use --metric euclidean, or embed it again",
        )
    units = np.empty(vectors.shape, dtype=np.float32)
    for start in range(0, len(vectors), _DIVIDED_ROWS):
        part = slice(start, start + _DIVIDED_ROWS)
        units[part] = vectors[part] / norms[part]
    return units


def _squared_norms(vectors: np.ndarray, what: str, limit: float = 1e36) -> np.ndarray:
    """Return (n,) float64; `limit` is ours: float32 ends at 3.4e38, and keys hold 4 |a| |b|."""
    squared = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    if (squared > limit).any():
        raise InputError(
            f"The vector of {what} {int(np.argmax(squared))} (from 0) is {np.sqrt(squared.max()):.3g} long",
            allowed="up to 1e18 for euclidean distances in float32",
            do="scale the vectors down, or use --metric cosine",
        )
    return squared
