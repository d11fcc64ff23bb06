"""Scenario `missing`: M(X), the modalities X absent in query and gallery alike."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextreid.data.manifest import Manifest
from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation
from nextreid.evaluation.results.report_entries import gains_entry, metrics_entry
from nextreid.evaluation.results.report_section import Section, gain_table
from nextreid.evaluation.scenarios.scenario import ScenarioContext
from nextreid.evaluation.scenarios.subsets import Names, Subsets, check
from nextreid.evaluation.statistics import PairedDifference, paired_differences
from nextreid.progress import Progress, Silent

__all__ = ["MissingRow", "check", "missing_entry", "missing_modalities", "run", "section"]


@dataclass(frozen=True, eq=False)
class MissingRow:
    """One line of the scenario.

    Attributes:
        absent, shown: modality names; together the modalities of the split.
        evaluation: with only `shown`; None where nothing could be scored.
        gain: metric -> the full set minus this row, on this row's queries and gallery. Observations
            that have none of `shown` are in neither; the full set is scored without them, too.
        left_out: how many queries and gallery observations have none of `shown`.
        reason: why nothing could be scored, else "".
    """

    absent: Names
    shown: Names
    evaluation: Evaluation | None
    gain: Mapping[str, PairedDifference]
    left_out: int
    reason: str = ""

    @property
    def name(self) -> str:
        """M(X), with X joined by +."""
        return f"M({'+'.join(self.absent)})"

    def entry(self) -> dict[str, Any]:
        """Return plain values for results.json."""
        return {
            "name": self.name,
            "absent": list(self.absent),
            "shown": list(self.shown),
            "left_out": self.left_out,
            "metrics": metrics_entry(self.evaluation) if self.evaluation else None,
            "queries": asdict(self.evaluation.counts) if self.evaluation else None,
            "gain": gains_entry(self.gain),
            "reason": self.reason or None,
        }


def missing_modalities(
    embeddings: Embeddings,
    manifest: Manifest,
    *,
    full: Evaluation,
    split: str = "test",
    progress: Progress | None = None,
) -> tuple[MissingRow, ...]:
    """Score every non-empty proper subset of the modalities, from `embedding/<subset>`.

    Args:
        embeddings: with a subset for each; the full set is `embedding` itself.
        manifest: the whole data set.
        full: the evaluation with everything shown; its protocol, metric, bootstrap and seed are used.
        split: as for the full evaluation.
        progress: one step per subset.

    Returns:
        One row per subset, most modalities first.

    Raises:
        InputError: a subset has no embeddings, or its all-zero rows are not exactly the
            observations that have none of its modalities.
    """
    subsets = Subsets.of(embeddings, manifest, split=split)
    rows = []
    with (progress or Silent()).task("missing modalities", len(subsets.every) - 1) as task:
        for shown in subsets.every[1:]:
            rows.append(_score_subset(subsets, shown, full))
            task.advance()
    return tuple(rows)


def missing_entry(rows: tuple[MissingRow, ...]) -> dict[str, Any]:
    """Return the scenario's entry of results.json."""
    return {"rows": [row.entry() for row in rows]}


def run(context: ScenarioContext) -> dict[str, Any]:
    """Run the scenario and return its entry of results.json."""
    return missing_entry(
        missing_modalities(
            context.embeddings,
            context.manifest,
            full=context.full,
            split=context.split,
            progress=context.progress,
        )
    )


def section(entry: Mapping[str, Any]) -> Section:
    """Show the scenario's entry."""
    rows = entry["rows"]
    scores = [(row["name"], row["metrics"] or {}) for row in rows]
    if all(metrics for _, metrics in scores):  # the mean that papers give beside the rows
        names = [name for name in scores[0][1] if not name.endswith("_ci")]
        mean = {name: sum(metrics[name] for _, metrics in scores) / len(scores) for name in names}
        scores.append((f"M(average of {len(rows)})", mean))
    return Section(
        title="Missing modalities",
        scores=tuple(scores),
        tables=(gain_table((f"minus {row['name']}", row["gain"]) for row in rows),),
        text="M(X): the modalities X are absent in query and gallery alike; a gain above zero is what "
        "they add.",
    )


def _score_subset(subsets: Subsets, shown: Names, full: Evaluation) -> MissingRow:
    queries, gallery = subsets.queries_with(shown), subsets.gallery_with(shown)
    left_out = subsets.left_out(queries, gallery)
    absent = tuple(name for name in subsets.modalities if name not in shown)

    def score(vectors: NDArray[np.float32]) -> Evaluation:
        return subsets.score(vectors, vectors, like=full, some_queries=queries, some_gallery=gallery)

    try:
        this = score(subsets.vectors(shown))
    except InputError as error:
        return MissingRow(absent, shown, evaluation=None, gain={}, left_out=left_out, reason=str(error))
    whole = score(subsets.vectors(subsets.modalities)) if left_out else full
    gain = (
        paired_differences(whole.ranking, this.ranking, samples=full.bootstrap, seed=full.seed)
        if full.bootstrap
        else {}
    )
    return MissingRow(absent, shown, evaluation=this, gain=gain, left_out=left_out)
