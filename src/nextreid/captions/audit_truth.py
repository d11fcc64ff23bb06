"""What captions state, held against the truth: accuracy, coverage, calibration, abstention.

A slot is one attribute in the caption of one image. It is **visible** if any image of the observation shows
the value and the caption's modality could have shown it; **seen** if the caption's own image shows it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import fsum

from nextreid.attributes.schema import Attribute, Schema
from nextreid.captions.truth import Key, Truth

LEAST = 5
"""Slots that a true value needs to count in balanced accuracy (ours, as in the probe: of fewer, a recall
says nothing)."""

ABSTENTION = tuple(round(0.05 * step, 2) for step in range(21))
"""Thresholds of the abstention curve: ours, fine enough to draw."""


@dataclass(frozen=True)
class Said:
    """What a caption says in one slot.

    Attributes:
        value: one of the schema's.
        confidence: 0..1, or None where the captions carry none.
    """

    value: str
    confidence: float | None = None


@dataclass(frozen=True)
class Judged:
    """One slot, held against the truth.

    Attributes:
        observation, modality, attribute: which slot.
        stated: what the caption says, or None.
        true: the true value, or None where the object does not have the attribute.
        seen: the caption's own image shows it.
        visible: some image of the observation does, and the caption's modality could have.
    """

    observation: str
    modality: str
    attribute: str
    stated: Said | None
    true: str | None
    seen: bool
    visible: bool

    @property
    def key(self) -> Key:
        """Return which slot it is."""
        return (self.observation, self.modality, self.attribute)

    @property
    def right(self) -> bool:
        """Tell whether the true value is stated."""
        return self.stated is not None and self.stated.value == self.true


@dataclass(frozen=True)
class Scores:
    """How right the captions of some slots are. Shares 0..1, None where there is nothing to count.

    Attributes:
        stated: slots that state something. right: of these, the true value.
        accuracy: right / stated.
        balanced: the mean over true values of the share of their stated slots that are right.
        visible, seen: slots of these kinds.
        covered, covered_seen: the share of them that is stated.
        whole: right / visible among the visible slots: what is missing counts as wrong.
        whole_balanced: the same, as the mean over true values.
        absent: slots that state what the object does not have; they count as wrong.
        unseen: stated slots that no image shows (a guess, right or wrong).
    """

    stated: int
    right: int
    accuracy: float | None
    balanced: float | None
    visible: int
    seen: int
    covered: float | None
    covered_seen: float | None
    whole: float | None
    whole_balanced: float | None
    absent: int
    unseen: int


@dataclass(frozen=True)
class Compared:
    """A caption set beside the first one, over the slots of images that both describe.

    Attributes:
        before: slots that the first states. kept: of these, those that this set states too.
        before_accuracy: of the first over `kept`; kept_accuracy: of this set over them.
        before_balanced, kept_balanced: the same, balanced.
        new: slots that only this set states. new_accuracy, new_balanced: of them.
        whole_before, whole: accuracy over the visible slots, what is missing counted as wrong.
    """

    before: int
    kept: int
    before_accuracy: float | None
    kept_accuracy: float | None
    before_balanced: float | None
    kept_balanced: float | None
    new: int
    new_accuracy: float | None
    new_balanced: float | None
    whole_before: float | None
    whole: float | None


@dataclass(frozen=True)
class AbstentionPoint:
    """What remains when captions state only what reaches a confidence.

    Attributes:
        threshold: 0..1.
        stated: slots that reach it.
        covered: the share of visible slots that are still stated.
        accuracy: of what is stated; None where nothing is.
    """

    threshold: float
    stated: int
    covered: float | None
    accuracy: float | None


def judge(
    captions: Mapping[tuple[str, str], Mapping[str, Said]], truth: Truth, schema: Schema
) -> tuple[Judged, ...]:
    """Hold captions against the truth.

    Args:
        captions: (observation, modality) -> attribute -> what is stated; a caption that states nothing
            belongs here too. Images that the truth does not tell of are left out.
        truth: of the same observations.
        schema: attributes, and the modalities that can show them.

    Returns:
        Every slot that is stated, seen or visible, in the captions' order.
    """
    told = {(observation, modality) for observation, modality, _ in truth.values}
    found = []
    for (observation, modality), stated in captions.items():
        if (observation, modality) not in told:
            continue
        for attribute in schema.attributes:
            key = (observation, modality, attribute.name)
            seen = key in truth.visible
            visible = seen or _elsewhere(attribute, observation, modality, truth)
            said = stated.get(attribute.name)
            if said is not None or visible:
                slot = Judged(
                    observation, modality, attribute.name, said, truth.values.get(key), seen, visible
                )
                found.append(slot)
    return tuple(found)


def _elsewhere(attribute: Attribute, observation: str, modality: str, truth: Truth) -> bool:
    """Tell whether another image shows what this modality could have shown.

    What belongs to one picture is no matter of the others.
    """
    if attribute.per_image or attribute.observable.get(modality, 0.0) <= 0.0:
        return False
    return bool(truth.shown.get((observation, attribute.name)))


def score(slots: Sequence[Judged]) -> Scores:
    """Return the scores of some slots; balanced ones are means over attributes, each counting once."""
    stated = [slot for slot in slots if slot.stated is not None]
    visible = [slot for slot in slots if slot.visible]
    seen = [slot for slot in slots if slot.seen]
    return Scores(
        stated=len(stated),
        right=sum(slot.right for slot in stated),
        accuracy=accuracy(stated),
        balanced=balanced(stated),
        visible=len(visible),
        seen=len(seen),
        covered=share(slot.stated is not None for slot in visible),
        covered_seen=share(slot.stated is not None for slot in seen),
        whole=accuracy(visible),
        whole_balanced=balanced(visible),
        absent=sum(slot.true is None for slot in stated),
        unseen=sum(not slot.visible for slot in stated),
    )


def scores_by(
    slots: Sequence[Judged], key: Callable[[Judged], tuple[str, ...]]
) -> dict[tuple[str, ...], Scores]:
    """Return the scores of each part of the slots, in sorted order of its key."""
    ordered = sorted(slots, key=key)
    return {name: score(tuple(part)) for name, part in groupby(ordered, key=key)}


def accuracy(slots: Sequence[Judged]) -> float | None:
    """Return the share of slots that state the truth; None of none."""
    return share(slot.right for slot in slots)


def balanced(slots: Sequence[Judged], *, least: int = LEAST) -> float | None:
    """Return balanced accuracy: over attributes, the mean over true values of the share that is right.

    Slots of attributes that the object does not have are no value's, so they do not count here.

    Args:
        slots: whatever is stated or not.
        least: slots that a value needs to count. Where an attribute has no such value it does not count.
    """
    counts: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for slot in slots:
        if slot.true is not None:
            counts[slot.attribute][slot.true].append(slot.right)
    means = []
    for values in counts.values():
        recalls = [sum(hits) / len(hits) for hits in values.values() if len(hits) >= least]
        if recalls:
            means.append(fsum(recalls) / len(recalls))
    return fsum(means) / len(means) if means else None  # exact, so that no order matters


def observations_covered(slots: Sequence[Judged]) -> float | None:
    """Return the share of what the images of each observation show that at least one caption states."""
    found: dict[tuple[str, str], bool] = {}
    for slot in slots:
        if slot.visible:
            key = (slot.observation, slot.attribute)
            found[key] = found.get(key, False) or slot.stated is not None
    return share(found.values())


def compare(first: Sequence[Judged], other: Sequence[Judged]) -> Compared:
    """Compare captions with the first ones, over the images that both describe.

    Args:
        first, other: of `judge`, by the same truth.
    """
    images = {slot.key[:2] for slot in first} & {slot.key[:2] for slot in other}
    old = {slot.key: slot for slot in first if slot.key[:2] in images}
    now = {slot.key: slot for slot in other if slot.key[:2] in images}
    before = [key for key, slot in old.items() if slot.stated is not None]
    kept = [key for key in before if key in now and now[key].stated is not None]
    known = set(before)
    new = [slot for key, slot in now.items() if slot.stated is not None and key not in known]
    return Compared(
        before=len(before),
        kept=len(kept),
        before_accuracy=accuracy([old[key] for key in kept]),
        kept_accuracy=accuracy([now[key] for key in kept]),
        before_balanced=balanced([old[key] for key in kept]),
        kept_balanced=balanced([now[key] for key in kept]),
        new=len(new),
        new_accuracy=accuracy(new),
        new_balanced=balanced(new),
        whole_before=accuracy([slot for slot in old.values() if slot.visible]),
        whole=accuracy([slot for slot in now.values() if slot.visible]),
    )


def abstention(slots: Sequence[Judged]) -> tuple[AbstentionPoint, ...]:
    """Return coverage and accuracy at every threshold; empty where no slot has a confidence."""
    claimed = [
        (slot.stated.confidence, slot.right, slot.visible)
        for slot in slots
        if slot.stated is not None and slot.stated.confidence is not None
    ]
    if not claimed:
        return ()
    total = sum(slot.visible for slot in slots)
    points = []
    for threshold in ABSTENTION:
        left = [(right, visible) for confidence, right, visible in claimed if confidence >= threshold]
        points.append(
            AbstentionPoint(
                threshold=threshold,
                stated=len(left),
                covered=sum(visible for _, visible in left) / total if total else None,
                accuracy=share(right for right, _ in left),
            )
        )
    return tuple(points)


def confidences(slots: Sequence[Judged]) -> list[tuple[float, bool]]:
    """Return (confidence, right) of every stated slot that has a confidence."""
    return [
        (slot.stated.confidence, slot.right)
        for slot in slots
        if slot.stated is not None and slot.stated.confidence is not None
    ]


def share(hits: Iterable[bool]) -> float | None:
    """Return the share of true ones; None of none."""
    counted = list(hits)
    return sum(counted) / len(counted) if counted else None
