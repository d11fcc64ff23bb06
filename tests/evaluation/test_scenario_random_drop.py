from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from evaluation_cases import rows_of, slow_evaluation, stack
from subset_world import MODALITIES, context_of, subset_world, vectors_by_id

from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.scenarios.random_drop import RATES, drop, random_drop, run, section
from nextreid.evaluation.scenarios.subsets import Subsets


def row_with(*names):
    return replace(rows_of("a")[0], paths={name: Path("x.png") for name in names})


def test_nothing_goes_at_0_and_all_but_one_at_1_and_never_more_back_than_before():
    row = row_with(*MODALITIES)
    for draw in range(50):
        kept = [set(drop(row, rate, seed=3, draw=draw)) for rate in (0.0, 0.2, 0.5, 0.8, 1.0)]
        assert kept[0] == set(MODALITIES)
        assert len(kept[-1]) == 1
        assert all(later <= earlier for earlier, later in pairwise(kept))


def test_an_image_goes_with_the_chance_that_is_named():
    """Of two images at rate r: both stay (1-r)^2, one goes 2r(1-r), both would go r^2 but one stays."""
    rows = [replace(row_with("rgb", "tir"), observation=f"o{i}") for i in range(4000)]
    for rate in (0.3, 0.7):
        kept = Counter(drop(row, rate, seed=0, draw=0) for row in rows)
        both = kept["rgb", "tir"] / len(rows)
        assert both == pytest.approx((1 - rate) ** 2, abs=0.03)
        assert kept["rgb",] / len(rows) == pytest.approx((1 - both) / 2, abs=0.03)


def test_what_stays_depends_on_seed_draw_and_observation_alone():
    one, two = row_with("rgb", "nir", "tir"), row_with("tir", "nir", "rgb")
    many = range(30)
    assert [drop(one, 0.5, seed=0, draw=i) for i in many] == [drop(two, 0.5, seed=0, draw=i) for i in many]
    assert [drop(one, 0.5, seed=0, draw=i) for i in many] != [drop(one, 0.5, seed=1, draw=i) for i in many]
    assert len({drop(one, 0.5, seed=0, draw=i) for i in many}) > 3


@pytest.mark.parametrize("partial", [False, True])
def test_the_curve_is_what_a_loop_finds(partial):
    rows, embeddings = subset_world(partial, people=5, each=4)
    context = context_of(rows, embeddings, bootstrap=0)
    subsets = Subsets.of(embeddings, context.manifest)
    found = random_drop(subsets, full=context.full, rates=(0.0, 0.6), draws=2)
    assert found[0].metrics["mAP"] == pytest.approx(context.full.metrics["mAP"])
    assert (found[0].dropped, found[0].spread["mAP"]) == (0.0, 0.0)
    means, lost, images = [], 0, 0
    for draw in range(2):
        vectors = []
        for row in rows:
            kept = drop(row, 0.6, seed=0, draw=draw)
            lost, images = lost + len(row.paths) - len(kept), images + len(row.paths)
            shown = MODALITIES if len(kept) == len(row.paths) else kept
            vectors.append(vectors_by_id(embeddings, shown)[row.observation])
        matrix = np.stack(vectors)
        means.append(slow_evaluation(matrix, matrix, rows, rows, "cross-camera", "cosine")[0])
    for name in means[0]:
        pair = [means[0][name], means[1][name]]
        assert found[1].metrics[name] == pytest.approx(np.mean(pair), abs=1e-6)
        assert found[1].spread[name] == pytest.approx(np.std(pair, ddof=1), abs=1e-6)
    assert found[1].dropped == pytest.approx(lost / images)


def test_hand_computed_all_but_one_dropped():
    """At rate 1 each observation keeps one image; where any one image says who it is, nothing is lost."""
    rows, embeddings = subset_world(people=3, each=2)
    who = np.repeat(np.eye(3, dtype=np.float32), 2, axis=0)
    subsets = dict.fromkeys(embeddings.subsets, who)
    context = context_of(rows, Embeddings(embeddings.observation, who, subsets=subsets), bootstrap=20)
    found = random_drop(
        Subsets.of(context.embeddings, context.manifest), full=context.full, rates=(1.0,), draws=3
    )
    assert found[0].metrics["mAP"] == 1.0
    assert found[0].dropped == pytest.approx(2 / 3)
    assert found[0].intervals["mAP"] == (1.0, 1.0)


def test_the_whole_scenario():
    rows, embeddings = subset_world(people=8, each=4)
    entry = run(context_of(rows, embeddings, bootstrap=50))
    assert [row["rate"] for row in entry["rows"]] == list(RATES)
    assert [row["dropped"] for row in entry["rows"]] == sorted(row["dropped"] for row in entry["rows"])
    for row in entry["rows"]:
        low, high = row["metrics"]["mAP_ci"]
        assert low <= row["metrics"]["mAP"] <= high
    shown = section(entry)
    assert len(shown.scores) == len(shown.tables[0].rows) == len(RATES)
    assert stack(vectors_by_id(embeddings, ("rgb",)), rows).shape[0] == len(rows)


def test_what_cannot_be():
    rows, embeddings = subset_world()
    context = context_of(rows, embeddings, bootstrap=0)
    subsets = Subsets.of(embeddings, context.manifest)
    for rates, draws in (((1.2,), 1), ((), 1), ((0.5,), 0)):
        with pytest.raises(InputError, match="one draw or more"):
            random_drop(subsets, full=context.full, rates=rates, draws=draws)
