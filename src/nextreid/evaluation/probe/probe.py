"""The zero-shot probe: what a joint space of images and sentences knows before anything is trained on it.

One pass over the images of each modality; class vectors are kept, patch vectors are used and let go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.attributes.grammar import Grammar
from nextreid.attributes.prompts import prompt_vectors
from nextreid.data.manifest import Row
from nextreid.embedding.reader import TokenReader
from nextreid.errors import InputError
from nextreid.evaluation.probe.attributes import LEAST, AttributeScore, Cut, attribute_scores
from nextreid.evaluation.probe.data import ProbeData, Unmeasured, check_data, gaps
from nextreid.evaluation.probe.galleries import Gallery, mixed, retrieve
from nextreid.evaluation.probe.pointing import (
    Level,
    PartGrid,
    PointingScore,
    PointingTally,
    Target,
    best_positions,
    targets_of,
)
from nextreid.evaluation.probe.retrieval import GALLERY, MIXED, SENTENCES, RetrievalScore
from nextreid.evaluation.probe.truth import WorldTruth
from nextreid.progress import Progress


@dataclass(frozen=True)
class ProbeSettings:
    """How to probe.

    Attributes:
        least: images that must show a value for it to be scored.
        sentences: sentences asked of each gallery.
        gallery: images of each gallery, at most.
        seed: of galleries, sentences and resamples.

    Raises:
        InputError: a number below 1, or a gallery of fewer than two.
    """

    least: int = LEAST
    sentences: int = SENTENCES
    gallery: int = GALLERY
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.least < 1 or self.sentences < 1 or self.gallery < 2:
            raise InputError(
                f"least = {self.least}, sentences = {self.sentences}, gallery = {self.gallery}",
                allowed="1 or more; a gallery of 2 or more",
            )


@dataclass(frozen=True)
class Probe:
    """What was measured.

    Attributes:
        images: modality -> how many.
        attributes, retrieval, pointing: the scores.
        unmeasured: what is missing among them, and why.
    """

    images: Mapping[str, int]
    attributes: tuple[AttributeScore, ...]
    retrieval: tuple[RetrievalScore, ...]
    pointing: tuple[PointingScore, ...]
    unmeasured: tuple[Unmeasured, ...]


def probe(
    reader: TokenReader,
    data: ProbeData,
    modalities: Sequence[str],
    *,
    settings: ProbeSettings | None = None,
    progress: Progress | None = None,
) -> Probe:
    """Measure everything that the data allow.

    Args:
        reader: puts images and sentences into one space.
        data: observations with truth, captions, or neither.
        modalities: which images to look at.
        settings: how.
        progress: one step an image.

    Raises:
        InputError: a modality that no observation has, or neither truth nor captions.
        ImageError: an image or part mask that cannot be read.
    """
    settings = settings or ProbeSettings()
    check_data(data, modalities)
    attributes: list[AttributeScore] = []
    pointing: list[PointingScore] = []
    galleries: dict[str, Gallery] = {}
    prompts = prompt_vectors(data.schema, reader.sentences) if data.truth else {}
    for modality in modalities:
        rows = [row for row in data.rows if modality in row.paths]
        codes = data.truth.shown(rows, modality) if data.truth else None
        classes, tally = _look(reader, data, rows, codes, modality, prompts, progress)
        if data.truth is not None and codes is not None:
            for cut, chosen in _cuts(data.truth, rows).items():
                attributes += attribute_scores(
                    data.schema,
                    classes[chosen],
                    codes[chosen],
                    prompts,
                    modality=modality,
                    cut=cut,
                    least=settings.least,
                )
            pointing += tally.scores(_positions(reader.grid, data, modality))
        captions = tuple(data.captions.get((row.observation, modality), "") for row in rows)
        galleries[modality] = Gallery(classes, codes, captions)
    if len(galleries) > 1:
        galleries[MIXED] = mixed(list(galleries.values()))
    retrieval = [
        score
        for name, gallery in galleries.items()
        for score in retrieve(
            reader,
            data.schema,
            gallery,
            name=name,
            sentences=settings.sentences,
            images=settings.gallery,
            seed=settings.seed,
        )
    ]
    scored = (tuple(attributes), tuple(retrieval), tuple(pointing))
    images = {name: len(gallery.classes) for name, gallery in galleries.items() if name != MIXED}
    return Probe(images, *scored, gaps(data, modalities, settings.least, *scored))


def _look(
    reader: TokenReader,
    data: ProbeData,
    rows: Sequence[Row],
    codes: NDArray[np.int16] | None,
    modality: str,
    prompts: Mapping[str, NDArray[np.float32]],
    progress: Progress | None,
) -> tuple[NDArray[np.float32], PointingTally]:
    """Read one modality's images: return class vectors (n,D), and what sentences point at in them."""
    evidence = data.truth.evidence if data.truth else None
    grammar, tally = Grammar(data.schema), PointingTally(modality)
    classes: list[NDArray[np.float32]] = []
    at = 0
    stream = reader.stream(
        [row.to_observation() for row in rows],
        modality,
        places=[row.place for row in rows],
        progress=progress,
    )
    for tokens in stream:
        classes.append(tokens.classes)
        for patches in tokens.patches:
            if evidence is not None and codes is not None:
                parts = PartGrid.of(evidence.mask(rows[at], modality), reader.grid)
                for target in targets_of(data.schema, codes[at], evidence):
                    lies = parts.lies_on(target.numbers)
                    if lies.any():
                        vector = target_vector(reader, grammar, prompts, target)
                        tally.add(target, lies, int((patches @ vector).argmax()))
            at += 1
    return np.concatenate(classes), tally


def target_vector(
    reader: TokenReader, grammar: Grammar, prompts: Mapping[str, NDArray[np.float32]], target: Target
) -> NDArray[np.float32]:
    """Return (D,): the prompt ensemble of a value, or a group's sentence."""
    if target.level == "attribute":
        values = grammar.schema.attribute(target.name).values
        return prompts[target.name][values.index(target.values[target.name])]
    return reader.sentences(grammar.variants(target.values)[:1])[0]


def _positions(grid: tuple[int, int], data: ProbeData, modality: str) -> dict[tuple[Level, str], int] | None:
    """Return the patch that lies on each target most often in the other split; None without one."""
    rows = [row for row in data.others if modality in row.paths]
    if not rows or data.truth is None or data.truth.evidence is None:
        return None
    tally: dict[tuple[Level, str], NDArray[np.int64]] = {}
    for row, codes in zip(rows, data.truth.shown(rows, modality), strict=True):
        parts = PartGrid.of(data.truth.evidence.mask(row, modality), grid)
        for target in targets_of(data.schema, codes, data.truth.evidence):
            counts = tally.setdefault((target.level, target.name), np.zeros(grid[0] * grid[1], np.int64))
            counts += parts.lies_on(target.numbers)
    return best_positions(tally)


def _cuts(truth: WorldTruth, rows: Sequence[Row]) -> dict[Cut, NDArray[np.bool_]]:
    lit = truth.lit(rows)
    cuts: dict[Cut, NDArray[np.bool_]] = {"all": np.ones(len(rows), dtype=bool)}
    return cuts if lit is None else cuts | {"daylight": lit}
