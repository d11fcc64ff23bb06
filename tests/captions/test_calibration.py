import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from noisy_world import noisy_world, simulated_answers

from nextreid.captions.calibrating import calibrate
from nextreid.captions.calibration import (
    LEAST,
    PRIOR,
    Calibration,
    Map,
    fit_map,
    read_calibration,
    write_calibration,
)
from nextreid.captions.calibration_picture import draw_calibration
from nextreid.captions.fusion import merge_answers
from nextreid.captions.reliability import reliability, threshold_for
from nextreid.errors import InputError
from nextreid.seeding import numpy_generator

Claims = list[tuple[float, bool]]


def drawn(count: int, seed: int = 0, power: float = 2.0) -> Claims:
    """Claims that are right with the power of their confidence: overconfident."""
    rng = numpy_generator(seed, "claims")
    stated = np.round(rng.random(count), 2)
    return [(float(c), bool(rng.random() < c**power)) for c in stated]


def pooled(claims: Claims) -> list[tuple[float, float]]:
    """Pool adjacent violators, one pair at a time: (centre, share) of each step, the prior added last."""
    mean = sum(right for _, right in claims) / len(claims)
    blocks = [
        [c for c in claims if c[0] == value] for value in sorted({confidence for confidence, _ in claims})
    ]

    def share(block: Claims) -> float:
        return sum(right for _, right in block) / len(block)

    merged = True
    while merged:
        merged = False
        for at in range(len(blocks) - 1):
            if share(blocks[at]) >= share(blocks[at + 1]) - 1e-12:
                blocks[at : at + 2] = [blocks[at] + blocks[at + 1]]
                merged = True
                break
    steps, highest = [], 0.0
    for block in blocks:
        centre = sum(confidence for confidence, _ in block) / len(block)
        highest = max(highest, (sum(right for _, right in block) + PRIOR * mean) / (len(block) + PRIOR))
        steps.append((centre, highest))
    return steps


@pytest.mark.parametrize("seed", range(4))
def test_a_map_is_that_of_pooling_adjacent_violators(seed: int) -> None:
    claims = drawn(200, seed)
    found, slow = fit_map(claims), pooled(claims)
    assert found is not None
    # equal neighbours may be one step or two: the maps are compared, not the steps
    grid = np.linspace(0, 1, 101)
    by_hand = np.interp(grid, [c for c, _ in slow], [w for _, w in slow])
    assert np.abs(np.array([found(x) for x in grid]) - by_hand).max() < 0.05
    assert list(found.worth) == sorted(found.worth)
    assert found.worth[0] > 0
    assert found.worth[-1] < 1


def test_a_map_says_what_confidences_are_worth() -> None:
    found = fit_map(drawn(20_000))
    assert found is not None
    for confidence in (0.2, 0.5, 0.8):
        assert found(confidence) == pytest.approx(confidence**2, abs=0.05)
    assert fit_map(drawn(20_000)[::-1]) == found, "the order of claims must not matter"


def test_too_few_claims_give_no_map() -> None:
    assert fit_map(drawn(LEAST - 1)) is None
    assert fit_map(drawn(LEAST)) is not None
    assert fit_map([]) is None


def test_the_calibration_error_is_that_of_bins_by_hand() -> None:
    claims = drawn(500)
    total = 0.0
    for number in range(10):
        low, high = number / 10, (number + 1) / 10
        part = [c for c in claims if (low < c[0] <= high) or (number == 0 and c[0] == 0)]
        if part:
            gap = abs(sum(c for c, _ in part) / len(part) - sum(r for _, r in part) / len(part))
            total += gap * len(part) / len(claims)
    found = reliability(claims)
    assert found.ece == pytest.approx(total)
    assert sum(entry.count for entry in found.bins) == 500
    assert reliability([]).ece == 0.0
    assert reliability([(1.0, True), (0.0, False)]).ece == 0.0
    assert reliability([(1.0, False)]).ece == 1.0


def test_a_threshold_is_the_least_whose_claims_are_surely_precise_enough() -> None:
    claims = drawn(400)

    def surely(threshold: float) -> float:
        part = [right for confidence, right in claims if confidence >= threshold]
        n, p, z = len(part), sum(part) / len(part), 1.645
        return (p + z * z / (2 * n) - z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)

    for target in (0.5, 0.7):
        slow = min(c for c, _ in claims if surely(c) >= target)
        assert threshold_for(claims, target) == slow
    assert threshold_for(claims, 0.999) is None
    assert threshold_for([], 0.5) is None


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    step = fit_map(drawn(100))
    assert step is not None
    fitted = Calibration({("a b", "rgb"): step}, None, step, 0.25, None, {"data": {"name": "x"}})
    write_calibration(fitted, tmp_path / "calibration.json")
    assert read_calibration(tmp_path / "calibration.json") == fitted


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    with pytest.raises(InputError, match="no calibration"):
        read_calibration(path)
    write_calibration(Calibration({("a", "rgb"): Map((0.1, 0.9), (0.2, 0.8), 50)}), path)
    whole = json.loads(path.read_text())
    for change in (
        {"format": "other/1"},
        {
            "claims": [
                {"model": "a", "modality": "rgb", "stated": [0.9, 0.1], "worth": [0.1, 0.2], "claims": 3}
            ]
        },
        {"claims": [{"model": "a", "modality": "rgb", "stated": [0.1], "worth": [1.2], "claims": 3}]},
        {"claims": [{"model": "a"}]},
        {"threshold": 7},
        {"notes": 3},
    ):
        path.write_text(json.dumps(whole | change))
        with pytest.raises(InputError, match=r"calibration\.json"):
            read_calibration(path)
    path.write_text("{")
    with pytest.raises(InputError, match="damaged"):
        read_calibration(path)


@pytest.mark.parametrize(("kind", "target"), [("person", 0.9), ("vehicle", 0.95)])
def test_a_target_precision_is_reached_on_held_out_rows(kind: str, target: float, tmp_path: Path) -> None:
    schema, rows, truth = noisy_world(kind, 240)
    answers = simulated_answers(schema, rows, truth)
    found = calibrate(answers, truth, schema, rows, target=target, held_out=0.4)
    assert found.reached == (True, True)
    proof = found.proof
    assert proof is not None
    assert proof.precision >= target
    assert proof.calibrated.ece < proof.stated.ece / 3, "stated confidences are far off, fitted ones are not"
    assert proof.merged.ece < 0.05
    # and by hand: the same rows, merged and counted
    held = [row for row in rows if row.observation not in _fitted(found, rows, truth)]
    slots = merge_answers(answers, schema, held, calibration=found.calibration).table.slots
    right = [truth.values[s.observation, s.modality, s.attribute] == s.value for s in slots]
    assert len(held) == proof.observations
    assert proof.slots == len(right)
    assert sum(right) / len(right) == pytest.approx(proof.precision)
    draw_calibration(proof, tmp_path / "calibration.png")
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")


def _fitted(found: object, rows: object, truth: object) -> set[str]:
    from nextreid.captions.calibrating import _drawn

    return {row.observation for row in rows if _drawn(row, 0) >= 0.4}  # type: ignore[attr-defined]


def test_identities_are_never_in_both_parts() -> None:
    from nextreid.captions.calibrating import _drawn

    _, rows, _ = noisy_world("person", 100)
    drawn_of: dict[str | None, set[float]] = {}
    for row in rows:
        drawn_of.setdefault(row.identity, set()).add(_drawn(row, 0))
    assert len(drawn_of) == 50
    assert all(len(values) == 1 for values in drawn_of.values())
    draws = [value for values in drawn_of.values() for value in values]
    assert 0.35 < np.mean(draws) < 0.65


def test_what_no_confidence_is_worth_is_left_out() -> None:
    schema, rows, truth = noisy_world("person", 60)
    wrong = [
        replace(answer, claims={})
        if answer.modality == "tir"
        else replace(
            answer,
            claims={
                name: replace(
                    claim, value=_other(schema, name, truth.values[answer.observation, "rgb", name])
                )
                for name, claim in answer.claims.items()
                if not schema.attribute(name).per_image
            },
        )
        for answer in simulated_answers(schema, rows, truth)
    ]
    found = calibrate(wrong, truth, schema, rows)
    assert found.reached == (False, False)
    assert merge_answers(wrong, schema, rows, calibration=found.calibration).table.slots == ()


def _other(schema: object, name: str, value: str) -> str:
    return next(v for v in schema.attribute(name).values if v != value)  # type: ignore[attr-defined]


def test_too_few_labels_are_named() -> None:
    schema, rows, truth = noisy_world("person", 4)
    answers = simulated_answers(schema, rows, truth)
    with pytest.raises(InputError, match="Too few labelled claims"):
        calibrate(answers[:1], truth, schema, rows, held_out=0.0)
    with pytest.raises(InputError, match="target"):
        calibrate(answers, truth, schema, rows, target=1.0)
    with pytest.raises(InputError, match="held-out"):
        calibrate(answers, truth, schema, rows, held_out=1.0)
    small = calibrate(answers, truth, schema, rows, held_out=0.0)
    assert small.proof is None
