"""What a probe is given, and what of it cannot be measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nextreid.attributes.schema import Schema
from nextreid.data.manifest import Row
from nextreid.errors import InputError
from nextreid.evaluation.probe.attributes import AttributeScore
from nextreid.evaluation.probe.pointing import PointingScore
from nextreid.evaluation.probe.retrieval import MIXED, RetrievalScore
from nextreid.evaluation.probe.truth import WorldTruth


@dataclass(frozen=True)
class ProbeData:
    """What to probe with.

    Attributes:
        rows: the observations.
        schema: of their kind.
        others: observations of the data set's other split: constant patch positions are chosen there.
        truth: what their images show, or None.
        captions: (observation, modality) -> caption, used where there is no truth.
    """

    rows: tuple[Row, ...]
    schema: Schema
    others: tuple[Row, ...] = ()
    truth: WorldTruth | None = None
    captions: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Unmeasured:
    """Something that could not be scored, and why."""

    what: str
    why: str


def check_data(data: ProbeData, modalities: Sequence[str]) -> None:
    """Refuse what nothing can be measured on, before anything is read.

    Raises:
        InputError: a modality that no observation has, or neither truth nor captions.
    """
    present = sorted({name for row in data.rows for name in row.paths})
    strangers = [name for name in modalities if name not in present]
    if strangers or not modalities:
        raise InputError(
            f"No observation has the modality {', '.join(strangers) or '(none given)'}",
            allowed=", ".join(present) or "modalities of the data; there is no observation at all",
        )
    if data.truth is None and not data.captions:
        raise InputError(
            "Nothing can be measured: the data have neither truth nor captions",
            allowed="a synthetic world with its truth.parquet, or published captions beside the data",
            do="probe a world that `nextreid synth` wrote, or name the captions' folder",
        )


def gaps(
    data: ProbeData,
    modalities: Sequence[str],
    least: int,
    attributes: Sequence[AttributeScore],
    retrieval: Sequence[RetrievalScore],
    pointing: Sequence[PointingScore],
) -> tuple[Unmeasured, ...]:
    """List what the scores lack, and why.

    Args:
        data, modalities, least: what was probed, and how.
        attributes, retrieval, pointing: what came of it.
    """
    missing = []
    if data.truth is None:
        missing += [
            Unmeasured("attribute accuracy", "there is no truth.parquet: only a synthetic world has one"),
            Unmeasured("pointing accuracy", "there are no part masks with a truth"),
        ]
    elif not pointing:
        why = (
            "there is no parts.json, or it names no evidence"
            if data.truth.evidence is None
            else "no picture shows a part"
        )
        missing.append(Unmeasured("pointing accuracy", why))
    elif not data.others:
        missing.append(
            Unmeasured("pointing by position", "there is no other split to choose a constant patch from")
        )
    if data.truth is not None:
        scored = {(score.attribute, score.modality) for score in attributes if score.cut == "all"}
        missing += [
            Unmeasured(
                f"{attribute.name} in {modality}",
                f"fewer than two of its values are shown by {least} images or more",
            )
            for attribute in data.schema.attributes
            for modality in modalities
            if data.schema.observable(attribute.name, modality) and (attribute.name, modality) not in scored
        ]
    asked = {(score.gallery, score.sentences) for score in retrieval}
    names = [*modalities, MIXED] if len(modalities) > 1 else list(modalities)
    kinds = ("any", "specific") if data.truth is not None else ("any",)
    missing += [
        Unmeasured(f"retrieval in {name}, {kind} sentences", "no such sentence is true of some images only")
        for name in names
        for kind in kinds
        if (name, kind) not in asked
    ]
    return tuple(missing)
