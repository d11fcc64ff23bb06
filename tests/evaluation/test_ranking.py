import numpy as np
import pytest
from evaluation_cases import random_case, rows_of, slow_evaluation, stack

from nextreid.errors import InputError
from nextreid.evaluation.protocols import protocol_named
from nextreid.evaluation.ranking import METRIC_NAMES, rank


def on_a_line(positions):
    """Vectors whose Euclidean order is that of positions on a line."""
    return np.array(positions, dtype=np.float32)[:, None]


def euclidean(query_positions, gallery_positions, queries, gallery, protocol="none", **options):
    matching = protocol_named(protocol).match(queries, gallery)
    return rank(
        on_a_line(query_positions), on_a_line(gallery_positions), matching, metric="euclidean", **options
    )


def test_hand_worked_case():
    # a query at 0; kept gallery in order: b a b b a c -> matches at ranks 2 and 5
    ranking = euclidean([0], [1, 2, 3, 4, 5, 6], rows_of("a", prefix="q"), rows_of("babbac"))
    assert ranking.ap[0] == pytest.approx((1 / 2 + 2 / 5) / 2)
    assert ranking.inp[0] == pytest.approx(2 / 5)
    assert ranking.first_match_rank.tolist() == [2]
    assert ranking.metrics() == pytest.approx(
        {"mAP": 0.45, "rank1": 0, "rank5": 1, "rank10": 1, "rank20": 1, "mINP": 0.4}
    )
    assert ranking.top[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert ranking.top_distance[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert ranking.top_match[0].tolist() == [False, True, False, False, True, False]


def test_hand_worked_cross_camera():
    # the nearest a (camera 1) is removed; b of camera 1 stays, so the first match is at rank 2
    queries = rows_of("a", "1", prefix="q")
    ranking = euclidean([0], [1, 2, 3, 4], queries, rows_of("abaa", "1123"), "cross-camera")
    assert ranking.kept.tolist() == [3]
    assert ranking.matches.tolist() == [2]
    assert ranking.ap[0] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert ranking.kept_mask(0).tolist() == [False, True, True, True]
    assert ranking.top[0].tolist() == [1, 2, 3, -1]
    assert np.isnan(ranking.top_distance[0, 3])


def test_ties_go_by_gallery_order():
    for who, first in (("ab", 1), ("ba", 2)):
        ranking = euclidean([0], [3, 3], rows_of("a", prefix="q"), rows_of(who))
        assert ranking.first_match_rank.tolist() == [first]
    ranking = euclidean([0], [3, -3, 3, 1], rows_of("a", prefix="q"), rows_of("baab"))
    assert ranking.top[0].tolist() == [3, 0, 1, 2]
    assert ranking.ap[0] == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_collapsed_vectors_rank_in_gallery_order():
    rng = np.random.default_rng(3)
    who = [str(i) for i in rng.integers(0, 9, 301)]
    rows = rows_of(who)
    vectors = np.repeat(rng.standard_normal((1, 77)).astype(np.float32), 301, axis=0)
    ranking = rank(vectors, vectors, protocol_named("none").match(rows, rows), top_k=5)
    assert ranking.top[100].tolist() == [0, 1, 2, 3, 4]
    assert ranking.top[2].tolist() == [0, 1, 3, 4, 5]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_equals_the_slow_evaluator_on_random_cases(metric):
    rng = np.random.default_rng(11)
    scored = unscored = tied = short = 0
    for _ in range(250):
        queries, gallery, vectors = random_case(rng)
        if metric == "cosine":
            # Ties among whole numbers are exact in neither float32 nor the slow evaluator; equal
            # vectors still tie.
            shift = np.random.default_rng(5).standard_normal(8).astype(np.float32)
            vectors = {name: vector + shift[: len(vector)] for name, vector in vectors.items()}
        left, right = stack(vectors, queries), stack(vectors, gallery)
        for protocol in ("cross-camera", "cross-scene", "none"):
            expected, scores, orders = slow_evaluation(left, right, queries, gallery, protocol, metric)
            if expected is None:
                with pytest.raises(InputError):
                    protocol_named(protocol).match(queries, gallery)
                unscored += 1
                continue
            if left.shape[1] == 1 and metric == "cosine":
                continue  # all cosines are 1 or -1 up to rounding, which the slow evaluator breaks at random
            matching = protocol_named(protocol).match(queries, gallery)
            ranking = rank(left, right, matching, metric=metric, top_k=7, block_bytes=4 * len(gallery) * 3)
            for name in METRIC_NAMES:
                assert ranking.metrics()[name] == pytest.approx(expected[name], abs=1e-9)
            for query, (score, order) in enumerate(zip(scores, orders, strict=True)):
                listed = [index for _, index, _ in order[:7]]
                assert ranking.top[query, : len(listed)].tolist() == listed
                assert (ranking.top[query, len(listed) :] == -1).all()
                assert ranking.top_match[query, : len(listed)].tolist() == [m for _, _, m in order[:7]]
                assert ranking.top_distance[query, : len(listed)] == pytest.approx(
                    [distance for distance, _, _ in order[:7]], abs=2e-3 if metric == "euclidean" else 1e-6
                )
                assert ranking.kept[query] == len(order) == ranking.kept_mask(query).sum()
                assert ranking.valid[query] == (score is not None)
                if score is None:
                    assert np.isnan(ranking.ap[query])
                    assert ranking.first_match_rank[query] == 0
                else:
                    assert ranking.ap[query] == pytest.approx(score[0], abs=1e-9)
                    assert ranking.inp[query] == pytest.approx(score[1], abs=1e-9)
                    assert ranking.first_match_rank[query] == score[2]
                distances = [distance for distance, _, _ in order]
                tied += len(set(distances)) < len(distances)
                short += len(order) < 5
            scored += 1
    assert min(scored, unscored, tied, short) > 20  # the cases are what they claim to be


def test_gallery_shorter_than_k():
    ranking = euclidean([0], [1, 2], rows_of("a", prefix="q"), rows_of("ba"), top_k=20)
    assert ranking.metrics()["rank5"] == 1.0
    assert ranking.top.shape == (1, 2)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_invariances(metric):
    rng = np.random.default_rng(2)
    who = [str(i) for i in rng.integers(0, 6, 60)]
    rows = rows_of(who, [str(i) for i in rng.integers(0, 3, 60)])
    vectors = rng.standard_normal((60, 16)).astype(np.float32)
    protocol = protocol_named("cross-camera")
    base = rank(vectors, vectors, protocol.match(rows, rows), metric=metric)
    scaled = rank(8 * vectors, 8 * vectors, protocol.match(rows, rows), metric=metric)
    assert np.array_equal(base.ap, scaled.ap, equal_nan=True)
    rotation = np.linalg.qr(rng.standard_normal((16, 16)))[0].astype(np.float32)
    turned = rank(vectors @ rotation, vectors @ rotation, protocol.match(rows, rows), metric=metric)
    assert turned.metrics() == pytest.approx(base.metrics(), abs=1e-3)
    order = rng.permutation(60)
    shuffled = [rows[i] for i in order]
    moved = rank(vectors[order], vectors[order], protocol.match(shuffled, shuffled), metric=metric)
    assert np.allclose(moved.ap, base.ap[order], equal_nan=True)
    blocks = rank(vectors, vectors, protocol.match(rows, rows), metric=metric, block_bytes=1)
    assert np.allclose(blocks.ap, base.ap, equal_nan=True)
    if metric == "cosine":
        lengths = 2.0 ** rng.integers(-3, 4, size=(60, 1)).astype(np.float32)
        assert np.array_equal(
            rank(vectors * lengths, vectors, protocol.match(rows, rows)).ap, base.ap, equal_nan=True
        )


def test_perfect_and_reversed_order():
    rows = rows_of("aabb", "1212")
    perfect = euclidean([0, 1, 10, 11], [0, 1, 10, 11], rows, rows, "cross-camera")
    assert perfect.metrics() == dict.fromkeys(METRIC_NAMES, 1.0)
    far = euclidean([0, 30, 1, 31], [0, 30, 1, 31], rows, rows, "cross-camera")
    assert far.metrics()["rank1"] == 0.0
    assert (far.first_match_rank > 1).all()


def test_wrong_vectors_are_refused():
    rows = rows_of("aab")
    matching = protocol_named("none").match(rows, rows)
    with pytest.raises(InputError, match="2 query and 3 gallery vectors"):
        rank(np.ones((2, 4), np.float32), np.ones((3, 4), np.float32), matching)
    with pytest.raises(InputError, match="same D"):
        rank(np.ones((3, 4), np.float32), np.ones((3, 5), np.float32), matching)
    with pytest.raises(InputError, match="no metric 'manhattan'"):
        rank(np.ones((3, 4), np.float32), np.ones((3, 4), np.float32), matching, metric="manhattan")
    with pytest.raises(InputError, match=r"query 1 .* all zeros"):
        rank(np.array([[1], [0], [1]], np.float32), np.ones((3, 1), np.float32), matching)
