import numpy as np
import pytest

from nextreid.embedding.neighbours import distance_blocks
from nextreid.errors import InputError


def distances(queries, gallery, **options):
    rows = []
    for block in distance_blocks(queries, gallery, **options):
        assert block.start == len(rows)
        rows += [block.to_distance(row, keys) for row, keys in enumerate(block.keys.copy())]
    return np.stack(rows)


def exact(queries, gallery, metric):
    a, b = queries.astype(np.float64), gallery.astype(np.float64)
    if metric == "euclidean":
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    a, b = a / np.linalg.norm(a, axis=1, keepdims=True), b / np.linalg.norm(b, axis=1, keepdims=True)
    return 1 - a @ b.T


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("block_bytes", [1, 300, 2**20])
def test_equal_to_double_precision(metric, block_bytes):
    rng = np.random.default_rng(0)
    queries, gallery = (rng.standard_normal((n, 33)).astype(np.float32) for n in (13, 29))
    found = distances(queries, gallery, metric=metric, block_bytes=block_bytes)
    assert found.dtype == np.float32
    assert found == pytest.approx(exact(queries, gallery, metric), abs=2e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_equal_vectors_have_equal_distances_bit_for_bit(metric):
    rng = np.random.default_rng(1)
    distinct = rng.standard_normal((40, 65)).astype(np.float32)
    which = rng.integers(0, 40, 997)
    queries = rng.standard_normal((70, 65)).astype(np.float32)
    for block in distance_blocks(queries, distinct[which], metric=metric):
        for one in range(40):
            same = block.keys[:, which == one]
            assert (same == same[:, :1]).all()
    zero, minus = np.array([[0.0, 1.0]], np.float32), np.array([[-0.0, 1.0]], np.float32)
    (block,) = distance_blocks(zero, np.concatenate([zero, minus]), metric=metric)
    assert block.keys[0, 0] == block.keys[0, 1]


def test_vectors_of_one_direction_tie_bit_for_bit_under_cosine():
    rng = np.random.default_rng(6)
    whole = rng.integers(-60, 61, (50, 65)).astype(np.float32)
    lengths = (1, 3, 7, 10, 11, 1000)  # all products are whole, so the directions are the same exactly
    gallery = np.concatenate([whole * length for length in lengths])
    (block,) = distance_blocks(rng.standard_normal((20, 65)).astype(np.float32), gallery)
    keys = block.keys.reshape(20, len(lengths), 50)
    assert (keys == keys[:, :1]).all()


def test_a_shared_offset_costs_no_accuracy():
    rng = np.random.default_rng(2)
    near = rng.standard_normal((50, 16)).astype(np.float32)
    far = (near + 1000).astype(np.float32)
    assert distances(far, far, metric="euclidean") == pytest.approx(exact(far, far, "euclidean"), abs=5e-3)


def test_whole_numbers_are_exact():
    rng = np.random.default_rng(3)
    gallery = rng.integers(-4, 5, (60, 5)).astype(np.float32)
    found = distances(gallery, gallery, metric="euclidean")
    assert np.array_equal(found, exact(gallery, gallery, "euclidean").astype(np.float32))


def test_very_long_and_very_short_vectors():
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((6, 9)).astype(np.float32)
    lengths = np.array([1e-38, 1e-20, 1, 1e10, 1e30, 1e37], np.float32)[:, None]
    assert distances(vectors * lengths, vectors) == pytest.approx(exact(vectors, vectors, "cosine"), abs=1e-6)
    with pytest.raises(InputError, match=r"gallery item 5 .* long"):
        list(distance_blocks(vectors, vectors * lengths, metric="euclidean"))


def test_the_caller_keeps_its_vectors():
    vectors = np.random.default_rng(5).standard_normal((4, 3)).astype(np.float32)
    before = vectors.copy()
    for metric in ("cosine", "euclidean"):
        list(distance_blocks(vectors, vectors, metric=metric))
    assert np.array_equal(vectors, before)
