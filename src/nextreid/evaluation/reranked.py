"""An evaluation once more, with the gallery re-ranked by reciprocal neighbours."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nextreid.embedding.reranking import RerankSettings, rerank
from nextreid.evaluation.evaluate import Evaluation, TrialScores
from nextreid.evaluation.per_query import PerQuery
from nextreid.evaluation.ranking import rank_blocks
from nextreid.evaluation.results.report_entries import gains_entry, metrics_entry
from nextreid.evaluation.results.report_section import Section, gain_table
from nextreid.evaluation.statistics import bootstrap_intervals, paired_differences
from nextreid.progress import Progress


def evaluate_reranked(
    plain: Evaluation,
    query_vectors: np.ndarray,
    gallery_vectors: np.ndarray,
    *,
    settings: RerankSettings | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score the same queries and galleries by re-ranked distances.

    All queries and the whole gallery of a trial are neighbours of each other, as in the public evaluators;
    what the protocol removes for a query is removed from its ranked list only. Other queries' features
    therefore take part in a query's list, which a system that sees one query at a time does not have.

    Args:
        plain: the evaluation without re-ranking.
        query_vectors: (Q, D) float32. gallery_vectors: (G, D) float32: all that its trials choose from.
        settings: the method's numbers; None: the authors'.
        progress: steps of the neighbours, then of the ranking.
    """
    chosen = settings or RerankSettings()
    scores = []
    for one in plain.trials:
        found = rerank(
            query_vectors[one.trial.queries],
            gallery_vectors[one.trial.gallery],
            k1=chosen.k1,
            k2=chosen.k2,
            weight=chosen.weight,
            metric=plain.metric,
            progress=progress,
        )
        top_k = one.ranking.top.shape[1]
        ranking = rank_blocks(found.blocks(), one.trial.matching, top_k=top_k, progress=progress)
        scores.append(TrialScores(one.trial, ranking, ranking.metrics()))
    per_query = PerQuery.over([one.ranking for one in scores])
    return replace(
        plain,
        trials=tuple(scores),
        per_query=per_query,
        metrics=per_query.metrics(),
        intervals=bootstrap_intervals(per_query, samples=plain.bootstrap, seed=plain.seed),
    )


def reranked_entry(plain: Evaluation, found: Evaluation, settings: RerankSettings) -> dict[str, Any]:
    """Return what results.json says under `reranked`; its gain is re-ranked minus plain, over queries."""
    gain = (
        paired_differences(found.per_query, plain.per_query, samples=plain.bootstrap, seed=plain.seed)
        if plain.bootstrap
        else {}
    )
    return {
        "metrics": metrics_entry(found),
        "gain": gains_entry(gain),
        "settings": {"method": "k-reciprocal (Zhong et al., CVPR 2017)", **asdict(settings)},
    }


def section(entry: Mapping[str, Any]) -> Section:
    """Show the re-ranked score in the table of all scores, and what it gains."""
    settings = entry["settings"]
    name = f"re-ranked (k1 {settings['k1']}, k2 {settings['k2']}, weight {settings['weight']:g})"
    gain = gain_table([("re-ranked", entry["gain"])], title="Re-ranked minus plain, points")
    return Section(
        "Re-ranking",
        scores=((name, entry["metrics"]),),
        tables=(gain,) if gain.rows else (),
        text="Distances by k-reciprocal neighbours among all queries and the whole gallery (Zhong et al., "
        "CVPR 2017); what the protocol removes is removed afterwards.",
    )
