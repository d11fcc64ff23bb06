from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from evaluation_cases import rows_of

from nextreid.evaluation.identity_chance import first_within
from nextreid.evaluation.protocol import Protocol
from nextreid.evaluation.ranking import rank
from nextreid.evaluation.statistics import chance_scores


def by_counting(own, others, ranks):
    """Go through every order of the entries; own and others are numbers of entries."""
    entries = [0] * own + [who for who, size in enumerate(others, start=1) for _ in range(size)]
    orders = list(permutations(entries))
    places = [list(dict.fromkeys(order)).index(0) + 1 for order in orders]
    return [np.mean([place <= k for place in places]) for k in ranks]


@pytest.mark.parametrize(
    ("own", "others"), [(1, []), (1, [1]), (1, [3]), (3, [1]), (2, [1, 1, 3]), (1, [1, 2, 4]), (4, [2, 2])]
)
def test_equals_counting_all_orders(own, others):
    ranks = (1, 2, 3, 5)
    assert first_within(own, Counter(others), ranks) == pytest.approx(
        by_counting(own, others, ranks), abs=1e-9
    )


@pytest.mark.parametrize(("people", "size"), [(5, 1), (96, 1), (96, 10), (351, 8)])
def test_of_equal_size_every_place_is_as_likely(people, size):
    ranks = (1, 5, 10, 20)
    found = first_within(size, Counter({size: people - 1}), ranks)
    assert found == pytest.approx([min(1.0, k / people) for k in ranks], abs=1e-9)


def test_uneven_sizes_against_draws():
    rng = np.random.default_rng(0)
    own, others = 3, [1] * 10 + [4] * 20 + [30] * 5
    weights = np.array([own, *others])
    first = rng.exponential(1 / weights, size=(40000, len(weights)))
    places = 1 + (first[:, 1:] < first[:, :1]).sum(axis=1)
    ranks = (1, 5, 10, 20)
    draws = [(places <= k).mean() for k in ranks]
    assert first_within(own, Counter(others), ranks) == pytest.approx(draws, abs=0.008)  # 3 standard errors


def test_many_entries_of_uneven_sizes_against_a_fine_sum():
    sizes = Counter({10: 90, 7: 100, 1: 300, 40: 25})
    n = 13
    grid = np.linspace(0, 1, 40_001) ** 3 * 0.5  # time; ours: fine where arrivals are
    time = (grid[1:] + grid[:-1]) / 2
    arrived = np.zeros((20, len(time)))
    arrived[0] = 1
    for size in sizes.elements():
        gone = 1 - np.exp(-size * time)
        arrived[1:], arrived[0] = arrived[1:] * (1 - gone) + arrived[:-1] * gone, arrived[0] * (1 - gone)
    density = n * np.exp(-n * time) * np.diff(grid)
    ranks = (1, 5, 10, 20)
    expected = [(arrived[:k].sum(axis=0) * density).sum() for k in ranks]
    assert first_within(n, sizes, ranks) == pytest.approx(expected, abs=1e-7)


def test_chance_of_a_protocol_that_counts_identities():
    # q0 (a, camera 1) keeps a2 | b b . (unknown): a with one entry among b of two and a distractor of one
    rule = Protocol("x", 1, "", "", removes=("identity", "camera"), cmc="identity")
    queries, gallery = rows_of("aa", "12", prefix="q"), rows_of("aabb.", "12123", prefix="g")
    matching = rule.match(queries, gallery)
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((7, 3)).astype(np.float32)
    chance = chance_scores(rank(vectors[:2], vectors[2:], matching))
    assert chance["rank1"] == pytest.approx(by_counting(1, [2, 1], [1])[0], abs=1e-9) == pytest.approx(1 / 4)
    assert chance["rank5"] == pytest.approx(1.0)
    scores = []
    for _ in range(3000):
        vectors = rng.standard_normal((7, 3)).astype(np.float32)
        scores.append(rank(vectors[:2], vectors[2:], matching).metrics()["rank1"])
    assert chance["rank1"] == pytest.approx(np.mean(scores), abs=0.03)
