"""Scenario `any-to-any`: every subset of the modalities as query against every subset as gallery.

Each subset is embedded once; a cell of the grid is a ranking of vectors that are there already. What a
modality adds is averaged over pairs of cells that differ by it alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation
from nextreid.evaluation.ranking import METRIC_NAMES
from nextreid.evaluation.results.report_entries import metrics_entry
from nextreid.evaluation.scenarios.grid_section import section
from nextreid.evaluation.scenarios.scenario import ScenarioContext
from nextreid.evaluation.scenarios.subsets import Names, Subsets, check
from nextreid.evaluation.statistics import mean_intervals
from nextreid.progress import Progress, Silent

__all__ = ["Cell", "Grid", "ModalityGain", "any_to_any", "check", "run", "section"]

Side = Literal["query", "gallery", "both"]

_GAIN_METRICS = ("mAP", "rank1")


@dataclass(frozen=True, eq=False)
class Cell:
    """One query subset against one gallery subset.

    Attributes:
        query, gallery: the modalities shown.
        evaluation: of the observations that have any of them; None where nothing could be scored.
        left_out: how many observations take part on neither side.
        reason: why nothing could be scored, else "".
    """

    query: Names
    gallery: Names
    evaluation: Evaluation | None
    left_out: int
    reason: str = ""


@dataclass(frozen=True)
class ModalityGain:
    """What showing one modality more adds, on the same queries and gallery entries.

    Attributes:
        modality: which.
        side: where it is added.
        other: what the other side shows; None: averaged over all that it can show.
        pairs: how many pairs of cells the average is over.
        queries: how many queries.
        difference: metric (mAP, rank1) -> with it minus without.
        interval: metric -> 95 % percentile interval over queries; empty without bootstrap.
    """

    modality: str
    side: Side
    other: Names | None
    pairs: int
    queries: int
    difference: Mapping[str, float]
    interval: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Grid:
    """The whole grid.

    Attributes:
        modalities: of the split.
        cells: S x S, by query subset, then gallery subset; smaller subsets first.
        gains: per modality and side, on average and for each subset of the other side.
    """

    modalities: Names
    cells: tuple[Cell, ...]
    gains: tuple[ModalityGain, ...]


def any_to_any(subsets: Subsets, *, full: Evaluation, progress: Progress | None = None) -> Grid:
    """Score the grid.

    Args:
        subsets: queries, gallery and vectors.
        full: the evaluation with everything shown; its protocol, metric, bootstrap and seed are used.
        progress: one step per cell.
    """
    shown = sorted(subsets.every, key=len)
    scorer = _Scorer(subsets, full)
    cells = []
    with (progress or Silent()).task("any to any", len(shown) ** 2) as task:
        for query in shown:
            for gallery in shown:
                cells.append(scorer.cell(query, gallery))
                task.advance()
    gains = [gain for name in subsets.modalities for gain in _gains(scorer, shown, name)]
    return Grid(subsets.modalities, tuple(cells), tuple(gains))


def run(context: ScenarioContext) -> dict[str, Any]:
    """Run the scenario and return its entry of results.json.

    Raises:
        NotPossibleError: nothing to leave out, or a subset without embeddings.
    """
    subsets = Subsets.of(context.embeddings, context.manifest, split=context.split)
    return entry(any_to_any(subsets, full=context.full, progress=context.progress))


def entry(grid: Grid) -> dict[str, Any]:
    """Return plain values for results.json."""
    return {
        "modalities": list(grid.modalities),
        "cells": [
            {
                "query": list(cell.query),
                "gallery": list(cell.gallery),
                "metrics": metrics_entry(cell.evaluation) if cell.evaluation else None,
                "queries": asdict(cell.evaluation.counts) if cell.evaluation else None,
                "left_out": cell.left_out,
                "reason": cell.reason or None,
            }
            for cell in grid.cells
        ],
        "gains": [
            {
                "modality": gain.modality,
                "side": gain.side,
                "other": list(gain.other) if gain.other else None,
                "pairs": gain.pairs,
                "queries": gain.queries,
                **{
                    name: {
                        "difference": gain.difference[name],
                        "interval": list(gain.interval.get(name, ())) or None,
                    }
                    for name in gain.difference
                },
            }
            for gain in grid.gains
        ],
    }


@dataclass(eq=False)
class _Scorer:
    """Ranks what was not ranked before."""

    subsets: Subsets
    full: Evaluation
    known: dict[tuple[Names, Names, bytes, bytes], Cell] = field(default_factory=dict)

    def cell(
        self,
        query: Names,
        gallery: Names,
        *,
        have_query: Names | None = None,
        have_gallery: Names | None = None,
    ) -> Cell:
        """Return a cell, among the queries and entries that have any of the given modalities.

        Args:
            query, gallery: what is shown.
            have_query, have_gallery: what an observation needs to take part; None: any of what is shown.
        """
        q = self.subsets.queries_with(have_query or query)
        g = self.subsets.gallery_with(have_gallery or gallery)
        key = (query, gallery, q.tobytes(), g.tobytes())
        if key not in self.known:
            self.known[key] = self._score(query, gallery, q, g)
        return self.known[key]

    def outcome(self, cell: Cell, have_query: Names) -> NDArray[np.float64]:
        """Return (Q,2): AP and Rank-1 of every query; NaN where it is not scored."""
        scores = np.full((len(self.subsets.queries), 2), np.nan)
        if cell.evaluation is not None:
            columns = [METRIC_NAMES.index(name) for name in _GAIN_METRICS]
            scores[self.subsets.queries_with(have_query)] = cell.evaluation.per_query.values[:, columns]
        return scores

    def _score(self, query: Names, gallery: Names, q: NDArray[np.bool_], g: NDArray[np.bool_]) -> Cell:
        left_out = self.subsets.left_out(q, g)
        whole = self.subsets.modalities
        if query == whole == gallery and q.all() and g.all():
            return Cell(query, gallery, self.full, left_out)
        try:
            scored = self.subsets.score(
                self.subsets.vectors(query),
                self.subsets.vectors(gallery),
                like=self.full,
                some_queries=q,
                some_gallery=g,
            )
        except InputError as error:
            return Cell(query, gallery, None, left_out, reason=str(error))
        return Cell(query, gallery, scored, left_out)


def _gains(scorer: _Scorer, shown: list[Names], modality: str) -> list[ModalityGain]:
    """Return what one modality adds on each side."""
    order = scorer.subsets.modalities
    without = [names for names in shown if modality not in names]

    def added(names: Names) -> Names:
        return tuple(name for name in order if name in names or name == modality)

    def difference(few: tuple[Names, Names], more: tuple[Names, Names]) -> NDArray[np.float64]:
        """(Q,2): more minus few, both among the observations that have any of the few."""
        having = {"have_query": few[0], "have_gallery": few[1]}
        pair = [
            scorer.outcome(scorer.cell(*side, **having), few[0])  # the same queries in both
            for side in (more, few)
        ]
        return pair[0] - pair[1]

    found = []
    for side in ("query", "gallery"):
        by_other = {}
        for other in shown:
            by_other[other] = [
                difference((names, other), (added(names), other))
                if side == "query"
                else difference((other, names), (other, added(names)))
                for names in without
            ]
        pooled = [values for several in by_other.values() for values in several]
        for fixed, values in ((None, pooled), *by_other.items()):
            found.append(_averaged(modality, side, fixed, values, scorer.full))
    both = [difference((names, names), (added(names), added(names))) for names in without]
    found.append(_averaged(modality, "both", None, both, scorer.full))
    return [gain for gain in found if gain.queries]


def _averaged(
    modality: str, side: Side, other: Names | None, values: list[NDArray[np.float64]], full: Evaluation
) -> ModalityGain:
    """Average over pairs per query, then over queries; a query counts where a pair scored it twice."""
    stacked = np.stack(values)  # (pairs, Q, 2)
    scored = ~np.isnan(stacked[..., 0])
    some = scored.any(axis=0)  # (Q,)
    mean = np.nansum(stacked[:, some], axis=0) / np.maximum(scored[:, some].sum(axis=0), 1)[:, None]
    intervals: tuple[tuple[float, float], ...] = ()
    if full.bootstrap and some.any():
        intervals = mean_intervals(mean, samples=full.bootstrap, seed=full.seed)
    return ModalityGain(
        modality=modality,
        side=side,
        other=other,
        pairs=int(scored.any(axis=1).sum()),
        queries=int(some.sum()),
        difference=dict(zip(_GAIN_METRICS, mean.mean(axis=0).tolist(), strict=True)) if some.any() else {},
        interval=dict(zip(_GAIN_METRICS, intervals, strict=False)),
    )
