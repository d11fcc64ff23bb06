"""From the answers of several models about several images of an observation to what its captions state.

Each image keeps its own value where its own models are sure of it. Else the value comes from what all images
of the observation say together, if that is sure enough and the modality could have shown it. Else the caption
leaves the attribute out.

The confidence of a slot is that of all the evidence; its sources are the images that the value needs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nextreid.attributes.schema import Attribute, Schema
from nextreid.captions.answers import Answer
from nextreid.captions.calibration import Calibration
from nextreid.captions.evidence import NOTHING, Verdict, Weighed, weigh
from nextreid.captions.realising import Realiser, Stated
from nextreid.captions.slots import Slot
from nextreid.captions.table import CaptionTable
from nextreid.data.rows import Row
from nextreid.errors import InputError

Method = Literal["plain", "confident", "merge"]
"""`plain`: each image by itself, every value claimed by its first model (by name), "unknown" where there is
none, as captions are published that were made without confidence; `confident`: each image by itself, values
below the threshold left out; `merge`: fused and complemented."""

METHODS: tuple[Method, ...] = ("plain", "confident", "merge")

THRESHOLD = 0.7
"""Least confidence of an image's own value where no calibration says one: ours. On simulated answers anything
from 0.6 to 0.9 serves (benchmarks/captions.py); a model of your own deserves a calibration."""

COMPLEMENT_THRESHOLD = 0.35
"""The same of a fused value: ours; lower, because observability has already weighed it down."""


@dataclass(frozen=True)
class Contradiction:
    """Different values claimed for one attribute of one observation.

    Attributes:
        observation, attribute: of what.
        claims: value -> the claims for it.
        chosen: the fused value; "" for a tie, which chooses none.
        confidence: in it, 0..1.
    """

    observation: str
    attribute: str
    claims: Mapping[str, tuple[Weighed, ...]]
    chosen: str
    confidence: float


@dataclass(frozen=True)
class Merged:
    """What came of merging.

    Attributes:
        table: the captions, slot by slot.
        contradictions: in the order of rows, then of the schema.
        own, complemented: filled slots whose value needs the image's own answers alone, and the others.
        dropped: slots that the image's own answers claimed, and that are left out.
    """

    table: CaptionTable
    contradictions: tuple[Contradiction, ...] = ()
    own: int = 0
    complemented: int = 0
    dropped: int = 0


@dataclass
class _Work:
    """What is collected on the way."""

    slots: list[Slot] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)
    own: int = 0
    complemented: int = 0
    dropped: int = 0


def merge_answers(
    answers: Iterable[Answer],
    schema: Schema,
    rows: Sequence[Row],
    *,
    method: Method = "merge",
    threshold: float | None = None,
    complement_threshold: float | None = None,
    calibration: Calibration | None = None,
    seed: int | None = None,
) -> Merged:
    """Merge answers into captions.

    Args:
        answers: in any order; of one question and model the last one counts.
        schema: attributes, their observability, the sentences.
        rows: observations, in the order that the table gets; answers about others, or about images that
            they do not have, are ignored.
        method: see `Method`; `plain` uses neither thresholds nor calibration.
        threshold: least confidence of an image's own value, 0..1; None: the calibration's, or `THRESHOLD`.
        complement_threshold: of a fused value, 0..1; None: likewise, or `COMPLEMENT_THRESHOLD`.
        calibration: what confidences are worth; None: as they were stated.
        seed: draws the sentence variants; None: each group's first.

    Raises:
        InputError: no such method, or a threshold outside 0..1.
    """
    if method not in METHODS:
        raise InputError(f"The merging method {method!r}", allowed=", ".join(METHODS))
    calibration = calibration or Calibration()
    least = _least("threshold", threshold, calibration.threshold, THRESHOLD)
    complement = _least(
        "complement threshold", complement_threshold, calibration.complement_threshold, COMPLEMENT_THRESHOLD
    )
    asked: dict[tuple[str, str], dict[str, Answer]] = {}
    for answer in answers:
        asked.setdefault((answer.observation, answer.modality), {})[answer.model] = answer
    realiser, work = Realiser(schema, seed=seed), _Work()
    rule = _Rule(schema, least, complement, calibration)
    for row in rows:
        images = {
            name: sorted(asked[key].values(), key=lambda answer: answer.model)
            for name in row.paths
            if (key := (row.observation, name)) in asked
        }
        if method == "plain":
            for name, given in images.items():
                work.slots += _plain(row.observation, name, given, schema, realiser)
        else:
            stated = _states(row.observation, images, rule, work, alone=method == "confident")
            for name, values in stated.items():
                work.slots += realiser.slots(row.observation, name, values)
    return Merged(
        CaptionTable(tuple(work.slots)),
        tuple(work.contradictions),
        work.own,
        work.complemented,
        work.dropped,
    )


def _least(name: str, given: float | None, calibrated: float | None, default: float) -> float:
    value = next(entry for entry in (given, calibrated, default) if entry is not None)
    if not 0.0 <= value <= 1.0:
        raise InputError(f"The {name} {value}", allowed="0..1")
    return value


def _plain(
    observation: str, modality: str, answers: Sequence[Answer], schema: Schema, realiser: Realiser
) -> list[Slot]:
    """Return the slots of a caption made without confidence; none where no model answered."""
    answer = next((given for given in answers if given.outcome == "answered"), None)
    if answer is None:
        return []
    asked = [a.name for a in schema.attributes if schema.observable(a.name, modality)]
    stated = {
        name: Stated(claim.value, claim.confidence, (modality,), (answer.model,))
        for name in asked
        if (claim := answer.claims.get(name)) is not None
    }
    unfilled = [name for name in asked if name not in stated]
    return realiser.slots(observation, modality, stated, unfilled=unfilled, models=(answer.model,))


@dataclass(frozen=True)
class _Rule:
    """How claims become statements."""

    schema: Schema
    threshold: float
    complement_threshold: float
    calibration: Calibration

    def claims(self, attribute: str, modality: str, answers: Iterable[Answer]) -> list[Weighed]:
        """Return what models claim of an attribute, as much as each claim is worth by itself."""
        if not self.schema.observable(attribute, modality):
            return []
        return [
            Weighed(
                claim.value,
                modality,
                answer.model,
                self.calibration.apply(answer.model, modality, claim.confidence),
            )
            for answer in answers
            if (claim := answer.claims.get(attribute)) is not None
        ]

    def own(self, claims: Sequence[Weighed]) -> Verdict:
        """Return what one image's models say together."""
        found = weigh(claims)
        return Verdict(found.value, self.calibration.own(found.confidence), found.support)

    def fused(self, attribute: Attribute, claims: Iterable[Weighed]) -> Verdict:
        """Return what several images say together, each as far as its modality shows the attribute."""
        found = weigh(
            Weighed(c.value, c.modality, c.model, c.weight * attribute.observable.get(c.modality, 0.0))
            for c in claims
        )
        return Verdict(found.value, self.calibration.fused(found.confidence), found.support)

    def needed(
        self, verdict: Verdict, own_claims: Sequence[Weighed], attribute: Attribute
    ) -> tuple[Weighed, ...]:
        """Return the evidence for a value: the image's own, where that alone would have sufficed.

        So a sentence stays usable when the other images are absent and would have changed nothing.
        """
        alone = self.fused(attribute, own_claims)
        enough = alone.value == verdict.value and alone.confidence >= self.complement_threshold
        return alone.support if enough else verdict.support


def _states(
    observation: str, images: Mapping[str, Sequence[Answer]], rule: _Rule, work: _Work, *, alone: bool
) -> dict[str, dict[str, Stated]]:
    """Return modality -> attribute -> what its caption states, in the orders of images and schema."""
    stated: dict[str, dict[str, Stated]] = {name: {} for name in images}
    for attribute in rule.schema.attributes:
        claims = {name: rule.claims(attribute.name, name, given) for name, given in images.items()}
        everyone = [claim for given in claims.values() for claim in given]
        together = rule.fused(attribute, everyone)
        if len({claim.value for claim in everyone}) > 1 and not attribute.per_image:
            work.contradictions.append(_contradiction(observation, attribute.name, everyone, together))
        for name, own_claims in claims.items():
            if not rule.schema.observable(attribute.name, name):
                continue
            verdict = rule.own(own_claims)
            if not verdict.value or verdict.confidence < rule.threshold:
                found = rule.fused(attribute, own_claims) if attribute.per_image else together
                sure = bool(found.value) and found.confidence >= rule.complement_threshold
                verdict = found if sure and not alone else NOTHING
            if verdict.value:
                support = rule.needed(verdict, own_claims, attribute)
                sources = {claim.modality for claim in support}
                stated[name][attribute.name] = Stated(
                    value=verdict.value,
                    confidence=min(max(verdict.confidence, 0.0), 1.0),
                    modalities=tuple(other for other in images if other in sources),
                    models=tuple(sorted({claim.model for claim in support})),
                )
                work.own += sources == {name}
                work.complemented += sources != {name}
            else:
                work.dropped += bool(own_claims)
    return stated


def _contradiction(
    observation: str, attribute: str, claims: Sequence[Weighed], together: Verdict
) -> Contradiction:
    values = sorted({claim.value for claim in claims})
    told = {value: tuple(claim for claim in claims if claim.value == value) for value in values}
    return Contradiction(observation, attribute, told, together.value, together.confidence)
