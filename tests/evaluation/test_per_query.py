import numpy as np
import pandas as pd
import pytest
from evaluation_cases import manifest_of, rows_of

from nextreid.embedding.embeddings import Embeddings
from nextreid.evaluation.draws import SeededDraws
from nextreid.evaluation.evaluate import evaluate_embeddings
from nextreid.evaluation.per_query import PerQuery
from nextreid.evaluation.protocol import Protocol
from nextreid.evaluation.protocols import protocol_named
from nextreid.evaluation.ranking import METRIC_NAMES, rank
from nextreid.evaluation.results.report import per_query
from nextreid.evaluation.statistics import bootstrap_intervals, paired_differences
from nextreid.evaluation.trials import section, trials_entry


def on_a_line(positions, gallery, queries="ab", who="abab"):
    matching = protocol_named("none").match(rows_of(queries, prefix="q"), rows_of(who, prefix="g"))
    vectors = [np.array(places, dtype=np.float32)[:, None] for places in (positions, gallery)]
    return rank(*vectors, matching, metric="euclidean")


def two_trials():
    # gallery a b a b; q0 = a at 0, q1 = b at 10
    first = on_a_line([0, 10], [1, 2, 3, 4])  # q0: a b a b, ranks 1 3; q1: b a b a, ranks 1 3
    second = on_a_line([0, 10], [3, 2, 4, 9])  # q0: b a a b, ranks 2 3; q1: b a a b, ranks 1 4
    return first, second


def test_means_over_trials_by_hand():
    mean = PerQuery.over(two_trials())
    ap, inp = mean.values[:, 0], mean.values[:, METRIC_NAMES.index("mINP")]
    assert ap == pytest.approx([(5 / 6 + 7 / 12) / 2, (5 / 6 + 3 / 4) / 2])
    assert inp == pytest.approx([(2 / 3 + 2 / 3) / 2, (2 / 3 + 1 / 2) / 2])
    assert mean.first_match_rank.tolist() == [1.5, 1.0]
    assert mean.values[:, METRIC_NAMES.index("rank1")].tolist() == [0.5, 1.0]
    assert mean.metrics()["rank1"] == 0.75
    assert mean.trials == 2


def test_one_trial_is_the_ranking_to_the_bit():
    ranking = two_trials()[1]
    mean = PerQuery.over([ranking])
    assert mean.metrics() == ranking.metrics()
    assert bootstrap_intervals(mean, samples=50) == bootstrap_intervals(ranking, samples=50)
    pd.testing.assert_frame_equal(per_query(mean), per_query(ranking))
    assert list(per_query(mean)) == ["query", "ap", "inp", "first_match_rank", "valid"]


def test_queries_without_a_match_stay_empty():
    ranking = on_a_line([0, 1, 2], [1, 2], queries="abc", who="ab")
    table = per_query(PerQuery.over([ranking, ranking]))
    assert table["valid"].tolist() == [True, True, False]
    assert table.loc[2, ["ap", "inp", "rank1", "rank20", "first_match_rank"]].isna().all()
    assert table["rank5"].tolist()[:2] == [1.0, 1.0]
    assert PerQuery.over([ranking]).scores().shape == (2, len(METRIC_NAMES))


def test_differences_are_those_of_the_means():
    first, second = two_trials()
    gain = paired_differences(PerQuery.over([first, second]), second, samples=50)["mAP"]
    mean = (first.metrics()["mAP"] + second.metrics()["mAP"]) / 2
    assert gain.difference == pytest.approx(mean - second.metrics()["mAP"])
    assert gain.queries == 2


def test_trials_of_an_evaluation_and_how_they_are_shown():
    rule = Protocol("drawn", 1, "", "", removes=("observation",), draws=SeededDraws("rgb", trials=4))
    rows = rows_of("aaaabbbbcccc", "112211221122")
    vectors = np.random.default_rng(2).standard_normal((12, 3)).astype(np.float32)
    embeddings = Embeddings(np.array([row.observation for row in rows]), vectors)
    found = evaluate_embeddings(embeddings, manifest_of(rows), protocol=rule, bootstrap=0)
    assert [len(one.trial.gallery) for one in found.trials] == [6] * 4
    for name in METRIC_NAMES:
        values = [one.metrics[name] for one in found.trials]
        assert found.metrics[name] == pytest.approx(np.mean(values))
        assert found.spread[name] == pytest.approx(np.std(values, ddof=1))
    assert found.ranking is found.trials[0].ranking
    shown = section(trials_entry(found))
    assert [row[0] for row in shown.tables[0].rows] == [
        *(f"trial seed {seed}" for seed in range(4)),
        "standard deviation",
    ]
    assert "mean over 4 galleries" in shown.text
    one = evaluate_embeddings(embeddings, manifest_of(rows), protocol="none", bootstrap=0)
    assert (trials_entry(one), one.spread, len(one.trials)) == (None, {}, 1)
