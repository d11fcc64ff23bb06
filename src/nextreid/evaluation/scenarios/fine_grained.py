"""Scenario `fine-grained`: Rank-1 inside look-alike groups (`lookalikes.py`), corrected for chance."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextreid.evaluation.resampling import beyond, cluster_interval, corrected
from nextreid.evaluation.results.report_section import Section, Table, percent, span
from nextreid.evaluation.scenarios.lookalike_truth import read_distinctions
from nextreid.evaluation.scenarios.lookalikes import FineGrained, GroupQuery, fine_grained
from nextreid.evaluation.scenarios.scenario import ScenarioContext


def entry(found: FineGrained, *, bootstrap: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Return `scenarios.fine-grained` of results.json.

    Args:
        found: the outcome.
        bootstrap: resamples of whole groups for the 95 % intervals; 0 for none.
        seed: of the resamples.
    """
    sums = _sums(found.queries)
    document: dict[str, Any] = _scores(found.queries)
    for name, score in (("rank1", _rank1), ("corrected", _corrected)):
        interval = cluster_interval(sums, score, samples=bootstrap, seed=seed)
        if interval is not None:
            document[f"{name}_ci"] = list(interval)
    names = sorted({name for query in found.queries for name in query.attributes})
    return document | {
        "groups": len(sums),
        "queries": asdict(found.counts),
        "visibility": "truth" if found.truth else "unknown",
        "attributes": [
            {"attribute": name, **_scores([query for query in found.queries if name in query.attributes])}
            for name in names
        ],
    }


def run(context: ScenarioContext) -> dict[str, Any]:
    """Run the scenario.

    Raises:
        NotPossibleError: the data name no look-alikes, or none that can be scored.
    """
    found = fine_grained(
        context.embeddings,
        context.manifest,
        full=context.full,
        distinctions=read_distinctions(context.manifest),
        split=context.split,
        progress=context.progress,
    )
    return entry(found, bootstrap=context.full.bootstrap, seed=context.full.seed)


def section(document: Mapping[str, Any]) -> Section:
    """Show the entry."""
    counts = document["queries"]
    lost = (
        f"{counts['without_match']} had no match left, {counts['without_lookalike']} no look-alike in the "
        f"gallery, and of {counts['not_visible']} the difference was not seen."
    )
    visible = (
        "Counted are queries of which something that tells them from their look-alikes is seen in the query "
        "and in a match."
        if document["visibility"] == "truth"
        else "There is no truth of what can be seen: every query counts, also those nobody could decide."
    )
    rows = [
        (
            "all",
            str(counts["counted"]),
            percent(document["rank1"]),
            span(document.get("rank1_ci")),
            percent(document["chance"]),
            percent(document["corrected"]),
            span(document.get("corrected_ci")),
        )
    ]
    for score in document["attributes"]:
        shares = percent(score["rank1"]), "", percent(score["chance"]), percent(score["corrected"]), ""
        rows.append((score["attribute"], str(score["queries"]), *shares))
    return Section(
        title="Fine-grained: Rank-1 among look-alikes",
        tables=(Table(("", "queries", "R-1", "95 %", "chance", "corrected", "95 %"), tuple(rows)),),
        text=f"{document['groups']} groups. {visible} Of {counts['total']} queries with look-alikes "
        f"{counts['counted']} count; {lost} Corrected: (R-1 - chance) / (1 - chance). Intervals over groups.",
    )


def _scores(queries: Sequence[GroupQuery]) -> dict[str, Any]:
    rank1 = float(np.mean([query.hit for query in queries]))
    chance = float(np.mean([query.chance for query in queries]))
    return {"queries": len(queries), "rank1": rank1, "chance": chance, "corrected": corrected(rank1, chance)}


def _sums(queries: Sequence[GroupQuery]) -> NDArray[np.float64]:
    """Return (groups, 3): how many queries count, how many hit, and the sum of their chances."""
    groups = {name: at for at, name in enumerate(sorted({query.group for query in queries}))}
    sums = np.zeros((len(groups), 3))
    for query in queries:
        sums[groups[query.group]] += (1.0, query.hit, query.chance)
    return sums


def _rank1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    rank1: NDArray[np.float64] = sums[:, 1] / sums[:, 0]  # every group has a counted query
    return rank1


def _corrected(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return beyond(sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0])
