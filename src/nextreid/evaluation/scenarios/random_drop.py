"""Scenario `random-drop`: each observation loses modalities at random, but never all.

Nothing is embedded for it: what is left of an observation is a subset, and every subset is embedded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextreid.data.manifest import Row
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation
from nextreid.evaluation.ranking import METRIC_NAMES
from nextreid.evaluation.results.report_section import Section, Table, percent, span
from nextreid.evaluation.scenarios.scenario import ScenarioContext
from nextreid.evaluation.scenarios.subsets import Names, Subsets, check
from nextreid.evaluation.statistics import mean_intervals
from nextreid.progress import Progress, Silent
from nextreid.seeding import numpy_generator

__all__ = ["DropRow", "check", "drop", "entry", "random_drop", "run", "section"]

RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of the curve. Ours: up to where most observations keep a single modality."""

DRAWS = 5
"""Draws a rate's scores are averaged over. Ours: one draw of a few hundred observations moves mAP by about
a point."""


@dataclass(frozen=True)
class DropRow:
    """One rate of the curve.

    Attributes:
        rate: chance that an image is dropped, 0..1, were it not the observation's last.
        dropped: share of the images that were, 0..1, on average.
        metrics: averaged over the draws.
        intervals: 95 %, over queries, of their means over the draws; empty without bootstrap.
        spread: standard deviation over the draws, by metric; of one draw 0.
    """

    rate: float
    dropped: float
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    spread: Mapping[str, float]


def random_drop(
    subsets: Subsets,
    *,
    full: Evaluation,
    rates: Sequence[float] = RATES,
    draws: int = DRAWS,
    progress: Progress | None = None,
) -> tuple[DropRow, ...]:
    """Score the curve. Query and gallery lose modalities alike; an observation in both loses the same.

    Args:
        subsets: queries, gallery and vectors.
        full: the evaluation with everything shown; its protocol, metric, bootstrap and seed are used.
        rates: each 0..1.
        draws: at least 1.
        progress: one step per draw and rate.

    Raises:
        InputError: a rate outside 0..1, or no draw.
    """
    if draws < 1 or not rates or not all(0 <= rate <= 1 for rate in rates):
        raise InputError(f"rates {list(rates)}, {draws} draws", allowed="rates from 0 to 1, one draw or more")
    rows = {row.observation: row for row in (*subsets.queries, *subsets.gallery)}
    ids = list(rows)
    at = subsets.embeddings.rows(ids)
    images = sum(len(row.paths) for row in rows.values())
    found = []
    with (progress or Silent()).task("random drop", len(rates) * draws) as task:
        for rate in rates:
            scores, lost = [], 0
            for draw in range(draws):
                kept = [drop(rows[name], rate, seed=full.seed, draw=draw) for name in ids]
                lost += images - sum(map(len, kept))
                vectors = _shown(subsets, [rows[name] for name in ids], kept, at)
                one = subsets.score(vectors, vectors, like=full, bootstrap=0)
                scores.append(one.per_query.scores())
                task.advance()
            found.append(_averaged(rate, lost / (images * draws), np.stack(scores), full))
    return tuple(found)


def drop(row: Row, rate: float, *, seed: int, draw: int) -> Names:
    """Return the modalities that an observation keeps: a function of the arguments alone.

    Every image has a number in 0..1 of its own, the same at all rates, and goes where it is below the
    rate; so what is dropped at one rate is dropped at every higher one. The highest number always stays.
    """
    present = tuple(sorted(row.paths))
    chance = numpy_generator(seed, "random-drop", draw, row.observation).random(len(present))
    last = int(np.argmax(chance))
    return tuple(name for at, name in enumerate(present) if chance[at] >= rate or at == last)


def run(context: ScenarioContext) -> dict[str, Any]:
    """Run the scenario and return its entry of results.json.

    Raises:
        NotPossibleError: nothing to drop, or a subset without embeddings.
    """
    subsets = Subsets.of(context.embeddings, context.manifest, split=context.split)
    return entry(random_drop(subsets, full=context.full, progress=context.progress), draws=DRAWS)


def entry(rows: Sequence[DropRow], *, draws: int) -> dict[str, Any]:
    """Return plain values for results.json."""
    return {
        "draws": draws,
        "rows": [
            {
                "rate": row.rate,
                "dropped": row.dropped,
                "metrics": dict(row.metrics)
                | {f"{name}_ci": list(interval) for name, interval in row.intervals.items()},
                "spread": dict(row.spread),
            }
            for row in rows
        ],
    }


def section(entry: Mapping[str, Any]) -> Section:
    """Show the scenario's entry."""
    rows = entry["rows"]
    curve = Table(
        ("rate", "images dropped", "mAP", "95 %", "between draws", "R-1", "95 %"),
        tuple(
            (
                f"{row['rate']:.1f}",
                percent(row["dropped"]),
                percent(row["metrics"]["mAP"]),
                span(row["metrics"].get("mAP_ci")),
                f"{100 * row['spread']['mAP']:.2f}",
                percent(row["metrics"]["rank1"]),
                span(row["metrics"].get("rank1_ci")),
            )
            for row in rows
        ),
        "Percent, by the chance that an image is dropped",
    )
    return Section(
        title="Modalities dropped at random",
        scores=tuple((f"dropped at rate {row['rate']:.1f}", row["metrics"]) for row in rows),
        tables=(curve,),
        text=f"Query and gallery images are dropped with the given chance, but an observation always keeps "
        f"one; means of {entry['draws']} draws, with their standard deviation.",
    )


def _shown(
    subsets: Subsets, rows: Sequence[Row], kept: Sequence[Names], at: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return (n,D): each observation's vector with what it keeps; the whole where it keeps everything."""
    vectors = np.array(subsets.embeddings.vectors)
    groups: dict[Names, list[int]] = {}
    for row, names, place in zip(rows, kept, at, strict=True):
        if len(names) < len(row.paths):
            groups.setdefault(names, []).append(int(place))
    for names, places in groups.items():
        vectors[places] = subsets.vectors(names)[places]
    return vectors


def _averaged(rate: float, dropped: float, scores: NDArray[np.float64], full: Evaluation) -> DropRow:
    """Average (draws, valid queries, metrics)."""
    each = scores.mean(axis=0)  # (valid queries, metrics)
    intervals = mean_intervals(each, samples=full.bootstrap, seed=full.seed) if full.bootstrap else ()
    spread = scores.mean(axis=1).std(axis=0, ddof=1 if len(scores) > 1 else 0)
    return DropRow(
        rate=rate,
        dropped=dropped,
        metrics=dict(zip(METRIC_NAMES, each.mean(axis=0).tolist(), strict=True)),
        intervals=dict(zip(METRIC_NAMES, intervals, strict=False)),
        spread=dict(zip(METRIC_NAMES, spread.tolist(), strict=True)),
    )
