"""Galleries of images of one modality or of all, and what sentences find in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextreid.attributes.schema import Schema
from nextreid.embedding.reader import TokenReader
from nextreid.evaluation.probe.questions import Questions, questions_from_captions, questions_from_truth
from nextreid.evaluation.probe.retrieval import (
    SPECIFIC,
    Direction,
    RetrievalScore,
    Sentences,
    retrieval_score,
)
from nextreid.seeding import derive_seed, numpy_generator


@dataclass(frozen=True, eq=False)
class Gallery:
    """n images.

    Attributes:
        classes: (n,D) normalised vectors.
        codes: (n,A) which value of each attribute an image shows; None without truth.
        captions: one an image, "" where there is none.
    """

    classes: NDArray[np.float32]
    codes: NDArray[np.int16] | None
    captions: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.classes)

    def take(self, chosen: NDArray[np.int64]) -> "Gallery":
        """Return some of the images, in the given order."""
        return Gallery(
            self.classes[chosen],
            None if self.codes is None else self.codes[chosen],
            tuple(self.captions[at] for at in chosen),
        )


def mixed(galleries: Sequence[Gallery]) -> Gallery:
    """Return the images of several galleries as one."""
    codes = [gallery.codes for gallery in galleries if gallery.codes is not None]
    return Gallery(
        np.concatenate([gallery.classes for gallery in galleries]),
        np.concatenate(codes) if codes else None,
        tuple(text for gallery in galleries for text in gallery.captions),
    )


def retrieve(
    reader: TokenReader,
    schema: Schema,
    gallery: Gallery,
    *,
    name: str,
    sentences: int,
    images: int,
    seed: int,
) -> list[RetrievalScore]:
    """Score both directions with sentences of the truth, any and specific ones; else with captions.

    Args:
        reader: encodes the sentences.
        schema: what the truth is told in.
        gallery: the images.
        name: of the gallery; part of every draw's name.
        sentences: how many to ask. images: how many to draw from the gallery at most.
        seed: of every draw.
    """
    rng = numpy_generator(seed, "probe", "gallery", name)
    drawn = gallery.take(rng.permutation(len(gallery))[:images])
    scores: list[RetrievalScore] = []
    for kind, questions in _questions(schema, drawn, name, sentences, seed).items():
        if not questions.texts:
            continue
        likeness = reader.sentences(questions.texts) @ drawn.classes.T  # (S,n)
        directions: dict[Direction, tuple[NDArray[np.float32], NDArray[np.bool_]]] = {
            "sentence-to-image": (likeness, questions.true),
            "image-to-sentence": (likeness.T, questions.true.T),
        }
        for direction, (alike, fits) in directions.items():
            score = retrieval_score(
                alike,
                fits,
                direction=direction,
                gallery=name,
                sentences=kind,
                words="captions" if drawn.codes is None else "truth",
                seed=derive_seed(seed, "probe", "bootstrap", name, kind, direction),
            )
            scores += [] if score is None else [score]
    return scores


def _questions(
    schema: Schema, gallery: Gallery, name: str, count: int, seed: int
) -> dict[Sentences, Questions]:
    if gallery.codes is None:
        rng = numpy_generator(seed, "probe", "captions", name)
        return {"any": questions_from_captions(gallery.captions, count, rng)}
    shares: dict[Sentences, float] = {"any": 1.0, "specific": SPECIFIC}
    return {
        kind: questions_from_truth(
            schema,
            gallery.codes,
            count,
            numpy_generator(seed, "probe", "sentences", name, kind),
            most=share,
        )
        for kind, share in shares.items()
    }
