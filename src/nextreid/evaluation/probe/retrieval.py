"""From a sentence to the images of which it is true, and from an image to a sentence true of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextreid.evaluation.statistics import mean_intervals, random_order_scores

Direction = Literal["sentence-to-image", "image-to-sentence"]
Words = Literal["truth", "captions"]
Sentences = Literal["any", "specific"]

MIXED = "mixed"
"""Name of the gallery that holds images of every modality."""

SPECIFIC = 0.1
"""A specific sentence is true of at most this share of the gallery: ours. "The image appears clear" is
true of most images, so that nothing can be much better than chance; here tenfold can be."""

RANKS = (1, 5, 10)
METRICS = (*(f"rank{k}" for k in RANKS), "mAP")

SENTENCES, GALLERY = 200, 500
"""Sentences asked, and images in a gallery at most: ours, an interval of a few points, and a fixed size
so that galleries of different data sets can be set beside each other."""


@dataclass(frozen=True)
class RetrievalScore:
    """One direction in one gallery; shares 0..1.

    Attributes:
        direction: what is asked for what.
        gallery: a modality, or "mixed".
        sentences: "any" that are true of some images, or "specific": of at most `SPECIFIC` of them.
        words: where the sentences come from.
        queries: how many were asked: sentences, or images of which any of the sentences is true.
        candidates: how many each was compared with.
        metrics: rank1, rank5, rank10, mAP; a hit is any candidate that fits.
        intervals: their 95 % intervals over the queries.
        chance: what a random order is expected to score; its rank1 is the mean share of fitting candidates.
        constant: Rank-1 of the one candidate that fits the most queries, given every time.
    """

    direction: Direction
    gallery: str
    sentences: Sentences
    words: Words
    queries: int
    candidates: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    chance: Mapping[str, float]
    constant: float

    @property
    def times_chance(self) -> float:
        """Rank-1 over that of a random order."""
        return self.metrics["rank1"] / self.chance["rank1"]


def retrieval_score(
    likeness: NDArray[np.float32],
    fits: NDArray[np.bool_],
    *,
    direction: Direction,
    gallery: str,
    sentences: Sentences = "any",
    words: Words = "truth",
    samples: int = 1000,
    seed: int = 0,
) -> RetrievalScore | None:
    """Score rankings of c candidates for q queries; equal likeness goes by the candidates' order.

    Args:
        likeness: (q,c) cosines.
        fits: (q,c) bool; queries that nothing fits are left out.
        direction, gallery, sentences, words: what these are.
        samples: of the bootstrap. seed: of its draws.

    Returns:
        The score, or None where no query has anything that fits.
    """
    asked = fits.any(axis=1)
    if not asked.any():
        return None
    likeness, fits = likeness[asked], fits[asked]
    order = np.argsort(-likeness, axis=1, kind="stable")
    hits = np.take_along_axis(fits, order, axis=1)  # (q,c) best first
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    ap = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    scores = np.stack([*(hits[:, :k].any(axis=1) for k in RANKS), ap], axis=1).astype(np.float64)
    intervals = mean_intervals(scores, samples=samples, seed=seed)
    chance = random_order_scores(fits.sum(axis=1), np.full(len(fits), fits.shape[1]))
    return RetrievalScore(
        direction=direction,
        gallery=gallery,
        sentences=sentences,
        words=words,
        queries=len(fits),
        candidates=fits.shape[1],
        metrics=dict(zip(METRICS, scores.mean(axis=0).tolist(), strict=True)),
        intervals=dict(zip(METRICS, intervals, strict=True)),
        chance={name: chance[name] for name in METRICS},
        constant=float(fits.mean(axis=0).max()),
    )
