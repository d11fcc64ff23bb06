"""Scenario `text`: captions as queries, images as gallery.

Two questions. Whose caption is it: the caption of an observation is the query, a hit is an image of its
identity that the protocol keeps. And is it true: a single sentence is the query, a hit is any observation of
which it is true; this needs a synthetic world's truth. Images are read without captions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nextreid.attributes.recovery import Recovery
from nextreid.attributes.schema import Schema
from nextreid.captions.sentences import Captions
from nextreid.data.manifest import Row
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation, evaluate_rows, query_and_gallery
from nextreid.evaluation.probe.questions import Questions, questions_from_truth
from nextreid.evaluation.probe.retrieval import SENTENCES, retrieval_score
from nextreid.evaluation.probe.truth import HIDDEN, WorldTruth, read_truth
from nextreid.evaluation.results.report_entries import metrics_entry
from nextreid.evaluation.results.report_section import Section
from nextreid.evaluation.scenarios.scenario import NotPossibleError, ScenarioContext, ScenarioInputs
from nextreid.seeding import numpy_generator

if TYPE_CHECKING:
    from nextreid.embedding.embedder import NextReID


def check(inputs: ScenarioInputs) -> None:
    """Refuse data with neither captions nor truth, before anything is embedded.

    Raises:
        NotPossibleError: that, or embeddings from a file.
    """
    _asked(inputs)


def run(context: ScenarioContext) -> dict[str, Any]:
    """Run the scenario and return its entry of results.json.

    Raises:
        NotPossibleError: embeddings from a file, or neither captions nor truth.
    """
    model, told, truth = _asked(context)
    queries, gallery = query_and_gallery(context.embeddings, context.manifest, split=context.split)
    images = model.embed_for_words(
        [row.to_observation() for row in gallery], batch_size=context.batch_size, progress=context.progress
    ).vectors
    words = _Words(model, told)
    return {
        "captions": context.captions.source,
        "from_truth": context.captions.from_truth,
        "identity": _by_identity(queries, gallery, images, words, context.full),
        "true": None
        if truth is None
        else _by_truth(
            gallery, images, model, _questions(truth, gallery, words, context.full.seed), context.full
        ),
    }


def texts_of(captions: Captions, row: Row, groups: frozenset[str]) -> tuple[str, ...]:
    """Return the distinct sentences about an observation's identity, in order.

    Args:
        captions: of the data set.
        row: the observation.
        groups: attribute groups that tell of the identity; light and image quality do not.
    """
    sentences = captions.sentences(row.observation)
    return tuple(dict.fromkeys(sentence.text for sentence in sentences if sentence.group in groups))


def section(entry: Mapping[str, Any]) -> Section:
    """Show the scenario's entry."""
    scores: list[tuple[str, Mapping[str, Any]]] = []
    identity, true = entry["identity"], entry["true"]
    if identity["metrics"]:
        scores += [
            ("captions to images", identity["metrics"]),
            ("chance, captions to images", identity["chance"]),
        ]
        if identity["words_alone"]:
            scores.append(("captions to captions, no image", identity["words_alone"]))
    if true:
        scores += [
            ("sentences to images they are true of", true["metrics"]),
            ("chance, sentences to images", true["chance"]),
        ]
    text = f"Captions: {entry['captions']}."
    if entry["from_truth"]:
        text += " They were written from the world's truth: they describe the answer."
    if identity["reason"]:
        text += f" No captions as queries: {identity['reason']}"
    return Section("Words to images", scores=tuple(scores), text=text)


def _asked(inputs: ScenarioInputs) -> "tuple[NextReID, dict[str, tuple[str, ...]], WorldTruth | None]":
    """Return the model, observation -> its sentences, and the truth, where there is one."""
    model = inputs.model
    if model is None:
        raise NotPossibleError(
            "Embeddings from a file cannot be asked for words: they are not in the space of sentences",
            do="give --model instead",
        )
    schema = Schema.from_dict(model.pretrained.architecture.schema)
    groups = frozenset(group.name for group in schema.identity_groups)
    rows = [row for row in inputs.manifest.rows if row.split == inputs.split]
    told = {row.observation: texts_of(inputs.captions, row, groups) for row in rows}
    truth = read_truth(inputs.manifest, schema)
    if truth is None and not any(told[row.observation] for row in rows if row.is_query):
        raise NotPossibleError(
            f"No query of {inputs.manifest.source} has a caption (captions: {inputs.captions.source})",
            do="name some with --captions",
        )
    return model, told, truth


class _Words:
    """Captions as vectors: each distinct sentence is read once, a caption is the mean of its sentences."""

    def __init__(self, model: "NextReID", told: Mapping[str, Sequence[str]]) -> None:
        self.told = told
        self.texts = tuple(sorted({text for texts in told.values() for text in texts}))
        self._place = {text: at for at, text in enumerate(self.texts)}
        self._vectors = model.embed_words(self.texts) if self.texts else np.zeros((0, 1), np.float32)

    def vectors(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Return (n,D) normalised, of rows that all have a caption."""
        means = np.stack(
            [
                self._vectors[[self._place[text] for text in self.told[row.observation]]].mean(axis=0)
                for row in rows
            ]
        )
        normal: NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return normal


def _by_identity(
    queries: Sequence[Row],
    gallery: Sequence[Row],
    images: NDArray[np.float32],
    words: _Words,
    full: Evaluation,
) -> dict[str, Any]:
    """Score captions as queries, under the protocol."""
    asked = [row for row in queries if words.told[row.observation]]
    found: dict[str, Any] = {
        "metrics": None,
        "chance": None,
        "queries": None,
        "words_alone": None,
        "without_caption": len(queries) - len(asked),
        "reason": None,
    }
    if not asked:
        return found | {"reason": "no query has a caption."}

    def score(vectors: NDArray[np.float32]) -> Evaluation:
        return evaluate_rows(
            words.vectors(asked),
            vectors,
            asked,
            gallery,
            protocol=full.protocol,
            bootstrap=full.bootstrap,
            seed=full.seed,
        )

    try:
        scored = score(images)
    except InputError as error:
        return found | {"reason": str(error)}
    told = all(words.told[row.observation] for row in gallery)
    return found | {
        "metrics": metrics_entry(scored),
        "chance": dict(scored.chance),
        "queries": asdict(scored.counts),
        "words_alone": metrics_entry(score(words.vectors(gallery))) if told else None,
    }


def _questions(truth: WorldTruth, gallery: Sequence[Row], words: _Words, seed: int) -> Questions:
    """Return sentences to ask and of which entries each is true; from captions where there are any."""
    codes = _shown_in_any(truth, gallery)
    if not words.texts:
        return questions_from_truth(
            truth.schema, codes, SENTENCES, numpy_generator(seed, "text", "questions")
        )
    drawn = numpy_generator(seed, "text", "questions").permutation(len(words.texts))
    recovery = Recovery(truth.schema)
    column = {attribute.name: (a, attribute.values) for a, attribute in enumerate(truth.schema.attributes)}
    texts, true = [], []
    for at in drawn.tolist():
        stated = recovery.read(words.texts[at]).values
        fits = np.ones(len(gallery), dtype=bool)
        for name, value in stated.items():
            a, values = column[name]
            fits &= codes[:, a] == values.index(value)
        if stated and fits.any() and not fits.all():
            texts.append(words.texts[at])
            true.append(fits)
        if len(texts) == SENTENCES:
            break
    return Questions(tuple(texts), np.array(true, dtype=bool).reshape(len(texts), len(gallery)))


def _shown_in_any(truth: WorldTruth, rows: Sequence[Row]) -> NDArray[np.int16]:
    """Return (n,A): which value an observation shows in any of its images, `HIDDEN` where none shows it."""
    codes = np.full((len(rows), len(truth.schema.attributes)), HIDDEN, np.int16)
    for modality in truth.codes:
        here = np.array([modality in row.paths for row in rows], dtype=bool)
        shown = truth.shown(rows, modality)
        codes = np.where((codes == HIDDEN) & here[:, None], shown, codes)
    return codes


def _by_truth(
    gallery: Sequence[Row],
    images: NDArray[np.float32],
    model: "NextReID",
    questions: Questions,
    full: Evaluation,
) -> dict[str, Any] | None:
    """Score sentences as queries; a hit is an observation of which the sentence is true."""
    if not questions.texts:
        return None
    score = retrieval_score(
        model.embed_words(questions.texts) @ images.T,
        questions.true,
        direction="sentence-to-image",
        gallery="observations",
        samples=max(1, full.bootstrap),
        seed=full.seed,
    )
    if score is None:
        return None
    intervals = score.intervals if full.bootstrap else {}
    return {
        "queries": score.queries,
        "candidates": len(gallery),
        "metrics": dict(score.metrics) | {f"{name}_ci": list(pair) for name, pair in intervals.items()},
        "chance": dict(score.chance),
        "constant_rank1": score.constant,
    }
