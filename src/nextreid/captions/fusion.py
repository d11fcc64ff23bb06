"""From the answers of several models about several images of an observation to what its captions state."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Answer
from nextreid.captions.calibration import Calibration
from nextreid.captions.table import CaptionTable
from nextreid.data.rows import Row

Method = Literal["plain", "confident", "merge"]
"""`plain`: each image by itself, every value claimed, "unknown" where there is none, as published captions;
`confident`: each image by itself, values below the threshold left out; `merge`: fused and complemented."""

METHODS: tuple[Method, ...] = ("plain", "confident", "merge")

THRESHOLD = 0.6
"""Least confidence of an image's own value: ours, see docs/captions.md."""

COMPLEMENT_THRESHOLD = 0.3
"""Least confidence of a fused value: ours; lower, because observability has already weighed it down."""


@dataclass(frozen=True)
class Contradiction:
    """Different values of one attribute of one observation.

    Attributes:
        observation, attribute: of what.
        claims: value -> (modality, model, weight) of each claim for it, strongest value first.
        chosen: the fused value; "" for a tie, which chooses none.
        confidence: of the fused value, 0..1.
    """

    observation: str
    attribute: str
    claims: Mapping[str, tuple[tuple[str, str, float], ...]]
    chosen: str
    confidence: float


@dataclass(frozen=True)
class Merged:
    """What came of merging.

    Attributes:
        table: the captions, slot by slot.
        contradictions: in the order of rows, then of the schema.
        own, complemented: filled slots that an image's own answers gave, and that others did.
        dropped: slots that the image's own answers claimed, and that are left out.
    """

    table: CaptionTable
    contradictions: tuple[Contradiction, ...] = ()
    own: int = 0
    complemented: int = 0
    dropped: int = 0


def merge_answers(
    answers: Iterable[Answer],
    schema: Schema,
    rows: Sequence[Row],
    *,
    method: Method = "merge",
    threshold: float = THRESHOLD,
    complement_threshold: float = COMPLEMENT_THRESHOLD,
    calibration: Calibration | None = None,
) -> Merged:
    """Merge answers into captions.

    Args:
        answers: in any order; of one question and model the last one counts.
        schema: attributes, their observability.
        rows: observations, in the order that the table gets; answers about others are ignored.
        method: see `Method`.
        threshold: least confidence of an image's own value.
        complement_threshold: least confidence of a fused value.
        calibration: what confidences are worth; None: as they were stated.
    """
    raise NotImplementedError
