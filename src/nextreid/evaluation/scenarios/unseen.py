"""Scenario `unseen`: a modality that the model was not trained with, as query and as gallery.

A run leaves it out with `--data.modalities`; at test it enters as an unknown one. The headline is the error
of the modality against itself. Strictly unseen it is only where the backbone was made without it, too.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation
from nextreid.evaluation.results.report_entries import metrics_entry
from nextreid.evaluation.results.report_section import Section, Table, percent
from nextreid.evaluation.scenarios.scenario import NotPossibleError, ScenarioContext, ScenarioInputs
from nextreid.evaluation.scenarios.subsets import Names, Subsets, modalities_of
from nextreid.progress import Progress, Silent

if TYPE_CHECKING:
    from nextreid.embedding.embedder import NextReID


@dataclass(frozen=True, eq=False)
class UnseenRow:
    """One pair of sides.

    Attributes:
        query, gallery: the modalities shown.
        evaluation: None where nothing could be scored.
        reason: why, else "".
    """

    query: Names
    gallery: Names
    evaluation: Evaluation | None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Unseen:
    """One modality that the model was not trained with.

    Attributes:
        modality: which.
        rows: it against itself (the headline), against the others, the others against it, and the others
            against themselves, to compare with.
    """

    modality: str
    rows: tuple[UnseenRow, ...]


def unseen_modality(
    subsets: Subsets, modality: str, trained: Names, *, full: Evaluation, progress: Progress | None = None
) -> Unseen:
    """Score one modality that the model was not trained with.

    Args:
        subsets: queries, gallery and vectors.
        modality: the unseen one.
        trained: the modalities of the split that it was trained with.
        full: whose protocol, metric, bootstrap and seed are used.
        progress: one step per pair.
    """
    alone: Names = (modality,)
    rows = []
    with (progress or Silent()).task(f"unseen {modality}", 4) as task:
        for query, gallery in ((alone, alone), (alone, trained), (trained, alone), (trained, trained)):
            rows.append(_score(subsets, query, gallery, full))
            task.advance()
    return Unseen(modality, tuple(rows))


def check(inputs: ScenarioInputs) -> None:
    """Refuse a model and data without an unseen modality, before anything is embedded.

    Raises:
        NotPossibleError: as `run`, but for subsets without embeddings.
    """
    _sides(inputs, tuple(_model_of(inputs).modalities))


def run(context: ScenarioContext) -> dict[str, Any]:
    """Run the scenario for every modality of the data that the model was not trained with.

    Raises:
        NotPossibleError: embeddings from a file, a model trained with all of them or with none.
    """
    model = _model_of(context)
    saw = model.pretrained.backbone_saw
    backbone = {
        "name": model.pretrained.notes.get("backbone"),
        "saw": None if saw is None else list(saw),
    }
    return run_as_trained(context, known=tuple(model.modalities), backbone=backbone)


def again(context: ScenarioContext, written: Mapping[str, Any]) -> dict[str, Any]:
    """Run the scenario without the model, by what an entry of results.json says of its training.

    Raises:
        InputError: the entry does not say it.
    """
    try:
        known, backbone = tuple(written["trained_with"]), dict(written["backbone"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The scenario `unseen` does not say what the model was trained with: {error}"
        ) from error
    return run_as_trained(context, known=known, backbone=backbone)


def run_as_trained(context: ScenarioContext, *, known: Names, backbone: Mapping[str, Any]) -> dict[str, Any]:
    """Run the scenario for a model that was trained with these modalities.

    Args:
        context: of the run.
        known: the modalities the model was trained with.
        backbone: its name, and the modalities it `saw` when it was made (None: not known).

    Raises:
        NotPossibleError: trained with all of the data's modalities, or with none.
    """
    strange, trained = _sides(context, known)
    subsets = Subsets.of(context.embeddings, context.manifest, split=context.split)
    saw = backbone.get("saw")
    found = [
        unseen_modality(subsets, name, trained, full=context.full, progress=context.progress)
        for name in strange
    ]
    return {
        "trained_with": list(known),
        "backbone": dict(backbone),
        "modalities": [entry(one, strictly=saw is not None and one.modality not in saw) for one in found],
    }


def entry(unseen: Unseen, *, strictly: bool) -> dict[str, Any]:
    """Return plain values for results.json.

    Args:
        unseen: the scores.
        strictly: whether the backbone is known to have been made without the modality, too.
    """
    headline = unseen.rows[0].evaluation
    return {
        "modality": unseen.modality,
        "strictly_unseen": strictly,
        "error": None if headline is None else 1.0 - headline.metrics["mAP"],
        "rows": [
            {
                "query": list(row.query),
                "gallery": list(row.gallery),
                "error": None if row.evaluation is None else 1.0 - row.evaluation.metrics["mAP"],
                "metrics": metrics_entry(row.evaluation) if row.evaluation else None,
                "chance": dict(row.evaluation.chance) if row.evaluation else None,
                "queries": asdict(row.evaluation.counts) if row.evaluation else None,
                "reason": row.reason or None,
            }
            for row in unseen.rows
        ],
    }


def section(entry: Mapping[str, Any]) -> Section:
    """Show the scenario's entry."""
    backbone = entry["backbone"]
    scores, rows, words = [], [], []
    for one in entry["modalities"]:
        for row in one["rows"]:
            name = f"{'+'.join(row['query'])} against {'+'.join(row['gallery'])}"
            scores.append((f"unseen {one['modality']}: {name}", row["metrics"] or {}))
            chance = row["chance"] or {}
            rows.append((name, percent(row["error"]), percent(1 - chance["mAP"] if chance else None)))
        strictly = "strictly unseen" if one["strictly_unseen"] else "not strictly unseen"
        words.append(f"`{one['modality']}` is {strictly}.")
    saw = "not known" if backbone["saw"] is None else ", ".join(backbone["saw"]) or "nothing (random weights)"
    return Section(
        title="Unseen modality",
        scores=tuple(scores),
        tables=(
            Table(("query against gallery", "error", "of a random order"), tuple(rows), "Error, 1 - mAP"),
        ),
        text=f"The model was trained with {', '.join(entry['trained_with'])}; its backbone saw: {saw}. "
        + " ".join(words),
    )


def _model_of(inputs: ScenarioInputs) -> "NextReID":
    if inputs.model is None:
        raise NotPossibleError(
            "Embeddings from a file do not say what the model was trained with", do="give --model instead"
        )
    return inputs.model


def _sides(inputs: ScenarioInputs, known: Names) -> tuple[Names, Names]:
    """Return the modalities of the data that a model was not, and that it was, trained with."""
    modalities = modalities_of(inputs.manifest, split=inputs.split)
    strange = tuple(name for name in modalities if name not in known)
    trained = tuple(name for name in modalities if name in known)
    if not strange:
        raise NotPossibleError(
            f"The model was trained with every modality of {inputs.manifest.source}: {', '.join(known)}",
            do="train one without: `nextreid train --data.modalities`, naming the others",
        )
    if not trained:
        raise NotPossibleError(
            f"{inputs.manifest.source} has no modality that the model was trained with",
            allowed=f"at least one of {', '.join(known)}",
        )
    return strange, trained


def _score(subsets: Subsets, query: Names, gallery: Names, full: Evaluation) -> UnseenRow:
    try:
        scored = subsets.score(
            subsets.vectors(query),
            subsets.vectors(gallery),
            like=full,
            some_queries=subsets.queries_with(query),
            some_gallery=subsets.gallery_with(gallery),
        )
    except InputError as error:
        return UnseenRow(query, gallery, None, str(error))
    return UnseenRow(query, gallery, scored)
