from pathlib import Path

import numpy as np
import pytest
from evaluation_cases import rows_of

from nextreid.data.manifest import Row
from nextreid.embedding.neighbours import Block
from nextreid.embedding.reranking import RerankSettings, rerank
from nextreid.errors import InputError
from nextreid.evaluation.accept_rates import accept_entry, accept_rates
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


def test_each_trial_has_neighbours_of_its_own():
    rng = np.random.default_rng(3)
    rows, vectors = [], []
    for who in range(5):
        centre = rng.standard_normal(6)
        for modality in ("rgb", "nir"):
            for at in range(6):
                name = f"{modality}{who}_{at}"
                paths = {modality: Path(f"{name}.jpg")}
                camera = str(at % 2 + (2 if modality == "nir" else 0))
                rows.append(
                    Row(
                        source="m.csv",
                        paths=paths,
                        observation=name,
                        identity=str(who),
                        camera=camera,
                        index=len(rows),
                    )
                )
                vectors.append(centre + rng.standard_normal(6))
    vectors = np.array(vectors, dtype=np.float32)
    plain = evaluate_rows(vectors, vectors, rows, rows, protocol="llcm/vis2nir", bootstrap=10)
    found = evaluate_reranked(plain, vectors, vectors, settings=RerankSettings(k1=6, k2=2))
    assert len(found.trials) == len(plain.trials) == 10
    for scores in found.trials:
        queries, gallery = vectors[scores.trial.queries], vectors[scores.trial.gallery]
        blocks = rerank(queries, gallery, k1=6, k2=2).blocks()
        assert scores.metrics == rank_blocks(blocks, scores.trial.matching).metrics()
    assert found.metrics["mAP"] == pytest.approx(np.mean([scores.metrics["mAP"] for scores in found.trials]))
    rates = accept_rates(plain, vectors, vectors, fprs=(0.1,))
    entry = accept_entry(rates)
    assert entry["tpr@fpr=1e-1"] == pytest.approx(np.mean([rate.tpr[0.1] for rate in rates]))
    assert "threshold@fpr=1e-1" not in entry
