import numpy as np
import pytest
from evaluation_cases import rows_of

from nextreid.embedding.neighbours import Block
from nextreid.embedding.reranking import RerankSettings, rerank
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import evaluate_rows
from nextreid.evaluation.protocols import protocol_named
from nextreid.evaluation.ranking import rank_blocks
from nextreid.evaluation.reranked import evaluate_reranked, reranked_entry, section


def case(seed=0, identities=8, each=6, noise=1.0):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(identities), each)
    centres = rng.standard_normal((identities, 8))
    vectors = (centres[who] + noise * rng.standard_normal((len(who), 8))).astype(np.float32)
    return rows_of([str(i) for i in who], [str(c) for c in np.tile(range(3), len(who))]), vectors


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_weight_of_one_scores_as_plain(metric):
    rows, vectors = case()
    options = {"protocol": "cross-camera", "metric": metric, "bootstrap": 0}
    plain = evaluate_rows(vectors, vectors, rows, rows, **options)
    found = evaluate_reranked(plain, vectors, vectors, settings=RerankSettings(weight=1.0))
    assert found.metrics == pytest.approx(plain.metrics, abs=1e-12)
    assert found.counts == plain.counts


def test_neighbours_are_all_items_and_removal_comes_after():
    rows, vectors = case(1)
    queries, gallery = rows[:10], rows[10:]
    plain = evaluate_rows(vectors[:10], vectors[10:], queries, gallery, protocol="cross-camera", bootstrap=20)
    found = evaluate_reranked(plain, vectors[:10], vectors[10:], settings=RerankSettings(k1=5, k2=2))
    distances = np.concatenate(
        [b.keys.copy() for b in rerank(vectors[:10], vectors[10:], k1=5, k2=2).blocks()]
    )
    ranking = found.trials[0].ranking
    for query, row in enumerate(queries):
        kept = [
            at
            for at, entry in enumerate(gallery)
            if (entry.identity, entry.camera) != (row.identity, row.camera)
        ]
        kept.sort(key=lambda at, query=query: (distances[query, at], at))
        assert ranking.top[query][:15].tolist() == kept[:15]
        assert ranking.top_distance[query][:15] == pytest.approx(distances[query, kept[:15]])
    assert found.intervals["mAP"] != plain.intervals["mAP"]


def test_re_ranking_helps_where_neighbours_agree():
    rows, vectors = case(2, identities=20, each=10, noise=0.6)
    plain = evaluate_rows(vectors, vectors, rows, rows, protocol="none", bootstrap=200)
    settings = RerankSettings()
    found = evaluate_reranked(plain, vectors, vectors)
    entry = reranked_entry(plain, found, settings)
    assert entry["gain"]["mAP"]["difference"] == pytest.approx(found.metrics["mAP"] - plain.metrics["mAP"])
    assert entry["gain"]["mAP"]["better"]
    shown = section(entry)
    assert shown.scores[0][0] == "re-ranked (k1 20, k2 6, weight 0.3)"
    assert section({**entry, "gain": {}}).tables == ()


def test_blocks_that_do_not_belong_are_refused():
    rows = rows_of("aab")
    matching = protocol_named("none").match(rows, rows)

    def block(start, shape):
        keys = np.zeros(shape, np.float32)
        return Block(start, keys, np.zeros((shape[0], 1), np.float32), "reranked")

    for blocks in ([block(0, (3, 4))], [block(1, (2, 3))], [block(0, (4, 3))], [block(0, (2, 3))], []):
        with pytest.raises(InputError, match="Keys of"):
            rank_blocks(blocks, matching)
    assert rank_blocks([block(0, (2, 3)), block(2, (1, 3))], matching).kept.tolist() == [2, 2, 2]
