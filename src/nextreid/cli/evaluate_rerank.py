"""What `nextreid evaluate` adds to a plain score: re-ranking, and same-or-not at fixed error rates."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nextreid.cli.terminal import Terminal
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.data.manifest import Manifest
    from nextreid.embedding.embeddings import Embeddings
    from nextreid.embedding.reranking import RerankSettings
    from nextreid.evaluation.evaluate import Evaluation

USUAL = "20,6,0.3"
"""The authors' k1, k2 and weight."""


@dataclass(frozen=True)
class Beside:
    """What stands beside the plain score in results.json.

    Attributes:
        verification: its entry of that name.
        reranked: its entry of that name; None where it was not asked for.
    """

    verification: dict[str, Any]
    reranked: dict[str, Any] | None


def add_rerank_option(parser: argparse.ArgumentParser) -> None:
    """Add --rerank."""
    parser.add_argument(
        "--rerank",
        metavar="K1,K2,WEIGHT",
        nargs="?",
        const=USUAL,
        help="also score the gallery re-ranked by k-reciprocal neighbours, beside the plain score "
        f"(without numbers: {USUAL})",
    )


def rerank_settings(text: str | None) -> "RerankSettings | None":
    """Read the option.

    Raises:
        InputError: not three numbers, or one out of its range.
    """
    if text is None:
        return None
    from nextreid.embedding.reranking import RerankSettings

    try:
        k1, k2, weight = text.split(",")
        return RerankSettings(k1=int(k1), k2=int(k2), weight=float(weight))
    except ValueError as error:
        raise InputError(f"--rerank {text}", allowed=f"nothing, or K1,K2,WEIGHT such as {USUAL}") from error


def beside(
    evaluation: "Evaluation",
    embeddings: "Embeddings",
    manifest: "Manifest",
    *,
    settings: "RerankSettings | None",
    terminal: Terminal,
) -> Beside:
    """Score what stands beside the plain score; the memory that re-ranking takes is said first."""
    from nextreid.embedding.reranking import memory_estimate
    from nextreid.evaluation.accept_rates import accept_entry, accept_rates
    from nextreid.evaluation.evaluate import query_and_gallery
    from nextreid.evaluation.reranked import evaluate_reranked, reranked_entry

    rows = query_and_gallery(embeddings, manifest, protocol=evaluation.protocol)
    queries, gallery = (
        embeddings.vectors[embeddings.rows([row.observation for row in side])] for side in rows
    )
    verification = accept_entry(accept_rates(evaluation, queries, gallery, progress=terminal.progress))
    if settings is None:
        return Beside(verification, None)
    trial = evaluation.trials[0].trial
    sizes = len(trial.queries), len(trial.gallery)
    needed = memory_estimate(*sizes, queries.shape[1], settings=settings)
    terminal.remark(
        f"re-ranking {sizes[0]} queries and {sizes[1]} gallery entries takes about "
        f"{max(1, round(needed / 2**20))} MB"
    )
    found = evaluate_reranked(evaluation, queries, gallery, settings=settings, progress=terminal.progress)
    return Beside(verification, reranked_entry(evaluation, found, settings))
