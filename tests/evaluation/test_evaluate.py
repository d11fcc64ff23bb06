import numpy as np
import pytest
from evaluation_cases import manifest_of, random_case, rows_of, slow_evaluation, stack

from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import evaluate_branches, evaluate_embeddings
from nextreid.evaluation.protocols import PROTOCOLS


def world(seed=0, people=8, each=6, width=12):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    rows = rows_of([f"p{i}" for i in who], ["12"[i % 2] for i in range(len(who))])
    vectors = rng.standard_normal((people, width))[who] + 0.9 * rng.standard_normal((len(who), width))
    return rows, vectors.astype(np.float32)


def embeddings_of(rows, vectors, **more):
    return Embeddings(np.array([row.observation for row in rows]), vectors, **more)


def changed(row, **changes):
    from dataclasses import replace

    return replace(row, **changes)


def test_queries_gallery_and_splits_come_from_the_manifest():
    rows, vectors = world()
    rows = [
        changed(row, is_query=i % 3 == 0, is_gallery=i % 5 != 0, split="train" if i >= 36 else "test")
        for i, row in enumerate(rows)
    ]
    queries = [row for row in rows if row.is_query and row.split == "test"]
    gallery = [row for row in rows if row.is_gallery and row.split == "test"]
    by_name = {row.observation: vector for row, vector in zip(rows, vectors, strict=True)}
    expected, scores, _ = slow_evaluation(
        stack(by_name, queries), stack(by_name, gallery), queries, gallery, "cross-camera", "cosine"
    )
    order = np.random.default_rng(1).permutation(len(rows))  # the order of the embeddings plays no part
    embeddings = embeddings_of([rows[i] for i in order], vectors[order])
    found = evaluate_embeddings(embeddings, manifest_of(rows), protocol="cross-camera", bootstrap=20)
    assert dict(found.metrics) == pytest.approx(expected, abs=1e-9)
    assert found.counts.total == len(queries) == 12
    assert found.counts.gallery == len(gallery)
    assert found.counts.valid == sum(score is not None for score in scores)
    assert set(found.intervals) == set(found.metrics)
    assert found.protocol is PROTOCOLS["cross-camera"]
    assert 0 < found.chance["mAP"] < found.metrics["mAP"]


def test_counts_add_up_to_the_total():
    rows = rows_of("aabbccd", "1111121")  # a and b lose theirs, c and its other camera stay, d is alone
    vectors = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    counts = evaluate_embeddings(
        embeddings_of(rows, vectors), manifest_of(rows), protocol="cross-camera", bootstrap=0
    ).counts
    assert (counts.total, counts.valid, counts.removed_by_filter, counts.without_match) == (7, 2, 4, 1)
    counts = evaluate_embeddings(
        embeddings_of(rows, vectors), manifest_of(rows), protocol="none", bootstrap=0
    ).counts
    assert (counts.total, counts.valid, counts.removed_by_filter, counts.without_match) == (7, 6, 0, 1)


def test_counts_on_random_cases():
    rng = np.random.default_rng(8)
    for _ in range(200):
        queries, gallery, vectors = random_case(rng)
        rows = {
            row.observation: changed(row, is_query=False, is_gallery=False) for row in (*queries, *gallery)
        }
        for row in queries:
            rows[row.observation] = changed(rows[row.observation], is_query=True)
        for row in gallery:
            rows[row.observation] = changed(rows[row.observation], is_gallery=True)
        embeddings = embeddings_of(rows.values(), stack(vectors, rows.values()))
        manifest = manifest_of(rows.values())
        expected = slow_evaluation(
            stack(vectors, queries), stack(vectors, gallery), queries, gallery, "cross-scene", "cosine"
        )
        if expected[0] is None:
            with pytest.raises(InputError, match="match"):
                evaluate_embeddings(embeddings, manifest, protocol="cross-scene")
            continue
        counts = evaluate_embeddings(
            embeddings, manifest, protocol="cross-scene", bootstrap=5, top_k=3
        ).counts
        assert counts.valid == sum(score is not None for score in expected[1])
        lost = alone = 0
        for query, score in zip(queries, expected[1], strict=True):
            others = [
                g for g in gallery if g.identity == query.identity and g.observation != query.observation
            ]
            lost += score is None and len(others) > 0
            alone += score is None and not others
        assert (counts.total, counts.removed_by_filter, counts.without_match) == (len(queries), lost, alone)


def test_ids_must_agree():
    rows, vectors = world()
    with pytest.raises(InputError, match=r"no embedding for 'o40', 'o41', .* and 3 more \(8 of 48\)"):
        evaluate_embeddings(embeddings_of(rows[:40], vectors[:40]), manifest_of(rows), protocol="none")
    with pytest.raises(InputError, match=r"holds 8 of 48 observations that m\.csv does not list: o40"):
        evaluate_embeddings(embeddings_of(rows, vectors), manifest_of(rows[:40]), protocol="none")
    train = [changed(row, split="train") for row in rows[40:]]
    with_train = evaluate_embeddings(
        embeddings_of(rows, vectors), manifest_of(rows[:40] + train), protocol="none", bootstrap=0
    )
    assert with_train.counts.total == 40


def test_bad_options():
    rows, vectors = world()
    embeddings, manifest = embeddings_of(rows, vectors), manifest_of(rows)
    for options, message in [
        ({"metric": "hamming"}, "cosine, euclidean"),
        ({"bootstrap": -1}, "-1 bootstrap"),
        ({"protocol": "x"}, "no protocol 'x'"),
        ({"split": "train"}, "no row of the split 'train'"),
    ]:
        with pytest.raises(InputError, match=message):
            evaluate_embeddings(embeddings, manifest, **{"protocol": "none", **options})


def test_branches_alone():
    rows, vectors = world()
    noise = np.random.default_rng(3).standard_normal(vectors.shape).astype(np.float32)
    both = np.concatenate([vectors, noise], axis=1)
    embeddings = embeddings_of(rows, both, branches={"global": slice(0, 12), "semantic": slice(12, 24)})
    full = evaluate_embeddings(embeddings, manifest_of(rows), protocol="cross-camera", bootstrap=10)
    alone = evaluate_branches(embeddings, manifest_of(rows), full=full)
    same = evaluate_embeddings(embeddings_of(rows, vectors), manifest_of(rows), protocol="cross-camera")
    assert alone["global"].metrics == same.metrics
    assert alone["semantic"].metrics["mAP"] < 0.7 * alone["global"].metrics["mAP"]
    with pytest.raises(InputError, match=r"no branch 'text'.*global, semantic"):
        embeddings.branch("text")
