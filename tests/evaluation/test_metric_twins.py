"""The scores against a twin in plain Python, from the definitions alone, on thousands of small cases.

Distances are exact on both sides: whole numbers for euclidean, axes of lengths that are powers of two for
cosine. So ties are ties, and there are many.
"""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from evaluation_cases import rows_of

from nextreid.errors import InputError
from nextreid.evaluation.protocols import Protocol
from nextreid.evaluation.ranking import rank

RULES = (("identity", "camera"), ("identity", "scene"), ("observation",), ("scene",))
"""What a gallery entry that is removed shares with the query; the last is the rule of SYSU-MM01."""


def twin_of_query(query, gallery, distances, rule, cmc):
    """Return (AP, INP, rank of the first match) as fractions, or why there is none."""
    kept = []
    for place, entry in enumerate(gallery):
        if not all(getattr(entry, column) == getattr(query, column) for column in rule):
            kept.append((distances[place], place, entry.identity))
    if not kept:
        return "empty"
    kept.sort()
    hits = [who == query.identity for _, _, who in kept]
    if not any(hits):
        return "no match"
    precisions = [Fraction(sum(hits[:place]), place) for place in range(1, len(hits) + 1) if hits[place - 1]]
    last = max(place for place, hit in enumerate(hits, start=1) if hit)
    if cmc == "image":
        first = hits.index(True) + 1
    else:
        seen = []  # a list of identities, each at the place of its nearest entry
        for _, place, who in kept:
            name = ("unknown", place) if who is None else ("known", who)
            if name not in seen:
                seen.append(name)
        first = seen.index(("known", query.identity)) + 1
    return sum(precisions) / len(precisions), Fraction(sum(hits), last), first


def squared(a, b):
    return sum((int(x) - int(y)) ** 2 for x, y in zip(a, b, strict=True))


def angle(a, b):
    """Order of the cosine distance between two axes: 0 same, 1 across, 2 opposite."""
    product = sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))
    return 1 if product == 0 else 0 if product > 0 else 2


def axes(rng, count):
    vectors = np.zeros((count, 3), np.float32)
    lengths = rng.choice([-1, 1], count) * 2.0 ** rng.integers(-3, 4, count)
    vectors[np.arange(count), rng.integers(0, 3, count)] = lengths
    return vectors


def draw(rng):
    """Queries and gallery; at times one set is both, and a gallery may be a single image."""
    places = "123"[: rng.integers(1, 4)]
    names = "abcde"[: rng.integers(1, 6)]

    def rows(count, prefix, pool):
        cameras, scenes = (rng.choice(list(places), count) for _ in range(2))
        return rows_of(rng.choice(list(pool), count), cameras, scenes, prefix)

    gallery = rows(int(rng.choice([1, 2, 4, 8, 16, 30])), "g", names + ".")
    known = [row for row in gallery if row.identity is not None]
    if known and rng.random() < 0.4:
        return known, gallery
    return rows(int(rng.integers(1, 5)), "q", names), gallery


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("cmc", ["image", "identity"])
def test_scores_equal_the_twin(metric, cmc):
    rng = np.random.default_rng(list(map(ord, metric + cmc)))
    met = Counter()
    for case in range(1000):
        queries, gallery = draw(rng)
        count = len(queries) + len(gallery)
        vectors = axes(rng, count) if metric == "cosine" else rng.integers(-2, 3, (count, 2))
        vectors = vectors.astype(np.float32)
        left, right = vectors[: len(queries)], vectors[len(queries) :]
        measure = angle if metric == "cosine" else squared
        distances = [[measure(a, b) for b in right] for a in left]
        rule = RULES[case % len(RULES)]
        protocol = Protocol("case", 1, "", "", removes=rule, cmc=cmc)
        found = [twin_of_query(query, gallery, distances[at], rule, cmc) for at, query in enumerate(queries)]
        valid = [score for score in found if not isinstance(score, str)]
        if not valid:
            with pytest.raises(InputError, match="match"):
                protocol.match(queries, gallery)
            met["nothing to score"] += 1
            continue
        ranking = rank(left, right, protocol.match(queries, gallery), metric=metric, block_bytes=100)
        metrics = ranking.metrics()
        expected = {
            "mAP": sum(ap for ap, _, _ in valid) / len(valid),
            "mINP": sum(inp for _, inp, _ in valid) / len(valid),
            **{
                f"rank{k}": Fraction(sum(first <= k for *_, first in valid), len(valid))
                for k in (1, 5, 10, 20)
            },
        }
        assert metrics == pytest.approx({name: float(value) for name, value in expected.items()}, abs=1e-9)
        assert ranking.first_match_rank.tolist() == [0 if isinstance(s, str) else s[2] for s in found]
        met["scored"] += 1
        met["tied"] += any(len(set(row)) < len(row) for row in distances)
        met["empty row"] += "empty" in found
        met["no match"] += "no match" in found
        met["single image"] += len(gallery) == 1
        met["shorter than 5"] += len(gallery) < 5
        met["collapsed"] += found != image_level(queries, gallery, distances, rule)
    assert min(met[name] for name in ("scored", "tied")) > 300
    assert min(met[name] for name in ("nothing to score", "no match", "single image", "shorter than 5")) > 10
    assert met["empty row"] > 5
    assert (met["collapsed"] > 50) == (cmc == "identity")


def image_level(queries, gallery, distances, rule):
    return [twin_of_query(query, gallery, distances[at], rule, "image") for at, query in enumerate(queries)]


def test_identities_before_the_match_count_once():
    # kept order: b b c . . a b a -> images before the first a: 5; identities: b, c and two unknown
    queries, gallery = rows_of("a", prefix="q"), rows_of("bbc..aba", prefix="g")
    line = np.arange(1, 9, dtype=np.float32)[:, None]
    for cmc, first in (("image", 6), ("identity", 5)):
        protocol = Protocol("case", 1, "", "", removes=("observation",), cmc=cmc)
        ranking = rank(
            np.zeros((1, 1), np.float32), line, protocol.match(queries, gallery), metric="euclidean"
        )
        assert ranking.first_match_rank.tolist() == [first]
        assert ranking.ap[0] == pytest.approx((1 / 6 + 2 / 8) / 2)
        assert ranking.inp[0] == pytest.approx(2 / 8)
