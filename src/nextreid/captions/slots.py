"""The rows of a caption set: one value of one attribute that a caption of one modality states."""

from dataclasses import dataclass

COLUMNS = (
    "observation",
    "modality",
    "group",
    "attribute",
    "value",
    "confidence",
    "source_modality",
    "source_model",
    "sentence",
)
"""Columns of captions.parquet."""

UNFILLED = "unknown"
"""The value of a slot that was asked for and not filled. Only captions without confidence hold such slots,
as published captions do; merged captions leave them out."""


@dataclass(frozen=True)
class Slot:
    """One slot.

    Attributes:
        observation, modality: whose caption.
        group, attribute, value: what it states; the value `UNFILLED` states that it is not known.
        confidence: 0..1, or None where unknown (captions that were imported).
        source_modality: modalities whose evidence the value needs, in the data set's order.
        source_model: models whose answers made it, sorted.
        sentence: of the group in this caption; the same for all slots of a group.
    """

    observation: str
    modality: str
    group: str
    attribute: str
    value: str
    confidence: float | None
    source_modality: tuple[str, ...]
    source_model: tuple[str, ...]
    sentence: str
