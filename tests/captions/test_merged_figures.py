"""What merging has to achieve on simulated answers: persons and vehicles, plain, half and double noise."""

import re
from collections import defaultdict
from functools import cache
from typing import Any

import pytest
from noisy_world import noisy_world, simulated_answers

from nextreid.captions.audit_truth import Judged, Said, balanced, compare, judge, score
from nextreid.captions.fusion import Merged, merge_answers

OBSERVATIONS = 150
NOT_KNOWN = re.compile(r"\b(none|unknown|unclear|unknowable)\b", re.IGNORECASE)

CASES = [(kind, scale) for kind in ("person", "vehicle") for scale in (0.5, 1.0, 2.0)]


@cache
def merged(kind: str, scale: float, method: Any) -> Merged:
    schema, rows, truth = noisy_world(kind, OBSERVATIONS)
    return merge_answers(simulated_answers(schema, rows, truth, scale=scale), schema, rows, method=method)


@cache
def judged(kind: str, scale: float, method: Any) -> tuple[Judged, ...]:
    schema, rows, truth = noisy_world(kind, OBSERVATIONS)
    stated: dict[tuple[str, str], dict[str, Said]] = {
        (row.observation, name): {} for row in rows for name in row.paths
    }
    for slot in merged(kind, scale, method).table.slots:
        stated[slot.observation, slot.modality][slot.attribute] = Said(slot.value, slot.confidence)
    return judge(stated, truth, schema)


def unknown_rate(kind: str, scale: float, method: Any) -> float:
    table = merged(kind, scale, method).table
    captions = [
        table.caption(f"o{number:04d}", name)
        for number in range(OBSERVATIONS)
        for name in ("rgb", "nir", "tir")
    ]
    return sum(NOT_KNOWN.search(text) is not None for text in captions) / len(captions)


@pytest.mark.parametrize(("kind", "scale"), CASES)
def test_a_caption_of_one_image_says_unknown_and_a_merged_one_never_does(kind: str, scale: float) -> None:
    assert unknown_rate(kind, scale, "plain") >= 0.4
    assert unknown_rate(kind, scale, "merge") == 0.0


@pytest.mark.parametrize(("kind", "scale"), CASES)
def test_what_was_filled_stays_as_right_and_what_is_new_is_mostly_right(kind: str, scale: float) -> None:
    before, after = judged(kind, scale, "plain"), judged(kind, scale, "merge")
    found = compare(before, after)
    assert found.kept_balanced >= found.before_balanced  # type: ignore[operator]
    if scale <= 1.0:
        assert found.new_accuracy >= 0.85  # type: ignore[operator]
        assert found.new_balanced >= 0.85  # type: ignore[operator]
    # what merging leaves out counts as wrong here
    old = [slot for slot in before if slot.stated is not None]
    now = {slot.key: slot for slot in after}
    left = [now.get(slot.key, slot) for slot in old]
    dropped = sum(slot.key not in now for slot in old)
    right = sum(slot.right for slot in left if slot.key in now)
    assert right / len(old) >= sum(slot.right for slot in old) / len(old), dropped


@pytest.mark.parametrize(("kind", "scale"), CASES)
def test_more_is_told_and_more_of_all_is_right(kind: str, scale: float) -> None:
    before, after = score(judged(kind, scale, "plain")), score(judged(kind, scale, "merge"))
    if scale <= 1.0:
        assert after.covered >= 0.9  # type: ignore[operator]
    assert after.whole > before.whole + 0.05  # type: ignore[operator]
    assert after.whole_balanced > before.whole_balanced + 0.05  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["person", "vehicle"])
def test_every_modality_gains(kind: str) -> None:
    parts: dict[str, dict[str, list[Judged]]] = defaultdict(lambda: defaultdict(list))
    for method in ("plain", "merge"):
        for slot in judged(kind, 1.0, method):
            if slot.visible:
                parts[slot.modality][method].append(slot)
    for found in parts.values():
        assert balanced(found["merge"]) > balanced(found["plain"]) + 0.03  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["person", "vehicle"])
def test_every_image_fills_what_any_image_shows_nine_times_of_ten(kind: str) -> None:
    for modality in ("rgb", "nir", "tir"):
        part = [slot for slot in judged(kind, 1.0, "merge") if slot.modality == modality]
        assert score(part).covered >= 0.9, modality  # type: ignore[operator]
