"""Every protocol against slow evaluators, and the drawing of galleries."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import protocol_twins
import pytest
from evaluation_cases import manifest_of, slow_distance

from nextreid.data.layouts import LAYOUTS
from nextreid.data.manifest import Row
from nextreid.data.match_rules import RULES
from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.draws import PermutationDraws, SeededDraws
from nextreid.evaluation.evaluate import evaluate_embeddings, evaluate_rows
from nextreid.evaluation.protocols import PROTOCOLS, protocol_named

METRICS = ("mAP", "rank1", "rank5", "rank10", "rank20", "mINP")


def random_world(rng, name):
    """Images of a few identities, as the twins take them, in a random order of the manifest."""
    cameras = range(1, 7) if name.startswith("sysu") else range(1, 5)
    people = rng.choice(np.arange(1, 120), size=int(rng.integers(1, 9)), replace=False).tolist()
    images, permutations = [], {}
    for pid in people:
        for cam in cameras:
            sides = [cam in (3, 6)] if name.startswith("sysu") else [False, True]
            for ir in sides:
                count = int(rng.choice([0, 0, 0, 1, 2, 3, 12], p=[0.2, 0.2, 0.2, 0.15, 0.1, 0.1, 0.05]))
                for number in range(count):
                    images.append({"pid": pid, "cam": cam, "ir": ir, "file": f"{number + 1:04d}.jpg"})
                if count:
                    permutations[cam, pid] = [rng.permutation(count) + 1 for _ in range(10)]
    rng.shuffle(images)
    for place, image in enumerate(images):
        image |= {"place": place, "view": int(rng.integers(0, 3)), "scene": int(rng.integers(0, 3))}
    if PROTOCOLS[name].queries is None:
        for image in images:
            image["ir"] = False
            if rng.random() < 0.1:
                image["pid"] = None
    return images, permutations


def rows_from(images, permutations=None, infrared="nir", width=4):
    rows = []
    for image in images:
        draws = {}
        if permutations:
            number = int(image["file"][:4])
            for trial in range(10):
                place = permutations[image["cam"], image["pid"]][trial].tolist().index(number)
                draws[f"draw_{trial + 1}"] = str(place)
        scene = protocol_twins.LOCATION[image["cam"]] if permutations else image["scene"]
        rows.append(
            Row(
                index=image["place"] + 2,
                source="m.csv",
                observation=f"o{image['place']}",
                paths={infrared if image["ir"] else "rgb": Path(f"cam{image['cam']}") / image["file"]},
                identity=None if image["pid"] is None else f"{image['pid']:0{width}d}",
                camera=str(image["cam"]),
                scene=str(scene),
                view=str(image["view"]),
                is_query=image["pid"] is not None,
                extra=draws,
            )
        )
    return rows


def random_vectors(rng, count):
    """Some of them equal, so that there are ties."""
    pool = rng.standard_normal((max(1, int(count * rng.uniform(0.2, 2.0))), 3)).astype(np.float32)
    return pool[rng.integers(0, len(pool), count)]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_equals_the_slow_evaluator(name):
    rng = np.random.default_rng(sum(map(ord, name)))
    scored = unscored = skipped_queries = 0
    for case in range(12 if PROTOCOLS[name].draws else 40):
        images, permutations = random_world(rng, name)
        if not images:
            continue
        metric = ("cosine", "euclidean")[case % 2]
        vectors = random_vectors(rng, len(images))
        distance = [[slow_distance(a, b, metric) for b in vectors] for a in vectors]
        rows = rows_from(
            images,
            permutations if name.startswith("sysu") else None,
            infrared="tir" if name.startswith("regdb") else "nir",
            width=int(rng.integers(0, 5)),  # leading zeros play no part in the seeded draws
        )
        expected = protocol_twins.evaluate(name, images, distance, permutations)
        embeddings = Embeddings(np.array([row.observation for row in rows]), vectors)
        try:
            found = evaluate_embeddings(
                embeddings, manifest_of(rows), protocol=name, metric=metric, bootstrap=0, top_k=3
            )
        except InputError:
            assert all(metrics is None for metrics, _ in expected)
            unscored += 1
            continue
        scored += 1
        assert len(found.trials) == len(expected)
        for one, (metrics, per_query) in zip(found.trials, expected, strict=True):
            assert dict(one.metrics) == pytest.approx(metrics, abs=1e-9)
            places = [int(name[1:]) for name in one.ranking.matching.query[one.ranking.valid]]
            assert places == sorted(per_query)
            assert one.ranking.first_match_rank[one.ranking.valid].tolist() == [
                per_query[place][2] for place in places
            ]
        mean = {key: sum(metrics[key] for metrics, _ in expected) / len(expected) for key in METRICS}
        assert dict(found.metrics) == pytest.approx(mean, abs=1e-9)
        skipped_queries += found.counts.total - found.counts.valid
        counts = found.counts
        assert counts.total == counts.valid + counts.removed_by_filter + counts.without_match
        lone, asking = RULES[name].without_match(rows)  # what `data check` says of the same rows
        assert (len(lone), asking) == (counts.total - counts.valid, counts.total)
    assert scored >= 5
    assert skipped_queries > 0


def test_layouts_and_checks_know_these_protocols():
    assert set(RULES) == set(PROTOCOLS)
    for layout in LAYOUTS.values():
        assert layout.protocols
        assert set(layout.protocols) <= set(PROTOCOLS)
    for name, rule in RULES.items():
        protocol = PROTOCOLS[name]
        assert (rule.queries, rule.gallery, rule.scenes) == (
            protocol.queries,
            protocol.gallery,
            protocol.gallery_scenes,
        )


def test_thousands_of_images_draw_the_galleries_of_the_release():
    # 96 identities as the release has them by camera (56, 56, 94, 95): 301 single, 3010 multi, 112, 1120
    seen = {1: 56, 2: 56, 4: 94, 5: 95}
    images = [
        {"pid": pid, "cam": cam, "ir": False, "file": f"{number:04d}.jpg", "view": 0, "scene": 0}
        for cam, people in seen.items()
        for pid in range(1, people + 1)
        for number in range(1, 14)  # at least 13 of each
    ]
    images += [{**image, "cam": 6, "ir": True} for image in images if image["cam"] == 5][:50]
    for place, image in enumerate(images):
        image["place"] = place
    rng = np.random.default_rng(0)
    permutations = {(i["cam"], i["pid"]): [rng.permutation(13) + 1 for _ in range(10)] for i in images}
    rows = rows_from(images, permutations)
    for name, size in (
        ("all-single", 301),
        ("all-multi", 3010),
        ("indoor-single", 112),
        ("indoor-multi", 1120),
        ("all-single@agw", 301),
        ("indoor-single@agw", 112),
    ):
        trials = protocol_named(f"sysu/{name}").apply(rows, rows)
        assert [len(trial.gallery) for trial in trials] == [size] * 10
        assert len({tuple(trial.gallery) for trial in trials}) == 10


def hand_rows(cells, **changes):
    """Rows of (identity, camera, modality) with files 0.jpg, 1.jpg ..., and draws by trial as written."""
    return [
        Row(
            index=at + 2,
            source="m.csv",
            observation=f"o{at}",
            paths={modality: Path(f"{at}.jpg")},
            identity=who,
            camera=camera,
            scene=camera,
            **changes,
        )
        for at, (who, camera, modality) in enumerate(cells)
    ]


def test_permutations_take_the_first_that_are_there():
    rows = hand_rows([("a", "1", "rgb")] * 4 + [("b", "1", "rgb")])
    draws = ["2", "0", "3", "1", "0"]
    rows = [replace(row, extra={"draw_1": place}) for row, place in zip(rows, draws, strict=True)]
    for shots, kept, expected in (
        (1, range(5), [1, 4]),
        (2, range(5), [1, 3, 4]),
        (10, range(5), [0, 1, 2, 3, 4]),
        (1, (0, 2, 3, 4), [3, 4]),  # the first of the permutation was left out
    ):
        some = [rows[at] for at in kept]
        (draw,) = PermutationDraws(shots, "exp/x.mat", trials=1).draw(some)
        assert [some[at].observation for at in draw.chosen] == [f"o{at}" for at in expected]


def test_distractors_are_in_every_gallery():
    rows = hand_rows([("a", "1", "rgb"), (None, "1", "rgb"), ("a", "1", "rgb"), (None, None, "rgb")])
    for draw in SeededDraws("rgb").draw(rows):
        assert {1, 3} < set(draw.chosen.tolist())
        assert len(draw.chosen) == 3
    rows = [replace(row, extra={"draw_1": str(at)} if row.identity else {}) for at, row in enumerate(rows)]
    assert PermutationDraws(1, "exp/x.mat", trials=1).draw(rows)[0].chosen.tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({}, r"row 4 of m.csv: no `draw_1`.*exp/rand_perm_cam\.mat.*read or import it again.*@agw"),
        ({"draw_1": "x"}, r"row 4 of m.csv: `draw_1` is 'x'"),
        ({"draw_1": "-1"}, r"`draw_1` is '-1'.*from 0 on"),
        ({"draw_1": "0"}, r"row 3 of m.csv and row 4 of m.csv: `draw_1` is 0 in both"),
    ],
)
def test_damaged_permutations_name_rows(extra, message):
    rows = hand_rows([("a", "3", "nir"), ("a", "1", "rgb"), ("a", "1", "rgb")])
    rows[1] = replace(rows[1], extra={f"draw_{trial}": "0" for trial in range(1, 11)})
    rows[2] = replace(rows[2], extra=extra)
    with pytest.raises(InputError, match=message):
        protocol_named("sysu/all-single").apply(rows, rows)


def test_sides_that_are_not_there():
    with pytest.raises(InputError, match=r"takes queries that have `tir`: none of 2 has; they have nir, rgb"):
        protocol_named("regdb/t2v").apply(*[hand_rows([("a", "1", "rgb"), ("a", "2", "nir")])] * 2)
    with pytest.raises(InputError, match=r"takes gallery entries that have `tir`: none of 1 has"):
        protocol_named("regdb/v2t").apply(*[hand_rows([("a", "1", "rgb")])] * 2)
    both = [replace(hand_rows([("a", "1", "rgb")])[0], paths={"rgb": Path("a"), "tir": Path("b")})]
    with pytest.raises(InputError, match=r"'o0' \(row 2 of m.csv\) has rgb, tir together.*any-to-any"):
        protocol_named("regdb/v2t").apply(both, both)
    outdoors = hand_rows([("a", "6", "nir"), ("a", "4", "rgb")])
    with pytest.raises(InputError, match=r"no gallery entry has one of its scenes; theirs are 4.*1 or 2"):
        protocol_named("sysu/indoor-single@agw").apply(outdoors, outdoors)
    nowhere = [replace(row, scene=None) for row in outdoors]
    with pytest.raises(InputError, match="needs the column `scene`"):
        protocol_named("sysu/all-single@agw").apply(nowhere, nowhere)
    with pytest.raises(InputError, match="0 queries and 1 gallery"):
        protocol_named("regdb/v2t").apply([], hand_rows([("a", "1", "tir")]))


def test_only_the_rows_that_take_part_need_embeddings():
    rows = hand_rows([("a", "3", "nir"), ("a", "1", "rgb"), ("a", "4", "rgb"), ("b", "1", "rgb")])
    part = Embeddings(np.array(["o0", "o1", "o3"]), np.eye(3, dtype=np.float32))
    found = evaluate_embeddings(part, manifest_of(rows), protocol="sysu/indoor-single@agw", bootstrap=0)
    assert (found.counts.total, found.counts.gallery) == (1, 2)
    with pytest.raises(InputError, match="no embedding for 'o2'"):
        evaluate_embeddings(part, manifest_of(rows), protocol="sysu/all-single@agw")
    with pytest.raises(InputError, match="takes queries that have `tir`"):  # before embeddings are missed
        evaluate_embeddings(part, manifest_of(rows), protocol="regdb/t2v")


def test_flags_of_the_manifest_are_kept():
    rows = hand_rows([("a", "1", "rgb"), ("a", "1", "rgb"), ("a", "2", "tir"), ("a", "2", "tir")])
    rows = [replace(row, is_query=at != 1, is_gallery=at != 3) for at, row in enumerate(rows)]
    embeddings = Embeddings(np.array(["o0", "o1", "o2", "o3"]), np.eye(4, dtype=np.float32))
    counts = evaluate_embeddings(embeddings, manifest_of(rows), protocol="regdb/v2t", bootstrap=0).counts
    assert (counts.total, counts.gallery) == (1, 1)


def test_vectors_and_rows_must_agree():
    rows = hand_rows([("a", "1", "rgb"), ("a", "2", "tir")])
    with pytest.raises(InputError, match="1 query and 2 gallery vectors for 2 queries and 2 entries"):
        evaluate_rows(np.ones((1, 2)), np.ones((2, 2)), rows, rows, protocol="regdb/v2t")
