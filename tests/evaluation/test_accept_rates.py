import math
from fractions import Fraction

import numpy as np
import pytest
from evaluation_cases import rows_of

from nextreid.embedding.neighbours import Block, distance_blocks
from nextreid.errors import InputError
from nextreid.evaluation.accept_rates import accept_entry, accept_rates, tpr_at_fpr
from nextreid.evaluation.evaluate import evaluate_rows
from nextreid.evaluation.protocols import protocol_named


def given(distances):
    """Blocks of one query each."""
    distances = np.array(distances, dtype=np.float32)
    for row, keys in enumerate(distances):
        yield Block(row, keys[None].copy(), np.zeros((1, 1), np.float32), "reranked")


def slow_rate(same, different, rate):
    """Try every threshold that tells pairs apart; keep the best whose false positives are few enough."""
    best = Fraction(0)
    for limit in [*sorted({*same, *different}), math.inf]:
        false = Fraction(sum(d < limit for d in different), len(different))
        if false <= Fraction(str(rate)):
            best = max(best, Fraction(sum(d < limit for d in same), len(same)))
    return float(best)


def test_hand_worked_case():
    # same: 0.1 0.3 0.5; different: 0.2 0.4 0.6 0.8 (one of each query at 0.2, 0.4 ...)
    queries, gallery = rows_of("ab", prefix="q"), rows_of("aab.", prefix="g")
    matching = protocol_named("none").match(queries, gallery)
    distances = [[0.1, 0.3, 0.2, 0.4], [0.6, 0.8, 0.5, 0.9]]
    found = tpr_at_fpr(given(distances), matching, fprs=(0.1, 0.2, 0.4, 0.6, 1.0))
    assert (found.same, found.different) == (3, 5)
    assert found.tpr == pytest.approx({0.1: 1 / 3, 0.2: 2 / 3, 0.4: 1, 0.6: 1, 1.0: 1})
    assert found.threshold == pytest.approx({0.1: 0.2, 0.2: 0.4, 0.4: 0.6, 0.6: 0.8, 1.0: math.inf})


def test_ties_never_exceed_the_rate():
    queries, gallery = rows_of("a", prefix="q"), rows_of("abbb", prefix="g")
    matching = protocol_named("none").match(queries, gallery)
    # one false pair of three may pass, but the nearest two have one distance, the match's too
    assert tpr_at_fpr(given([[0.2, 0.2, 0.2, 0.7]]), matching, fprs=(0.34,)).tpr == {0.34: 0.0}


def test_equals_the_slow_twin_on_random_cases():
    rng = np.random.default_rng(0)
    ties = few = 0
    for _ in range(500):
        names = list("abcd"[: rng.integers(1, 5)])
        queries = rows_of(rng.choice(names, int(rng.integers(1, 5))), rng.choice(list("12"), 5), prefix="q")
        gallery = rows_of(
            rng.choice([*names, "."], int(rng.integers(1, 9))), rng.choice(list("12"), 9), prefix="g"
        )
        try:
            matching = protocol_named("cross-camera").match(queries, gallery)
        except InputError:
            few += 1
            continue
        distances = rng.integers(0, 9, (len(queries), len(gallery))) / 8
        same, different = [], []
        for i, query in enumerate(queries):
            for j, entry in enumerate(gallery):
                if query.identity == entry.identity and query.camera == entry.camera:
                    continue
                (same if query.identity == entry.identity else different).append(distances[i, j])
        rates = (0.01, 0.1, 0.25, 0.5, 1.0)
        found = tpr_at_fpr(given(distances), matching, fprs=rates)
        assert (found.same, found.different) == (len(same), len(different))
        if not different:
            assert found.tpr == {}
            continue
        ties += len(set(different)) < len(different)
        for rate in rates:
            assert found.tpr[rate] == pytest.approx(slow_rate(same, different, rate), abs=1e-12)
    assert ties > 100
    assert few < 250


def test_parts_that_are_dropped_on_the_way_change_nothing(monkeypatch):
    monkeypatch.setattr("nextreid.evaluation.accept_rates._LEAST_GATHERED", 10)
    rng = np.random.default_rng(1)
    who = [str(i) for i in rng.integers(0, 20, 200)]
    rows = rows_of(who)
    matching = protocol_named("none").match(rows, rows)
    vectors = rng.standard_normal((200, 8)).astype(np.float32)
    found = tpr_at_fpr(distance_blocks(vectors, vectors), matching, fprs=(1e-3, 0.5))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    alike = np.array(who)[:, None] == np.array(who)[None]
    other = ~np.eye(200, dtype=bool)
    different = np.sort(distances[~alike])
    for rate in (1e-3, 0.5):
        limit = different[math.floor(Fraction(str(rate)) * len(different))]
        assert found.threshold[rate] == pytest.approx(limit, abs=1e-6)
        assert found.tpr[rate] == pytest.approx((distances[alike & other] < limit).mean(), abs=1e-3)


def test_rates_of_an_evaluation_and_what_the_file_says():
    rng = np.random.default_rng(2)
    rows = rows_of("aabbccdd")
    vectors = np.repeat(rng.standard_normal((4, 16)), 2, axis=0) + 0.01 * rng.standard_normal((8, 16))
    vectors = vectors.astype(np.float32)
    evaluation = evaluate_rows(vectors, vectors, rows, rows, protocol="none", bootstrap=0)
    entry = accept_entry(accept_rates(evaluation, vectors, vectors))
    assert entry["same_pairs"] == 8
    assert entry["different_pairs"] == 48
    assert entry["tpr@fpr=1e-4"] == entry["tpr@fpr=1e-3"] == entry["tpr@fpr=1e-2"] == 1.0
    assert 0 < entry["threshold@fpr=1e-3"] < 2


def test_impossible_rates_are_refused():
    rows = rows_of("aab")
    matching = protocol_named("none").match(rows, rows)
    for bad in ((), (0.0,), (1.5,), (float("nan"),)):
        with pytest.raises(InputError, match="at most 1"):
            tpr_at_fpr([], matching, fprs=bad)
