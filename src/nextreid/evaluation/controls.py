"""Controls: classical matching without learning. A model that does not beat it has learned nothing."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from nextreid.data.images import read_image
from nextreid.data.manifest import Manifest
from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.observation import Sentence
from nextreid.progress import Progress, Silent


def colour_histogram(
    manifest: Manifest, *, bins: int = 8, stripes: int = 1, progress: Progress | None = None
) -> Embeddings:
    """Describe each observation by the joint colour histogram of each modality it has.

    Each histogram is made to sum to 1 and its root is taken, so that the cosine of two of them is
    the Bhattacharyya coefficient; the modalities are put side by side, and an absent one is zeros.
    Nearest neighbours by cosine.

    Args:
        manifest: whose rows to describe, all of them.
        bins: per channel, so bins^3 per histogram. Ours: 8 is usual for colour retrieval.
        stripes: horizontal stripes with a histogram each (1: the whole image). 6 is usual for
            persons and stronger where the crops are aligned.
        progress: one step per observation.

    Returns:
        (n, modalities * stripes * bins^3) float32.

    Raises:
        InputError: bins or stripes that cannot be; an image that cannot be read.
    """
    if not 2 <= bins <= 32 or not 1 <= stripes <= 64:
        raise InputError(f"bins={bins}, stripes={stripes}", allowed="2 to 32 bins, 1 to 64 stripes")

    def describe(image: np.ndarray) -> np.ndarray:
        parts = np.array_split(image, stripes, axis=0)
        return np.concatenate([_root_histogram(part, bins) for part in parts])

    return _describe(manifest, describe, stripes * bins**3, "colour histograms", progress)


def caption_words(manifest: Manifest, sentences: Callable[[str], Sequence[Sentence]]) -> Embeddings:
    """Describe each observation by the words of its captions alone, no pixel.

    Words are counted once, weighted by how rare they are (log(n / observations with the word)), and
    compared by cosine. What captions alone can tell stands beside every score that used them.

    Args:
        manifest: whose rows to describe, all of them.
        sentences: observation id -> its sentences.

    Returns:
        (n, words + 1) float32; the last column is a small constant, so that an observation without
        captions has a direction.
    """
    told = [
        sorted({word for s in sentences(row.observation) for word in re.findall(r"[\w-]+", s.text.lower())})
        for row in manifest.rows
    ]
    vocabulary = {word: column for column, word in enumerate(sorted({w for words in told for w in words}))}
    counts = np.zeros((len(told), len(vocabulary)), dtype=np.float32)
    for at, words in enumerate(told):
        counts[at, [vocabulary[word] for word in words]] = 1
    rarity = np.log(len(told) / np.maximum(counts.sum(axis=0), 1))
    constant = np.full((len(told), 1), 1e-3, dtype=np.float32)
    return Embeddings(
        observation=np.array([row.observation for row in manifest.rows], dtype=np.str_),
        vectors=np.concatenate([counts * rarity, constant], axis=1),
        source="caption words",
    )


def _root_histogram(image: np.ndarray, bins: int) -> np.ndarray:
    """Return (bins^3,) float32: the root of the share of pixels in each colour bin."""
    place = image.reshape(-1, 3).astype(np.int64) * bins // 256
    codes = (place[:, 0] * bins + place[:, 1]) * bins + place[:, 2]
    counts = np.bincount(codes, minlength=bins**3)
    return np.sqrt(counts / max(1, len(codes))).astype(np.float32)


def _describe(
    manifest: Manifest,
    describe: Callable[[np.ndarray], np.ndarray],
    width: int,
    title: str,
    progress: Progress | None,
) -> Embeddings:
    modalities = manifest.modalities
    vectors = np.zeros((len(manifest.rows), len(modalities), width), dtype=np.float32)
    with (progress or Silent()).task(title, len(manifest.rows)) as task:
        for at, row in enumerate(manifest.rows):
            for column, modality in enumerate(modalities):
                if modality in row.paths:
                    box, where = row.boxes.get(modality), row.where(modality)
                    vectors[at, column] = describe(read_image(row.paths[modality], box=box, where=where))
            task.advance()
    return Embeddings(
        observation=np.array([row.observation for row in manifest.rows], dtype=np.str_),
        vectors=vectors.reshape(len(manifest.rows), -1),
        source=title,
    )
