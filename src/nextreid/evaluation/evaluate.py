"""Evaluation: embeddings and a manifest in; scores, intervals, counts and rankings out.

A protocol with several trials is scored in each; its metrics are means over the trials, its intervals those
of the queries' means over the trials.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextreid.data.manifest import Manifest, Row
from nextreid.embedding.embeddings import Embeddings
from nextreid.embedding.neighbours import METRICS
from nextreid.errors import InputError
from nextreid.evaluation.per_query import PerQuery
from nextreid.evaluation.protocols import Protocol, Trial, protocol_named
from nextreid.evaluation.ranking import Ranking, rank
from nextreid.evaluation.statistics import bootstrap_intervals, chance_scores
from nextreid.progress import Progress, Silent


@dataclass(frozen=True)
class QueryCounts:
    """What became of the queries: total = valid + removed_by_filter + without_match.

    Attributes:
        total: queries of the manifest that the protocol takes.
        valid: queries with a match left; only these are in the scores.
        removed_by_filter: queries whose matches were all removed by the protocol.
        without_match: queries whose identity no other gallery entry has.
        gallery: gallery entries (in a trial).
    """

    total: int
    valid: int
    removed_by_filter: int
    without_match: int
    gallery: int


@dataclass(frozen=True, eq=False)
class TrialScores:
    """The scores of one trial.

    Attributes:
        trial: its gallery, and the protocol applied to it.
        ranking: the outcome per query.
        metrics: as in `Evaluation`.
    """

    trial: Trial
    ranking: Ranking
    metrics: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One model on one data set under one protocol.

    Attributes:
        trials: the scores of each trial, at least one.
        per_query: every query's scores, averaged over the trials; the metrics and intervals come from it.
        metric: `cosine` or `euclidean`.
        metrics: mAP, rank1, rank5, rank10, rank20, mINP; 0..1.
        intervals: metric -> (low, high), 95 %; empty when bootstrap is 0.
        counts: what became of the queries.
        chance: mAP and Rank-k of a random order of the same galleries.
        bootstrap: number of resamples. seed: of their draws.
    """

    trials: tuple[TrialScores, ...]
    per_query: PerQuery
    metric: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    counts: QueryCounts
    chance: Mapping[str, float]
    bootstrap: int
    seed: int

    @property
    def ranking(self) -> Ranking:
        """The outcome per query of the first trial, e.g. for pictures; scores come from `per_query`."""
        return self.trials[0].ranking

    @property
    def spread(self) -> dict[str, float]:
        """Metric -> standard deviation over the trials (divisor trials - 1); {} for one trial."""
        if len(self.trials) < 2:
            return {}
        values = {name: [scores.metrics[name] for scores in self.trials] for name in self.metrics}
        return {name: float(np.std(of, ddof=1)) for name, of in values.items()}

    @property
    def protocol(self) -> Protocol:
        """The protocol that was applied."""
        return self.ranking.matching.protocol


def evaluate_embeddings(
    embeddings: Embeddings,
    manifest: Manifest,
    *,
    protocol: str | Protocol,
    metric: str = "cosine",
    bootstrap: int = 1000,
    seed: int = 0,
    top_k: int = 20,
    split: str = "test",
    progress: Progress | None = None,
) -> Evaluation:
    """Score embeddings on the queries and gallery of a manifest.

    The manifest's rows of `split` with `is_query` are the queries, those with `is_gallery` the
    gallery, in the manifest's order. Every one needs an embedding. Embeddings of other rows of the
    manifest are left alone; an id the manifest does not know is an error, because it means that
    the two do not belong together.

    Args:
        embeddings: of at least all queries and gallery entries.
        manifest: the whole data set.
        protocol: its name, or the object.
        metric: `cosine` or `euclidean`.
        bootstrap: resamples for the intervals; 0 for none.
        seed: of the resamples.
        top_k: how many nearest entries the ranking lists for each query.
        split: which rows to score.
        progress: one step per query, or per trial where there are several.

    Raises:
        InputError: missing or unknown ids, no query, an empty needed column, no query with a match.
    """
    chosen = protocol if isinstance(protocol, Protocol) else protocol_named(protocol)
    queries, gallery = query_and_gallery(embeddings, manifest, split=split, protocol=chosen)
    return evaluate_rows(
        embeddings.vectors[embeddings.rows([row.observation for row in queries])],
        embeddings.vectors[embeddings.rows([row.observation for row in gallery])],
        queries,
        gallery,
        protocol=chosen,
        metric=metric,
        bootstrap=bootstrap,
        seed=seed,
        top_k=top_k,
        progress=progress,
    )


def evaluate_branches(
    embeddings: Embeddings, manifest: Manifest, *, full: Evaluation, split: str = "test"
) -> dict[str, Evaluation]:
    """Score every branch of the embeddings alone, as `full` was scored; {} where none is recorded."""
    return {
        name: evaluate_embeddings(
            embeddings.branch(name),
            manifest,
            protocol=full.protocol,
            metric=full.metric,
            bootstrap=full.bootstrap,
            seed=full.seed,
            split=split,
        )
        for name in embeddings.branches
    }


def query_and_gallery(
    embeddings: Embeddings, manifest: Manifest, *, split: str = "test", protocol: Protocol | None = None
) -> tuple[list[Row], list[Row]]:
    """Return the query rows and the gallery rows of a split, all of which have embeddings.

    Args:
        embeddings: their ids are looked up in the manifest.
        manifest: the whole data set.
        split: which rows.
        protocol: only rows that it has a use for; None: all.

    Raises:
        InputError: the split is empty, or the ids of the embeddings and the manifest disagree.
    """
    known = {row.observation for row in manifest.rows}
    strangers = [name for name in embeddings.observation.tolist() if name not in known]
    if strangers:
        some = ", ".join(strangers[:5]) + (" ..." if len(strangers) > 5 else "")
        files = all(Path(name).stem in known for name in strangers)
        raise InputError(
            f"{embeddings.source} holds {len(strangers)} of {len(embeddings)} observations that "
            f"{manifest.source} does not list: {some}",
            allowed="embeddings of this manifest's observations, of any split",
            do="name the observations without the ending of their files"
            if files
            else "give the data set that was embedded, whole",
        )
    rows = [row for row in manifest.rows if row.split == split]
    if not rows:
        raise InputError(
            f"{manifest.source} has no row of the split {split!r}", do="check the column `split`"
        )
    queries = [row for row in rows if row.is_query]
    gallery = [row for row in rows if row.is_gallery]
    if protocol is not None:
        queries, gallery = protocol.candidates(queries, gallery)
    embeddings.rows(list(dict.fromkeys(row.observation for row in (*queries, *gallery))))
    return queries, gallery


def evaluate_rows(
    query_vectors: np.ndarray,
    gallery_vectors: np.ndarray,
    queries: Sequence[Row],
    gallery: Sequence[Row],
    *,
    protocol: str | Protocol,
    metric: str = "cosine",
    bootstrap: int = 1000,
    seed: int = 0,
    top_k: int = 20,
    progress: Progress | None = None,
) -> Evaluation:
    """Score vectors whose rows belong to these queries and gallery entries.

    Args:
        query_vectors: (Q, D) float32. gallery_vectors: (G, D) float32.
        queries, gallery: their rows of the manifest, in the same order; those that the protocol has no
            use for (`Protocol.apply`) play no part.
        protocol, metric, bootstrap, seed, top_k, progress: as for `evaluate_embeddings`.
    """
    if metric not in METRICS:
        raise InputError(f"There is no metric {metric!r}", allowed=", ".join(METRICS))
    if bootstrap < 0:
        raise InputError(f"{bootstrap} bootstrap samples", allowed="0 (no intervals) or more; 1000 is usual")
    if len(query_vectors) != len(queries) or len(gallery_vectors) != len(gallery):
        raise InputError(
            f"{len(query_vectors)} query and {len(gallery_vectors)} gallery vectors for {len(queries)} "
            f"queries and {len(gallery)} entries"
        )
    chosen = protocol if isinstance(protocol, Protocol) else protocol_named(protocol)
    trials = chosen.apply(queries, gallery)
    scores = []
    with (progress if progress and len(trials) > 1 else Silent()).task("trials", len(trials)) as task:
        for trial in trials:
            ranking = rank(
                _rows(query_vectors, trial.queries),
                _rows(gallery_vectors, trial.gallery),
                trial.matching,
                metric=metric,
                top_k=top_k,
                progress=progress if len(trials) == 1 else None,
            )
            scores.append(TrialScores(trial, ranking, ranking.metrics()))
            task.advance()
    per_query = PerQuery.over([of.ranking for of in scores])
    valid, lost = int(per_query.valid.sum()), int(scores[0].ranking.lost.sum())
    return Evaluation(
        trials=tuple(scores),
        per_query=per_query,
        metric=metric,
        metrics=per_query.metrics(),
        intervals=bootstrap_intervals(per_query, samples=bootstrap, seed=seed),
        counts=QueryCounts(
            total=len(per_query.query),
            valid=valid,
            removed_by_filter=lost,
            without_match=len(per_query.query) - valid - lost,
            gallery=len(trials[0].gallery),
        ),
        chance=_mean([chance_scores(of.ranking) for of in scores]),
        bootstrap=bootstrap,
        seed=seed,
    )


def _rows(vectors: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the chosen rows, without a copy where all are."""
    return vectors if len(chosen) == len(vectors) else vectors[chosen]


def _mean(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum(of[name] for of in scores) / len(scores) for name in scores[0]}
