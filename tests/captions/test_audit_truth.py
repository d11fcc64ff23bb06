"""Captions against the truth: a case worked by hand, a slow twin, and what must not matter."""

import random
from collections import defaultdict

import pytest

from nextreid.attributes import load_schema
from nextreid.captions.audit_truth import (
    Judged,
    Said,
    abstention,
    balanced,
    compare,
    confidences,
    judge,
    observations_covered,
    score,
    scores_by,
)
from nextreid.captions.truth import Truth

PERSON = load_schema("person")


def truth() -> Truth:
    """Observation a: a man in a red coat with a bag; b: a woman in a dress, which has no lower garment."""
    facts = {
        ("a", "rgb"): {
            "gender": ("male", True),
            "upper": ("coat", True),
            "upper_colour": ("red", True),
            "lower": ("jeans", False),
            "carrying": ("handbag", False),
            "image_quality": ("clear", True),
        },
        ("a", "tir"): {
            "gender": ("male", True),
            "upper": ("coat", False),
            "upper_colour": ("red", False),
            "lower": ("jeans", False),
            "carrying": ("handbag", True),
            "image_quality": ("blurry", True),
        },
        ("b", "rgb"): {"gender": ("female", True), "upper": ("dress", True)},
    }
    values = {(*key, name): value for key, part in facts.items() for name, (value, _) in part.items()}
    visible = {(*key, name) for key, part in facts.items() for name, (_, seen) in part.items() if seen}
    return Truth(values, frozenset(visible))


CAPTIONS = {
    ("a", "rgb"): {
        "gender": Said("male", 0.9),
        "upper": Said("jacket", 0.8),  # wrong
        "upper_colour": Said("red", 0.7),
        "lower": Said("jeans", 0.2),  # right, and no image shows it: a guess
    },
    ("a", "tir"): {"gender": Said("female", 0.6), "image_quality": Said("blurry", 1.0)},
    ("b", "rgb"): {"upper": Said("dress", 0.9), "lower": Said("skirt", 0.4)},  # it has no lower garment
    ("b", "tir"): {"gender": Said("female", 0.9)},  # the truth does not tell of this image
    ("z", "rgb"): {"gender": Said("female", 0.9)},  # nor of this observation
}


def test_worked_by_hand() -> None:
    judged = judge(CAPTIONS, truth(), PERSON)
    slots = {slot.key: slot for slot in judged}
    assert {key[:2] for key in slots} == {("a", "rgb"), ("a", "tir"), ("b", "rgb")}
    # what the thermal image shows, the colour image could have: visible there, not seen
    carrying = slots["a", "rgb", "carrying"]
    assert (carrying.seen, carrying.visible, carrying.stated) == (False, True, None)
    # the coat is visible to tir through rgb; its colour never is; sharpness is each picture's own
    assert slots["a", "tir", "upper"].visible
    assert ("a", "tir", "upper_colour") not in slots
    assert slots["a", "rgb", "image_quality"].seen
    assert slots["a", "tir", "image_quality"].right
    scores = score(judged)
    assert scores.stated == 8
    assert scores.right == 5  # male, red, jeans; blurry; dress
    assert scores.accuracy == pytest.approx(5 / 8)
    # a rgb: gender, upper, colour, carrying, quality; tir: all but the colour; b: gender, upper
    assert scores.visible == 11
    assert scores.seen == 9
    assert scores.covered == pytest.approx(6 / 11)
    assert scores.covered_seen == pytest.approx(6 / 9)
    assert scores.whole == pytest.approx(4 / 11)  # male, red, blurry, dress
    assert scores.absent == 1
    assert scores.unseen == 2  # the jeans and the skirt
    # of a: gender, upper, colour, quality are stated, the bag is not; of b: upper is, gender is not
    assert observations_covered(judged) == pytest.approx(5 / 7)
    by_modality = scores_by(judged, lambda slot: (slot.modality,))
    assert by_modality["tir",].right == 1
    assert by_modality["tir",].stated == 2


def drawn(seed: int, count: int = 400) -> list[Judged]:
    rng = random.Random(seed)
    found = []
    for number in range(count):
        attribute = rng.choice(PERSON.attributes)
        true = rng.choice([*attribute.values, None])
        said = rng.choice([*attribute.values, None, None])
        stated = None if said is None else Said(said, rng.choice([None, round(rng.random(), 2)]))
        seen = rng.random() < 0.5
        found.append(
            Judged(
                f"o{number}",
                rng.choice(["rgb", "tir"]),
                attribute.name,
                stated,
                true,
                seen,
                seen or rng.random() < 0.3,
            )
        )
    return found


@pytest.mark.parametrize("seed", range(3))
def test_balanced_is_what_loops_say(seed: int) -> None:
    slots = drawn(seed)
    for least in (1, 3):
        means = []
        for attribute in PERSON.attributes:
            recalls = []
            for value in attribute.values:
                of_it = [slot for slot in slots if slot.attribute == attribute.name and slot.true == value]
                if len(of_it) >= least:
                    recalls.append(
                        sum(
                            slot.stated == Said(value, getattr(slot.stated, "confidence", 0))
                            for slot in of_it
                        )
                        / len(of_it)
                    )
            if recalls:
                means.append(sum(recalls) / len(recalls))
        assert balanced(slots, least=least) == pytest.approx(sum(means) / len(means))


def test_a_constant_answer_is_at_chance() -> None:
    slots = []
    for number, (true, count) in enumerate([("male", 90), ("female", 10)]):
        for n in range(count):
            slots.append(Judged(f"{number}-{n}", "rgb", "gender", Said("male"), true, True, True))
    assert score(slots).accuracy == pytest.approx(0.9)
    assert balanced(slots) == pytest.approx(0.5)
    assert balanced([]) is None


def test_order_does_not_matter() -> None:
    slots = drawn(5)
    shuffled = random.Random(1).sample(slots, len(slots))
    assert score(slots) == score(shuffled)
    assert abstention(slots) == abstention(shuffled)


def test_abstention_states_less_and_less() -> None:
    curve = abstention(drawn(7))
    assert [point.threshold for point in curve] == sorted({point.threshold for point in curve})
    stated = [point.stated for point in curve]
    assert stated == sorted(stated, reverse=True)
    sure = confidences(drawn(7))
    assert stated[0] == len(sure)
    at_half = next(point for point in curve if point.threshold == 0.5)
    assert at_half.stated == sum(confidence >= 0.5 for confidence, _ in sure)
    hits = [hit for confidence, hit in sure if confidence >= 0.5]
    assert at_half.accuracy == pytest.approx(sum(hits) / len(hits))
    assert abstention([slot for slot in drawn(7) if slot.stated is None]) == ()


def test_compared_with_itself_nothing_is_new() -> None:
    slots = drawn(9)
    same = compare(slots, slots)
    assert same.before == same.kept
    assert same.new == 0
    assert same.new_accuracy is None
    assert same.before_accuracy == same.kept_accuracy
    assert same.whole == same.whole_before


def test_what_is_new_and_what_was_there_before() -> None:
    def slot(attribute: str, said: str | None, true: str, observation: str = "a") -> Judged:
        stated = None if said is None else Said(said)
        return Judged(observation, "rgb", attribute, stated, true, True, True)

    first = [slot("upper", "coat", "coat"), slot("lower", None, "jeans"), slot("gender", "male", "female")]
    other = [
        slot("upper", "coat", "coat"),
        slot("lower", "jeans", "jeans"),
        slot("gender", "female", "female"),
    ]
    strange = slot("upper", "coat", "dress", observation="only in the other")
    found = compare(first, [*other, strange])
    assert (found.before, found.kept, found.new) == (2, 2, 1)
    assert (found.before_accuracy, found.kept_accuracy, found.new_accuracy) == (0.5, 1.0, 1.0)
    assert (found.whole_before, found.whole) == (pytest.approx(1 / 3), 1.0)


def test_twice_as_many_of_everything_changes_no_share() -> None:
    slots = drawn(11)
    again = [
        Judged(
            f"again {slot.observation}",
            slot.modality,
            slot.attribute,
            slot.stated,
            slot.true,
            slot.seen,
            slot.visible,
        )
        for slot in slots
    ]
    one, two = score(slots), score([*slots, *again])
    assert two.stated == 2 * one.stated
    assert two.accuracy == pytest.approx(one.accuracy)
    assert two.whole == pytest.approx(one.whole)
    counts: dict[str, int] = defaultdict(int)
    for slot in slots:
        counts[slot.attribute] += slot.stated is not None
    parts = scores_by(slots, lambda slot: (slot.attribute,))
    assert {key[0]: scores.stated for key, scores in parts.items()} == dict(counts)
