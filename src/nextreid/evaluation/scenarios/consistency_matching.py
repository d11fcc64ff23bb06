"""Cross-modal structural consistency by correspondence: do alike patches lie on the same part?

For a patch on the object in one modality, its most similar patch (cosine) is looked up in another
modality of another observation of the same identity. It is right when it lies on the same part. Objects
stand upright and fill their crops, so the patch in the same grid cell is often right, too: that is the
control, and the score is what lies beyond it, `(accuracy - position) / (1 - position)`. The other control
looks up the most similar of random tokens.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextreid.evaluation.resampling import beyond, cluster_interval, corrected
from nextreid.evaluation.scenarios.consistency_parts import NO_PART, PatchParts
from nextreid.seeding import numpy_generator

_COLUMNS = ("patches", "tokens", "position", "random")
"""What is added up: patches asked for, and for how many of them each way was right."""


@dataclass(frozen=True, eq=False)
class SeenImage:
    """One image's patches.

    Attributes:
        observation, modality: which image.
        tokens: (N,D) of length one.
        random: (N,D) random tokens of length one.
        parts: what they show.
    """

    observation: str
    modality: str
    tokens: NDArray[np.float32]
    random: NDArray[np.float32]
    parts: PatchParts


def random_tokens(
    shape: tuple[int, int], *, seed: int, observation: str, modality: str
) -> NDArray[np.float32]:
    """Return (N,D) directions drawn evenly over the sphere, always the same for one image."""
    drawn = numpy_generator(seed, "random tokens", observation, modality).standard_normal(shape)
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@dataclass(eq=False)
class Correspondence:
    """Adds up pairs of images, identity by identity.

    Attributes:
        parts: (P,) names of the parts.
        pairs: how many pairs of images were compared.
        unanswered: patches whose part the other image does not show, which are not asked for.
        sums: (identity, from modality, to modality) -> (4,) `_COLUMNS`.
        by_part: (P,4) the same by part.
    """

    parts: tuple[str, ...]
    pairs: int = 0
    unanswered: int = 0
    sums: dict[tuple[str, str, str], NDArray[np.float64]] = field(
        default_factory=lambda: defaultdict(lambda: np.zeros(len(_COLUMNS)))
    )
    by_part: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        """Start at zero."""
        self.by_part = np.zeros((len(self.parts), len(_COLUMNS)))

    def add(self, identity: str, source: SeenImage, target: SeenImage) -> None:
        """Look up every object patch of `source` in `target`; equally similar ones go by patch number."""
        self.pairs += 1
        cells = np.flatnonzero(source.parts.part != NO_PART)
        lies = target.parts.lies[source.parts.part[cells]]  # (n,N): where right answers are
        answerable = lies.any(axis=1)
        self.unanswered += int((~answerable).sum())
        cells, lies = cells[answerable], lies[answerable]
        if not len(cells):
            return
        rows = np.arange(len(cells))
        nearest = (source.tokens[cells] @ target.tokens.T).argmax(axis=1)
        drawn = (source.random[cells] @ target.random.T).argmax(axis=1)
        right = np.stack(
            [np.ones(len(cells)), lies[rows, nearest], lies[rows, cells], lies[rows, drawn]], axis=1
        )
        self.sums[identity, source.modality, target.modality] += right.sum(axis=0)
        np.add.at(self.by_part, source.parts.part[cells], right)

    def entry(self, *, bootstrap: int, seed: int) -> dict[str, Any]:
        """Return `scenarios.consistency.correspondence` of results.json; shares 0..1.

        Args:
            bootstrap: resamples of whole identities for the 95 % intervals; 0 for none.
            seed: of the resamples.
        """
        by_identity: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(_COLUMNS)))
        by_modalities: dict[tuple[str, str], NDArray[np.float64]] = defaultdict(
            lambda: np.zeros(len(_COLUMNS))
        )
        for (identity, source, target), sums in self.sums.items():
            by_identity[identity] += sums
            by_modalities[source, target] += sums
        identities = np.stack([by_identity[name] for name in sorted(by_identity)])
        document = _shares(identities.sum(axis=0))
        for name, column in (("corrected", 1), ("random_corrected", 3)):
            chosen = identities[:, [0, column, 2]]
            interval = cluster_interval(chosen, _beyond_position, samples=bootstrap, seed=seed)
            if interval is not None:
                document[f"{name}_ci"] = list(interval)
        return document | {
            "identities": len(identities),
            "pairs": self.pairs,
            "unanswered": self.unanswered,
            "modalities": [
                {"from": source, "to": target, **_shares(sums)}
                for (source, target), sums in by_modalities.items()
            ],
            "parts": [
                {"part": name, **_shares(sums)}
                for name, sums in zip(self.parts, self.by_part, strict=True)
                if sums[0]
            ],
        }


def _beyond_position(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (b,) of (b,3): patches, right, right by position."""
    return beyond(sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0])


def _shares(sums: NDArray[np.float64]) -> dict[str, Any]:
    count = dict(zip(_COLUMNS, sums.tolist(), strict=True))
    accuracy, position, random = (count[name] / count["patches"] for name in _COLUMNS[1:])
    return {
        "patches": int(count["patches"]),
        "accuracy": accuracy,
        "position": position,
        "corrected": corrected(accuracy, position),
        "random": random,
        "random_corrected": corrected(random, position),
    }


def partners(
    images: Mapping[tuple[str, str], Any], *, count: int, seed: int
) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Draw which images of one identity are compared.

    Args:
        images: of one identity, by (observation, modality).
        count: for each image and each other modality, in how many other observations it is looked up.
        seed: of the draws; those of one image do not depend on which others there are beside its identity's.

    Returns:
        (image, other image), never of one observation, never of one modality.
    """
    pairs = []
    modalities = sorted({modality for _, modality in images})
    for observation, modality in sorted(images):
        for other in modalities:
            there = sorted(name for name, m in images if m == other and name != observation)
            if other == modality or not there:
                continue
            rng = numpy_generator(seed, "partners", observation, modality, other)
            chosen = sorted(rng.permutation(len(there))[:count].tolist())
            pairs += [((observation, modality), (there[at], other)) for at in chosen]
    return pairs
