from dataclasses import replace

import numpy as np
import pytest
from evaluation_cases import rows_of

from nextreid.errors import InputError
from nextreid.evaluation.protocols import protocol_named
from nextreid.evaluation.ranking import METRIC_NAMES, Ranking, rank
from nextreid.evaluation.statistics import bootstrap_intervals, chance_scores, paired_differences


def ranking_of(noise, seed=0, people=12, each=6):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    rows = rows_of([str(i) for i in who], ["12"[i % 2] for i in range(len(who))])
    centres = np.random.default_rng(99).standard_normal((people, 8))
    vectors = (centres[who] + noise * rng.standard_normal((len(who), 8))).astype(np.float32)
    return rank(vectors, vectors, protocol_named("cross-camera").match(rows, rows))


def slow_chance_ap(n, total):
    """Mean AP over all ways to place n matches among `total` places."""
    from itertools import combinations

    aps = [
        np.mean([(j + 1) / (place + 1) for j, place in enumerate(places)])
        for places in combinations(range(total), n)
    ]
    return float(np.mean(aps))


def with_counts(matches, kept) -> Ranking:
    return replace(ranking_of(1.0), matches=np.array(matches), kept=np.array(kept))


@pytest.mark.parametrize(
    ("n", "total"), [(1, 1), (1, 2), (2, 2), (1, 7), (3, 7), (6, 7), (7, 7), (2, 12), (5, 12)]
)
def test_chance_equals_enumeration(n, total):
    scores = chance_scores(with_counts([n], [total]))
    assert scores["mAP"] == pytest.approx(slow_chance_ap(n, total), abs=1e-12)
    assert scores["rank1"] == pytest.approx(n / total)
    assert scores["rank20"] == 1.0


def test_chance_equals_simulation_and_leaves_out_invalid_queries():
    rng = np.random.default_rng(0)
    cases = [(3, 40), (10, 200), (0, 50)]
    simulated = {"mAP": [], "rank5": []}
    for n, total in cases[:2]:
        for _ in range(4000):
            places = np.sort(rng.permutation(total)[:n]) + 1
            simulated["mAP"].append((np.arange(1, n + 1) / places).mean())
            simulated["rank5"].append(places[0] <= 5)
    scores = chance_scores(with_counts([n for n, _ in cases], [t for _, t in cases]))
    assert scores["mAP"] == pytest.approx(np.mean(simulated["mAP"]), abs=0.004)
    assert scores["rank5"] == pytest.approx(np.mean(simulated["rank5"]), abs=0.015)


def test_random_vectors_score_at_chance():
    rng = np.random.default_rng(4)
    scores, chances = [], []
    for _ in range(20):
        rows = rows_of([str(i % 10) for i in range(60)], ["12"[(i // 10) % 2] for i in range(60)])
        vectors = rng.standard_normal((60, 40)).astype(np.float32)
        ranking = rank(vectors, vectors, protocol_named("cross-camera").match(rows, rows))
        scores.append(ranking.metrics()["mAP"])
        chances.append(chance_scores(ranking)["mAP"])
    assert np.mean(scores) == pytest.approx(np.mean(chances), abs=0.02)


def test_intervals_hold_the_score_and_depend_on_the_seed_alone():
    ranking = ranking_of(0.8)
    intervals = bootstrap_intervals(ranking, samples=500, seed=1)
    assert set(intervals) == set(METRIC_NAMES)
    for name, score in ranking.metrics().items():
        low, high = intervals[name]
        assert 0 <= low <= score <= high <= 1
    assert intervals == bootstrap_intervals(ranking, samples=500, seed=1)
    assert intervals != bootstrap_intervals(ranking, samples=500, seed=2)
    assert bootstrap_intervals(ranking, samples=0) == {}


def test_interval_width_is_that_of_the_mean():
    ranking = ranking_of(0.8, people=40)
    ap = ranking.ap[ranking.valid]
    low, high = bootstrap_intervals(ranking, samples=4000)["mAP"]
    assert high - low == pytest.approx(2 * 1.96 * ap.std() / np.sqrt(len(ap)), rel=0.1)


def test_blocks_of_resamples_change_nothing(monkeypatch):
    whole = bootstrap_intervals(ranking_of(0.8), samples=50)
    monkeypatch.setattr("nextreid.evaluation.statistics._BLOCK_NUMBERS", 72 * 7)
    blocked = bootstrap_intervals(ranking_of(0.8), samples=50)
    assert np.allclose([blocked[name] for name in METRIC_NAMES], [whole[name] for name in METRIC_NAMES])


def test_paired_difference_sees_what_single_intervals_cannot():
    good, bad = ranking_of(0.8), ranking_of(1.0)
    gain = paired_differences(good, bad, samples=500)["mAP"]
    assert gain.difference == pytest.approx(good.metrics()["mAP"] - bad.metrics()["mAP"])
    assert gain.interval[0] < gain.difference < gain.interval[1]
    assert gain.better
    assert not gain.worse
    back = paired_differences(bad, good, samples=500)["mAP"]
    assert back.interval == pytest.approx((-gain.interval[1], -gain.interval[0]), abs=1e-12)
    assert back.worse
    same = paired_differences(good, good)["rank1"]
    assert same.interval == (0.0, 0.0)
    assert not same.better


def test_paired_difference_of_other_queries_is_refused():
    with pytest.raises(InputError, match="different queries"):
        paired_differences(ranking_of(1.0), ranking_of(1.0, people=11))
    first = ranking_of(1.0)
    fewer = np.where(np.arange(72) == 3, 0, first.matches)
    with pytest.raises(InputError, match="different valid queries"):
        paired_differences(first, replace(first, matches=fewer))
    with pytest.raises(InputError, match="0 bootstrap samples"):
        paired_differences(first, first, samples=0)
