"""Scenario `missing`: M(X), the modalities X absent in query and gallery alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nextreid.data.manifest import Manifest, Row
from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation, evaluate_rows, query_and_gallery
from nextreid.evaluation.statistics import PairedDifference, paired_differences
from nextreid.progress import Progress, Silent


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

    absent: tuple[str, ...]
    shown: tuple[str, ...]
    evaluation: Evaluation | None
    gain: Mapping[str, PairedDifference]
    left_out: int
    reason: str = ""

    @property
    def name(self) -> str:
        """M(X), with X joined by +."""
        return f"M({'+'.join(self.absent)})"


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
    queries, gallery = query_and_gallery(embeddings, manifest, split=split)
    present = {name for row in (*queries, *gallery) for name in row.paths}
    modalities = tuple(name for name in manifest.modalities if name in present)
    if len(modalities) < 2:
        raise InputError(
            f"{manifest.source} has only {', '.join(modalities)} in its {split} split",
            allowed="two modalities or more for the scenario `missing`",
        )
    subsets = [
        shown for size in range(len(modalities) - 1, 0, -1) for shown in combinations(modalities, size)
    ]
    rows = []
    with (progress or Silent()).task("missing modalities", len(subsets)) as task:
        for shown in subsets:
            rows.append(_score_subset(embeddings, queries, gallery, modalities, shown, full))
            task.advance()
    return tuple(rows)


def _score_subset(
    embeddings: Embeddings,
    queries: list[Row],
    gallery: list[Row],
    modalities: tuple[str, ...],
    shown: tuple[str, ...],
    full: Evaluation,
) -> MissingRow:
    vectors = embeddings.subset(shown)
    _check_zero_rows(embeddings, vectors, {row.observation: row for row in (*queries, *gallery)}, shown)
    some_queries = [row for row in queries if set(shown) & set(row.paths)]
    some_gallery = [row for row in gallery if set(shown) & set(row.paths)]
    absent = tuple(name for name in modalities if name not in shown)
    taking_part = {row.observation for row in (*some_queries, *some_gallery)}
    left_out = len({row.observation for row in (*queries, *gallery)} - taking_part)
    at_query = embeddings.rows([row.observation for row in some_queries])
    at_gallery = embeddings.rows([row.observation for row in some_gallery])
    try:
        full.protocol.match(some_queries, some_gallery)
    except InputError as error:
        return MissingRow(absent, shown, evaluation=None, gain={}, left_out=left_out, reason=str(error))

    def score(matrix: np.ndarray) -> Evaluation:
        return evaluate_rows(
            matrix[at_query],
            matrix[at_gallery],
            some_queries,
            some_gallery,
            protocol=full.protocol,
            metric=full.metric,
            bootstrap=full.bootstrap,
            seed=full.seed,
            top_k=full.ranking.top.shape[1],
        )

    this = score(vectors)
    whole = score(embeddings.vectors) if left_out else full
    gain = (
        paired_differences(whole.ranking, this.ranking, samples=full.bootstrap, seed=full.seed)
        if full.bootstrap
        else {}
    )
    return MissingRow(absent, shown, evaluation=this, gain=gain, left_out=left_out)


def _check_zero_rows(
    embeddings: Embeddings, vectors: np.ndarray, rows: Mapping[str, Row], shown: tuple[str, ...]
) -> None:
    ids = list(rows)
    empty = ~vectors[embeddings.rows(ids)].any(axis=1)
    lacking = np.array([not set(shown) & set(rows[name].paths) for name in ids])
    for wrong, what in (
        (empty & ~lacking, "is all zeros, though the manifest has an image of them"),
        (lacking & ~empty, "is not all zeros, though the manifest has no image of them"),
    ):
        if wrong.any():
            first = ids[int(np.argmax(wrong))]
            raise InputError(
                f"{embeddings.source}: `embedding/{'+'.join(shown)}` of {first!r} {what} "
                f"({int(wrong.sum())} observations)",
                do="embed this data set again with --modalities each-subset",
            )
