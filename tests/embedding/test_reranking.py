import math
import tracemalloc

import numpy as np
import pytest

from nextreid.embedding.reranking import RerankSettings, memory_estimate, rerank
from nextreid.errors import InputError


def distances(queries, gallery, **options):
    blocks = rerank(queries, gallery, **options).blocks()
    return np.concatenate([block.keys.copy() for block in blocks])


def pair_distance(a, b, metric):
    a, b = [float(x) for x in a], [float(x) for x in b]
    if metric == "euclidean":
        return math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    lengths = math.sqrt(math.fsum(x * x for x in a)) * math.sqrt(math.fsum(y * y for y in b))
    return max(0.0, 1 - math.fsum(x * y for x, y in zip(a, b, strict=True)) / lengths)


def dense_twin(queries, gallery, k1, k2, weight, metric):
    """The method of the paper with full matrices and loops over sets."""
    items = [*queries, *gallery]
    count = len(items)
    original = [[pair_distance(a, b, metric) for b in items] for a in items]
    order = [sorted(range(count), key=lambda j, i=i: (original[i][j], j)) for i in range(count)]
    scaled = [[d / (max(row) or 1.0) for d in row] for row in original]

    def reciprocal(item, k):
        return {j for j in order[item][: k + 1] if item in order[j][: k + 1]}

    encoded = [[0.0] * count for _ in range(count)]
    for item in range(count):
        close = reciprocal(item, k1)
        expanded = set(close)
        for candidate in close:
            theirs = reciprocal(candidate, int(np.around(k1 / 2)))
            if 3 * len(theirs & close) > 2 * len(theirs):
                expanded |= theirs
        total = math.fsum(math.exp(-scaled[item][j]) for j in expanded)
        for j in expanded:
            encoded[item][j] = math.exp(-scaled[item][j]) / total
    if k2 > 1:
        encoded = [
            [math.fsum(encoded[n][j] for n in order[i][:k2]) / len(order[i][:k2]) for j in range(count)]
            for i in range(count)
        ]
    final = np.empty((len(queries), len(gallery)))
    for i in range(len(queries)):
        for j in range(len(gallery)):
            other = len(queries) + j
            shared = math.fsum(min(a, b) for a, b in zip(encoded[i], encoded[other], strict=True))
            final[i, j] = (1 - weight) * (1 - shared / (2 - shared)) + weight * scaled[i][other]
    return final


def clustered(rng, count, width=6):
    centres = rng.standard_normal((max(1, count // 6), width))
    return (centres[rng.integers(0, len(centres), count)] + 0.4 * rng.standard_normal((count, width))).astype(
        np.float32
    )


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_equals_the_dense_twin(metric):
    rng = np.random.default_rng(0)
    for case in range(25):
        items = clustered(rng, int(rng.integers(2, 36)))
        queries = int(rng.integers(1, len(items)))
        k1, k2 = int(rng.integers(1, 24)), int(rng.integers(1, 9))
        weight = float(rng.choice([0.0, 0.3, 1.0]))
        options = {"k1": k1, "k2": k2, "weight": weight, "metric": metric}
        block = int(rng.choice([1, 2**20]))
        found = distances(items[:queries], items[queries:], block_bytes=block, **options)
        expected = dense_twin(items[:queries], items[queries:], **options)
        assert found == pytest.approx(expected, abs=2e-6), (case, options)


def test_equals_the_dense_twin_where_distances_tie():
    # whole numbers: float32 holds every squared distance exactly, and ties go by position
    rng = np.random.default_rng(1)
    for _ in range(15):
        items = rng.integers(-2, 3, size=(int(rng.integers(3, 40)), 2)).astype(np.float32)
        queries = int(rng.integers(1, len(items)))
        options = {"k1": 5, "k2": int(rng.integers(1, 4)), "weight": 0.3, "metric": "euclidean"}
        found = distances(items[:queries], items[queries:], **options)
        expected = dense_twin(items[:queries], items[queries:], **options)
        assert found == pytest.approx(expected, abs=2e-6)


def test_many_copies_of_one_item():
    # more copies than k1 + 1: the later ones are not among their own neighbours
    items = np.repeat(np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), 9, axis=0)
    options = {"k1": 3, "k2": 2, "weight": 0.3, "metric": "euclidean"}
    assert distances(items[:4], items[4:], **options) == pytest.approx(
        dense_twin(items[:4], items[4:], **options), abs=1e-6
    )
    same = np.ones((6, 3), np.float32)
    assert np.isfinite(distances(same[:2], same[2:], k1=3, metric="euclidean")).all()


def test_hand_worked_case():
    # on a line: q at 0, a at 1, b at 3; k1 = 1, no expansion, so R(i, 1) are the mutual nearest pairs
    # q: {q, a}, a: {a, q}, b: {b}; d of q: 0, 1/9, 1; d of a: 1/4, 0, 1 (q first)
    queries, gallery = np.array([[0.0]], np.float32), np.array([[1.0], [3.0]], np.float32)
    own, other = 1 / (1 + math.exp(-1 / 9)), 1 / (1 + math.exp(-1 / 4))
    shared = min(own, 1 - other) + min(1 - own, other)
    found = distances(queries, gallery, k1=1, k2=1, weight=0.3, metric="euclidean")
    assert found[0].tolist() == pytest.approx([0.7 * (1 - shared / (2 - shared)) + 0.3 / 9, 0.7 + 0.3])


def test_a_weight_of_one_keeps_the_original_order():
    items = clustered(np.random.default_rng(2), 60)
    found = distances(items[:10], items[10:], weight=1.0)
    unit = items / np.linalg.norm(items, axis=1, keepdims=True)
    plain = 1 - unit[:10] @ unit[10:].T
    assert np.array_equal(np.argsort(found, axis=1), np.argsort(plain, axis=1))


def test_the_answer_does_not_depend_on_scale_blocks_or_order_of_the_gallery():
    rng = np.random.default_rng(3)
    items = clustered(rng, 90)
    queries, gallery = items[:20], items[20:]
    base = distances(queries, gallery)
    assert distances(4 * queries, 4 * gallery) == pytest.approx(base, abs=1e-6)
    assert distances(queries, gallery, block_bytes=1) == pytest.approx(base, abs=1e-6)
    order = rng.permutation(70)
    assert distances(queries, gallery[order]) == pytest.approx(base[:, order], abs=1e-6)
    assert base.min() >= 0.0
    assert base.max() <= 1.0 + 1e-6


def test_distances_can_be_asked_for_twice_and_the_vectors_are_kept():
    items = clustered(np.random.default_rng(4), 30)
    before = items.copy()
    reranked = rerank(items[:5], items[5:], metric="euclidean")
    first = np.concatenate([block.keys.copy() for block in reranked.blocks()])
    (block,) = reranked.blocks()
    assert np.array_equal(block.keys, first)
    assert np.array_equal(block.to_distance(2, block.keys[2]), first[2])
    assert np.array_equal(items, before)


def test_bad_settings_and_vectors_are_refused():
    ones = np.ones((3, 4), np.float32)
    for bad in ({"k1": 0}, {"k2": 0}, {"weight": 1.5}, {"weight": float("nan")}):
        with pytest.raises(InputError, match=r"usual are 20, 6 and 0\.3"):
            rerank(ones, ones, **bad)
    with pytest.raises(InputError, match="no metric 'manhattan'"):
        rerank(ones, ones, metric="manhattan")
    with pytest.raises(InputError, match="same D"):
        rerank(ones, np.ones((3, 5), np.float32))
    with pytest.raises(InputError, match=r"gallery item 2 .* all zeros"):
        rerank(ones, np.array([[1] * 4, [2] * 4, [0] * 4], np.float32))


def test_half_of_k1_rounds_as_the_authors_code_does():
    assert [RerankSettings(k1=k).half for k in range(1, 24)] == [int(np.around(k / 2)) for k in range(1, 24)]


def test_the_estimate_bounds_what_is_taken():
    rng = np.random.default_rng(5)
    for queries, gallery, width in ((300, 1200, 64), (50, 600, 8)):
        left, right = (rng.standard_normal((n, width)).astype(np.float32) for n in (queries, gallery))
        tracemalloc.start()
        for _ in rerank(left, right, block_bytes=2**20).blocks(2**20):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        estimate = memory_estimate(queries, gallery, width, block_bytes=2**20)
        assert peak < 1.3 * estimate
        assert estimate < 4 * peak
    # figures of 16,000 items: far below the dense routine's 5.6 GB
    assert memory_estimate(3_200, 12_800, 512) < 400 * 2**20
