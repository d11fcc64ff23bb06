"""What `nextreid evaluate` adds to a plain score: re-ranking, and same-or-not at fixed error rates."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.terminal import Terminal
from nextreid.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from nextreid.data.manifest import Manifest
    from nextreid.embedding.embeddings import Embeddings
    from nextreid.embedding.reranking import RerankSettings
    from nextreid.evaluation.evaluate import Evaluation
    from nextreid.evaluation.scenarios.scenario import ScenarioContext
    from nextreid.progress import Progress

USUAL = "20,6,0.3"
"""The authors' k1, k2 and weight."""


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
) -> dict[str, Any]:
    """Return the entries of results.json that stand beside the plain score: `verification`, `reranked`.

    The memory that re-ranking takes is said before it starts.
    """
    from nextreid.embedding.reranking import memory_estimate

    entries = {"verification": _verification(evaluation, embeddings, manifest, terminal.progress)}
    if settings is None:
        return entries
    trial = evaluation.trials[0].trial
    sizes = len(trial.queries), len(trial.gallery)
    needed = memory_estimate(*sizes, embeddings.vectors.shape[1], settings=settings)
    terminal.remark(
        f"re-ranking {sizes[0]} queries and {sizes[1]} gallery entries takes about "
        f"{max(1, round(needed / 2**20))} MB"
    )
    entries["reranked"] = _reranked(evaluation, embeddings, manifest, settings, terminal.progress)
    return entries


def beside_again(results: Path) -> "Mapping[str, Callable[[ScenarioContext], Mapping[str, Any]]]":
    """Return what computes these entries again, with the settings that a results file names.

    Raises:
        InputError: it is no results file.
    """
    from nextreid.embedding.reranking import RerankSettings
    from nextreid.evaluation.results.report import read_results

    written = read_results(results).get("reranked") or {}

    def verification(context: "ScenarioContext") -> Mapping[str, Any]:
        return _verification(context.full, context.embeddings, context.manifest, context.progress)

    def reranked(context: "ScenarioContext") -> Mapping[str, Any]:
        try:
            numbers = {name: written["settings"][name] for name in ("k1", "k2", "weight")}
            settings = RerankSettings(**numbers)
        except (KeyError, TypeError) as error:
            raise InputError(f"{results} does not say how it was re-ranked: {error}") from error
        return _reranked(context.full, context.embeddings, context.manifest, settings, context.progress)

    return {"verification": verification, "reranked": reranked}


def _verification(
    evaluation: "Evaluation", embeddings: "Embeddings", manifest: "Manifest", progress: "Progress"
) -> dict[str, Any]:
    from nextreid.evaluation.accept_rates import accept_entry, accept_rates

    queries, gallery = _vectors(evaluation, embeddings, manifest)
    return accept_entry(accept_rates(evaluation, queries, gallery, progress=progress))


def _reranked(
    evaluation: "Evaluation",
    embeddings: "Embeddings",
    manifest: "Manifest",
    settings: "RerankSettings",
    progress: "Progress",
) -> dict[str, Any]:
    from nextreid.evaluation.reranked import evaluate_reranked, reranked_entry

    queries, gallery = _vectors(evaluation, embeddings, manifest)
    found = evaluate_reranked(evaluation, queries, gallery, settings=settings, progress=progress)
    return reranked_entry(evaluation, found, settings)


def _vectors(
    evaluation: "Evaluation", embeddings: "Embeddings", manifest: "Manifest"
) -> tuple["np.ndarray", "np.ndarray"]:
    """Return the vectors that the trials of the evaluation choose their queries and galleries from."""
    from nextreid.evaluation.evaluate import query_and_gallery

    queries, gallery = query_and_gallery(embeddings, manifest, protocol=evaluation.protocol)
    return (
        embeddings.vectors[embeddings.rows([row.observation for row in queries])],
        embeddings.vectors[embeddings.rows([row.observation for row in gallery])],
    )
