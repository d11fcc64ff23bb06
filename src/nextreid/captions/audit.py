"""The audit of caption sets: what their texts are like, what they state, and how much of it is true."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from nextreid.captions.audit_sets import AuditedSet
from nextreid.captions.audit_truth import (
    AbstentionPoint,
    Compared,
    Judged,
    Said,
    Scores,
    abstention,
    compare,
    confidences,
    judge,
    observations_covered,
    score,
    scores_by,
)
from nextreid.captions.reliability import Reliability, reliability
from nextreid.captions.statistics import Rule, TextStatistics, text_statistics
from nextreid.captions.truth import Truth
from nextreid.errors import InputError


@dataclass(frozen=True)
class Agreement:
    """How often two modalities' captions of an observation say the same of an attribute.

    Attributes:
        attribute: which.
        modalities: the two.
        n: observations of which both captions state it.
        agreement: the share of these that state the same value.
        chance: what captions of different observations would agree, values as frequent as they are.
    """

    attribute: str
    modalities: tuple[str, str]
    n: int
    agreement: float
    chance: float


@dataclass(frozen=True)
class TruthAudit:
    """A set held against the truth.

    Attributes:
        images: captions that the truth tells of.
        untold: captions that it does not.
        overall: the scores of all slots. by_modality, by_attribute: of parts of them; the key of
            `by_attribute` is (attribute, modality).
        observations: the share of what the images of an observation show that any of its captions states.
        reliability: of the confidences, all (key "all") and by modality; empty where there are none.
        abstention: likewise.
        compared: with the first set of the audit; None for the first.
    """

    images: int
    untold: int
    overall: Scores
    by_modality: Mapping[str, Scores]
    by_attribute: Mapping[tuple[str, str], Scores]
    observations: float | None
    reliability: Mapping[str, Reliability]
    abstention: Mapping[str, tuple[AbstentionPoint, ...]]
    compared: Compared | None = None


@dataclass(frozen=True)
class SetAudit:
    """The audit of one set.

    Attributes:
        audited: the set.
        text: statistics of its texts.
        captions: modality -> captions that were read for what they state.
        coverage: modality -> attribute -> share of these captions that state it; every attribute that the
            modality can show, and any other that is stated all the same.
        unobservable: modality -> slots that state what the modality cannot show.
        agreement: of every attribute and pair of modalities that state it.
        truth: None where none was given.
    """

    audited: AuditedSet
    text: TextStatistics
    captions: Mapping[str, int]
    coverage: Mapping[str, Mapping[str, float]]
    unobservable: Mapping[str, int]
    agreement: tuple[Agreement, ...]
    truth: TruthAudit | None = None


def audit_sets(
    sets: Sequence[AuditedSet], *, rule: Rule = "published", truths: Mapping[str, Truth] | None = None
) -> tuple[SetAudit, ...]:
    """Audit caption sets side by side.

    Args:
        sets: of `read_sets`, read with the data set of the truth where one is given.
        rule: what counts as saying "unknown" (see `text_statistics`).
        truths: kind of schema -> the truth in that schema's words; None: without truth.

    Returns:
        One audit a set, in order.

    Raises:
        InputError: a truth, and a set that says nothing of it.
    """
    audits: list[SetAudit] = []
    first: tuple[Judged, ...] | None = None
    for audited in sets:
        judged: tuple[Judged, ...] | None = None
        if truths is not None:
            truth = truths.get(audited.schema.kind) if audited.schema else None
            if truth is None or audited.schema is None:
                raise InputError(
                    f"{audited.path} cannot be held against the truth: its captions follow no schema of "
                    f"{', '.join(truths)}",
                    do="give the schema of the captions with --schema",
                )
            judged = judge(audited.stated, truth, audited.schema)
            if not judged:
                raise InputError(
                    f"{audited.path} has no caption of an image that the truth tells of",
                    allowed="captions of the data set given as --truth",
                )
        audits.append(
            SetAudit(
                audited=audited,
                text=text_statistics(
                    {key: [text for _, text in captions] for key, captions in audited.texts.items()},
                    rule=rule,
                ),
                captions=dict(Counter(modality for _, modality in audited.stated)),
                coverage=coverage(audited),
                unobservable=unobservable(audited),
                agreement=agreements(audited),
                truth=None if judged is None else _truth_audit(audited, judged, first),
            )
        )
        first = first or judged
    return tuple(audits)


def _truth_audit(
    audited: AuditedSet, judged: tuple[Judged, ...], first: tuple[Judged, ...] | None
) -> TruthAudit:
    images = {slot.key[:2] for slot in judged}
    modalities = [name for name in audited.modalities if any(slot.modality == name for slot in judged)]
    parts = {"all": judged} | {
        name: tuple(slot for slot in judged if slot.modality == name) for name in modalities
    }
    by_attribute = scores_by(judged, lambda slot: (slot.attribute, slot.modality))
    return TruthAudit(
        images=len(images),
        untold=len(set(audited.stated) - images),
        overall=score(judged),
        by_modality={name: score(parts[name]) for name in modalities},
        by_attribute={(key[0], key[1]): scores for key, scores in by_attribute.items()},
        observations=observations_covered(judged),
        reliability={name: reliability(sure) for name, part in parts.items() if (sure := confidences(part))},
        abstention={name: curve for name, part in parts.items() if (curve := abstention(part))},
        compared=None if first is None else compare(first, judged),
    )


def coverage(audited: AuditedSet) -> dict[str, dict[str, float]]:
    """Return modality -> attribute -> share of its captions that state it."""
    if audited.schema is None:
        return {}
    found: dict[str, dict[str, float]] = {}
    for modality in audited.modalities:
        captions = [stated for (_, name), stated in audited.stated.items() if name == modality]
        if not captions:
            continue
        counts = Counter(attribute for stated in captions for attribute in stated)
        found[modality] = {
            attribute.name: counts[attribute.name] / len(captions)
            for attribute in audited.schema.attributes
            if counts[attribute.name] or audited.schema.observable(attribute.name, modality)
        }
    return found


def unobservable(audited: AuditedSet) -> dict[str, int]:
    """Return modality -> slots that state what the schema says it cannot show."""
    if audited.schema is None:
        return {}
    counts = dict.fromkeys(audited.modalities, 0)
    for (_, modality), stated in audited.stated.items():
        counts[modality] += sum(not audited.schema.observable(name, modality) for name in stated)
    return counts


def agreements(audited: AuditedSet) -> tuple[Agreement, ...]:
    """Compare the captions of each two modalities; what belongs to one picture is left out."""
    if audited.schema is None:
        return ()
    by_modality: dict[str, dict[str, Mapping[str, Said]]] = {}
    for (owner, modality), stated in audited.stated.items():
        by_modality.setdefault(modality, {})[owner] = stated
    found = []
    for attribute in audited.schema.attributes:
        if attribute.per_image:
            continue
        for one, two in combinations([name for name in audited.modalities if name in by_modality], 2):
            pairs = [
                (stated[attribute.name].value, by_modality[two][owner][attribute.name].value)
                for owner, stated in by_modality[one].items()
                if attribute.name in stated and attribute.name in by_modality[two].get(owner, {})
            ]
            if pairs:
                left, right = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
                chance = sum(left[value] * right[value] for value in left) / len(pairs) ** 2
                same = sum(a == b for a, b in pairs) / len(pairs)
                found.append(Agreement(attribute.name, (one, two), len(pairs), same, chance))
    return tuple(found)
