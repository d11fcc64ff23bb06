"""Fitting a calibration to labelled data: maps first, thresholds for a target precision next, then the proof.

Rows are split by identity into those that are fitted and those that are held out. On the fitted rows, in
this order: a map for each model and modality; a map for what the models of an image say together; a map for
what the images of an observation say together, where an image is not sure by itself; and of the pairs of
thresholds with which values of every kind are as precise as was asked for, the one that leaves most right
values. The kinds: an image's own value; a fused one where the image claimed something; one where it did not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Answer
from nextreid.captions.calibration import LEAST, Calibration, Map, fit_map
from nextreid.captions.fusion import merge_answers
from nextreid.captions.reliability import Reliability, reliability, threshold_for
from nextreid.captions.slots import Slot
from nextreid.captions.truth import Key, Truth
from nextreid.data.rows import Row
from nextreid.errors import InputError
from nextreid.seeding import derive_seed

TARGET = 0.9
"""Wanted share of right values: ours."""

HELD_OUT = 0.3
"""Share of the identities that the fit does not see: ours."""

UNREACHED = 1.0
"""The threshold where no confidence is worth the target: nothing short of certainty passes."""

STEPS = tuple(step / 50 for step in range(1, 50))
"""Thresholds that are tried: ours, every second hundredth."""

Claims = list[tuple[float, bool]]


@dataclass(frozen=True)
class Proof:
    """What a calibration does on rows that it was not fitted on.

    Attributes:
        observations: of these rows.
        stated: how far the models' own confidences are from what they are worth.
        calibrated: the same after the maps.
        slots: filled by merging with the calibration; precision: of them, the share that is right.
        merged: reliability of the confidences of these slots.
    """

    observations: int
    stated: Reliability
    calibrated: Reliability
    slots: int
    precision: float
    merged: Reliability


@dataclass(frozen=True)
class Calibrated:
    """A fit.

    Attributes:
        calibration: maps and thresholds.
        fitted: observations that it was fitted on.
        unmapped: (model, modality) with too few labelled claims for a map.
        reached: whether a threshold with the target precision was found for an image's own values, and for
            fused ones.
        proof: on the held-out rows; None where none were held out.
        slots: filled on all labelled rows by merging with these thresholds. possible: with none.
    """

    calibration: Calibration
    fitted: int
    unmapped: tuple[tuple[str, str], ...]
    reached: tuple[bool, bool]
    proof: Proof | None
    slots: int
    possible: int


def calibrate(
    answers: Iterable[Answer],
    truth: Truth,
    schema: Schema,
    rows: Sequence[Row],
    *,
    target: float = TARGET,
    held_out: float = HELD_OUT,
    seed: int = 0,
) -> Calibrated:
    """Fit a calibration.

    Args:
        answers: of the models, about labelled images.
        truth: the labels; a value of an attribute that the truth does not list for an image is wrong.
        schema: of both.
        rows: observations to use, those that the truth tells of.
        target: wanted share of right values among those stated, above 0, below 1.
        held_out: share of the identities (of the observations, where identities are not known) that is
            held out, 0 to below 1.
        seed: draws them.

    Raises:
        InputError: shares outside their ranges, or too few labelled claims.
    """
    if not 0.0 < target < 1.0:
        raise InputError(f"The target precision {target}", allowed="above 0 and below 1, e.g. 0.9")
    if not 0.0 <= held_out < 1.0:
        raise InputError(f"The share of held-out identities {held_out}", allowed="0 to below 1, e.g. 0.3")
    labelled = [row for row in rows if row.observation in truth.observations]
    proving = [row for row in labelled if _drawn(row, seed) < held_out]
    chosen = {row.observation for row in proving}
    fitting = [row for row in labelled if row.observation not in chosen]
    known = [answer for answer in answers if answer.observation in truth.observations]
    told = _told(known, truth, {row.observation for row in fitting})
    maps = {key: part for key, claims in told.items() if (part := fit_map(claims)) is not None}
    if not maps:
        counts = ", ".join(f"{model} in {name}: {len(c)}" for (model, name), c in told.items()) or "none"
        raise InputError(
            f"Too few labelled claims to fit on ({counts})",
            allowed=f"{LEAST} or more of a model in a modality",
            do="label more observations",
        )
    fitted, reached = _fit(known, truth, schema, fitting, maps, target)
    proof = _prove(known, truth, schema, proving, fitted) if proving else None
    unmapped = tuple(sorted(key for key in told if key not in maps))
    slots = merge_answers(known, schema, labelled, calibration=fitted).table.slots
    possible = merge_answers(
        known, schema, labelled, threshold=0.0, complement_threshold=0.0, calibration=fitted
    ).table.slots
    return Calibrated(fitted, len(fitting), unmapped, reached, proof, len(slots), len(possible))


def _fit(
    answers: Sequence[Answer],
    truth: Truth,
    schema: Schema,
    rows: Sequence[Row],
    maps: dict[tuple[str, str], Map],
    target: float,
) -> tuple[Calibration, tuple[bool, bool]]:
    """Return maps and thresholds, and whether each threshold was reached."""
    fitted = Calibration(claims=maps)
    own = merge_answers(answers, schema, rows, method="confident", threshold=0.0, calibration=fitted)
    fitted = replace(fitted, own_map=fit_map(_judged(own.table.slots, truth)))
    own = merge_answers(answers, schema, rows, method="confident", threshold=0.0, calibration=fitted)
    sure = dict(zip(map(_key, own.table.slots), _judged(own.table.slots, truth), strict=True))
    together = merge_answers(
        answers, schema, rows, threshold=UNREACHED, complement_threshold=0.0, calibration=fitted
    )
    unsure = [slot for slot in together.table.slots if sure.get(_key(slot), (0.0, False))[0] < target]
    fitted = replace(fitted, fused_map=fit_map(_judged(unsure, truth)))
    fused = {
        _key(slot): (fitted.fused(slot.confidence or 0.0), truth.values.get(_key(slot)) == slot.value)
        for slot in together.table.slots
    }
    threshold, complement = _thresholds(sure, fused, target)
    fitted = replace(
        fitted,
        threshold=UNREACHED if threshold is None else threshold,
        complement_threshold=UNREACHED if complement is None else complement,
    )
    return fitted, (threshold is not None, complement is not None)


def _thresholds(
    own: Mapping[Key, tuple[float, bool]], fused: Mapping[Key, tuple[float, bool]], target: float
) -> tuple[float | None, float | None]:
    """Return the pair that leaves most right values; None where no threshold reaches the target."""
    least = threshold_for(own.values(), target)
    steps = [step for step in STEPS if least is not None and step >= least]
    best: tuple[int, float, float | None] = (-1, UNREACHED, None)
    for step in [UNREACHED, *sorted({*steps, least or UNREACHED}, reverse=True)]:
        kept = {key for key, (confidence, _) in own.items() if confidence >= step}
        left = [claim for key, claim in fused.items() if key not in kept]
        claimed = [claim for key, claim in fused.items() if key not in kept and key in own]
        new = [claim for key, claim in fused.items() if key not in own]
        found = [threshold_for(kind, target) for kind in (claimed, new) if kind]
        complement = None if None in found else max((one for one in found if one is not None), default=None)
        right = sum(own[key][1] for key in kept)
        right += sum(hit for confidence, hit in left if complement is not None and confidence >= complement)
        if right > best[0]:
            best = (right, step, complement)
    return (None if least is None else best[1]), best[2]


def _prove(
    answers: Sequence[Answer], truth: Truth, schema: Schema, rows: Sequence[Row], fitted: Calibration
) -> Proof:
    chosen = {row.observation for row in rows}
    stated = _told(answers, truth, chosen)
    calibrated = [
        (fitted.apply(model, modality, confidence), right)
        for (model, modality), claims in stated.items()
        for confidence, right in claims
    ]
    merged = _judged(merge_answers(answers, schema, rows, calibration=fitted).table.slots, truth)
    return Proof(
        observations=len(rows),
        stated=reliability([claim for claims in stated.values() for claim in claims]),
        calibrated=reliability(calibrated),
        slots=len(merged),
        precision=sum(right for _, right in merged) / len(merged) if merged else 0.0,
        merged=reliability(merged),
    )


def _told(answers: Iterable[Answer], truth: Truth, observations: set[str]) -> dict[tuple[str, str], Claims]:
    """Return (model, modality) -> stated confidence and rightness of each claim, in sorted order."""
    told: dict[tuple[str, str], Claims] = defaultdict(list)
    for answer in answers:
        if answer.observation in observations:
            for attribute, claim in answer.claims.items():
                true = truth.values.get((answer.observation, answer.modality, attribute))
                told[answer.model, answer.modality].append((claim.confidence, claim.value == true))
    return {key: told[key] for key in sorted(told)}


def _judged(slots: Iterable[Slot], truth: Truth) -> Claims:
    return [(slot.confidence or 0.0, truth.values.get(_key(slot)) == slot.value) for slot in slots]


def _key(slot: Slot) -> Key:
    return (slot.observation, slot.modality, slot.attribute)


def _drawn(row: Row, seed: int) -> float:
    """Return a draw of 0..1 for a row's identity, or for the row where that is not known."""
    name = row.observation if row.identity is None else row.identity
    return derive_seed(seed, "held out", name) / 2.0**63
