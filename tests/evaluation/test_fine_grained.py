"""Fine-grained accuracy: by hand, against a slow twin, and on data that cannot be scored."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import manifest_of, rows_of, slow_query

from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import evaluate_embeddings
from nextreid.evaluation.protocols import protocol_named
from nextreid.evaluation.scenarios.fine_grained import entry, run, section
from nextreid.evaluation.scenarios.lookalike_truth import read_distinctions
from nextreid.evaluation.scenarios.lookalikes import fine_grained
from nextreid.evaluation.scenarios.scenario import NotPossibleError, ScenarioContext


def world(identities, cameras, groups, vectors, root=None):
    """Rows, embeddings and the full evaluation of a data set; groups as one letter a row, '.' for none."""
    rows = [
        replace(row, lookalike=None if group == "." else group)
        for row, group in zip(rows_of(identities, cameras), groups, strict=True)
    ]
    manifest = manifest_of(rows)
    if root is not None:
        manifest = replace(manifest, root=root)
    embeddings = Embeddings(np.array([row.observation for row in rows]), np.array(vectors, np.float32))
    full = evaluate_embeddings(embeddings, manifest, protocol="cross-camera", bootstrap=50)
    return rows, manifest, embeddings, full


def by_angle(*degrees):
    return [(np.cos(np.radians(d)), np.sin(np.radians(d))) for d in degrees]


HAND = ("aabbccd", "1212122", "XXXXYYX")
"""Group X: a and b (o0 to o3), and d with one image; group Y: c alone."""

ANGLES = (0, 20, 30, 12, 90, 91, 80)


def write_truth(root, facts):
    columns = ["observation", "modality", "attribute", "value", "visible"]
    pd.DataFrame(facts, columns=columns).to_parquet(root / "truth.parquet", index=False)


def test_by_hand():
    """X: o0 at 0 sees o1 20, o2 30, o3 12, o6 80 (itself goes): nearest o3, wrong; a match in 1 of 4.

    o1 at 20: o0 20, o2 10, o3 8, o6 60: o3, wrong, 1 of 4. o2 at 30: o3 18, o0 30, o1 10, o6 50: o1,
    wrong, 1 of 4. o3 at 12: o2 18, o0 12, o1 8, o6 68: o1, wrong, 1 of 4. o6: no match. Y: o4 and o5 see
    only each other.
    """
    _, manifest, embeddings, full = world(*HAND, by_angle(*ANGLES))
    found = fine_grained(embeddings, manifest, full=full)
    assert vars(found.counts) == {
        "total": 7,
        "counted": 4,
        "without_match": 1,
        "without_lookalike": 2,
        "not_visible": 0,
    }
    assert [(q.query, q.hit, q.chance) for q in found.queries] == [(f"o{i}", False, 0.25) for i in range(4)]
    document = entry(found, bootstrap=100)
    assert document["rank1"] == 0
    assert document["chance"] == 0.25
    assert document["corrected"] == pytest.approx(-1 / 3)
    assert document["visibility"] == "unknown"
    assert "rank1_ci" not in document
    better = world(*HAND, by_angle(0, 5, 30, 33, 90, 91, 80))
    document = entry(fine_grained(better[2], better[1], full=better[3]))
    assert document["rank1"] == document["corrected"] == 1


def test_only_what_can_be_seen_counts(tmp_path):
    """Hair tells a from b, and o1 does not show it; shoes tell d from both; the view changes in passing."""
    lasting = {
        "a": ("long", "boots"),
        "b": ("short", "boots"),
        "c": ("long", "boots"),
        "d": ("long", "clogs"),
    }
    facts = []
    for i, who in enumerate(HAND[0]):
        hair, shoes = lasting[who]
        facts.append((f"o{i}", "rgb", "hair", hair, i != 1))
        facts.append((f"o{i}", "tir", "hair", hair, True))  # the rows have no tir
        facts.append((f"o{i}", "rgb", "shoes", shoes, True))
        facts.append((f"o{i}", "rgb", "view", "front" if i % 2 or who == "b" else "back", True))
    facts += [("o6", "rgb", "hat", "yes", True), ("stranger", "rgb", "hat", "no", True)]
    write_truth(tmp_path, facts)
    _, manifest, embeddings, full = world(*HAND, by_angle(*ANGLES), root=tmp_path)
    told = read_distinctions(manifest)
    assert told.apart("a", "b") == {"hair"}
    assert told.apart("a", "d") == {"shoes"}
    assert told.apart("b", "d") == {"hair", "shoes"}
    assert told.apart("a", "c") == set()
    found = fine_grained(embeddings, manifest, full=full, distinctions=told)
    # o0's only match, o1, shows no hair, and only hair tells it from b; o1 shows none itself
    assert [(q.query, q.attributes) for q in found.queries] == [
        ("o2", ("hair", "shoes")),
        ("o3", ("hair", "shoes")),
    ]
    assert found.counts.not_visible == 2
    assert found.truth
    document = entry(found)
    assert [(s["attribute"], s["queries"]) for s in document["attributes"]] == [("hair", 2), ("shoes", 2)]


def test_nothing_visible_is_said_and_something_visible_counts(tmp_path):
    hair = ("long", "long", "short", "short")
    facts = [(f"o{i}", "rgb", "hair", value, i != 2) for i, value in enumerate(hair)]
    write_truth(tmp_path, facts)
    _, manifest, embeddings, full = world("aabb", "1212", "XXXX", by_angle(0, 20, 30, 12), root=tmp_path)
    found = fine_grained(embeddings, manifest, full=full, distinctions=read_distinctions(manifest))
    assert [(q.query, q.attributes) for q in found.queries] == [("o0", ("hair",)), ("o1", ("hair",))]
    assert found.counts.not_visible == 2  # o2 does not show it; of o3 the only match is o2
    write_truth(tmp_path, [(*fact[:4], False) for fact in facts])
    with pytest.raises(NotPossibleError, match="of 4 the difference is not seen"):
        fine_grained(embeddings, manifest, full=full, distinctions=read_distinctions(manifest))


def slow_twin(rows, vectors):
    """Return (hits, chances) of every query that can be scored, from the definitions."""
    scores = {}
    for query in rows:
        gallery = [row for row in rows if row.lookalike == query.lookalike]
        if query.lookalike is None:
            continue
        stacked = np.stack([vectors[row.observation] for row in gallery])
        order = slow_query(vectors[query.observation], stacked, query, gallery, "cross-camera", "cosine")
        matches = sum(match for _, _, match in order)
        if 0 < matches < len(order):
            scores[query.observation] = (order[0][2], matches / len(order))
    return scores


def test_equals_a_slow_twin_with_ties_and_groups_of_any_size():
    rng = np.random.default_rng(3)
    compared = 0
    for _ in range(150):
        count = int(rng.integers(4, 24))
        people = [str(rng.choice(list("abcdefg"))) for _ in range(count)]
        group_of = {name: str(rng.choice(list("XYZ."))) for name in "abcdefg"}
        pool = rng.standard_normal((6, 3)).astype(np.float32)
        vectors = pool[rng.integers(0, 6, size=count)]
        cameras = [str(rng.choice(list("123"))) for _ in range(count)]
        try:
            rows, manifest, embeddings, full = world(people, cameras, [group_of[p] for p in people], vectors)
        except InputError:
            continue  # no query with a match at all
        expected = slow_twin(rows, {row.observation: v for row, v in zip(rows, vectors, strict=True)})
        if not expected:
            with pytest.raises(NotPossibleError):
                fine_grained(embeddings, manifest, full=full)
            continue
        found = fine_grained(embeddings, manifest, full=full)
        got = {q.query: (q.hit, q.chance) for q in found.queries}
        assert got == expected
        counts = found.counts
        assert counts.total == counts.counted + counts.without_match + counts.without_lookalike
        hits, chances = np.array(list(expected.values()), float).T
        document = entry(found, bootstrap=20)
        assert document["rank1"] == pytest.approx(hits.mean())
        assert document["corrected"] == pytest.approx((hits.mean() - chances.mean()) / (1 - chances.mean()))
        compared += 1
    assert compared > 100


def test_random_vectors_are_at_zero_and_the_interval_says_so():
    rng = np.random.default_rng(0)
    people = [f"{g}{p}" for g in range(60) for p in "ab" for _ in range(6)]
    cameras = ["123456"[i % 6] for i in range(len(people))]
    groups = [name[:-1] for name in people]
    _, manifest, embeddings, full = world(people, cameras, groups, rng.standard_normal((len(people), 16)))
    document = entry(fine_grained(embeddings, manifest, full=full), bootstrap=300)
    low, high = document["corrected_ci"]
    assert document["chance"] == pytest.approx(5 / 11)
    assert low < 0 < high
    assert high - low < 0.4


def test_groups_are_resampled_whole():
    """Two groups, one always right and one always wrong: resamples are 0, 1/2 or 1, never between."""
    angles = by_angle(0, 1, 40, 41, 0, 20, 21, 1)
    _, manifest, embeddings, full = world("aabbccdd", "12121212", "XXXXYYYY", angles)
    found = fine_grained(embeddings, manifest, full=full)
    assert [q.hit for q in found.queries] == [True] * 4 + [False] * 4
    assert entry(found, bootstrap=500)["rank1_ci"] == [0.0, 1.0]


def test_data_without_look_alikes_and_identities_in_two_groups():
    _, manifest, embeddings, full = world("aabb", "1212", "....", by_angle(0, 1, 2, 3))
    context = ScenarioContext(manifest=manifest, embeddings=embeddings, full=full)
    with pytest.raises(NotPossibleError, match="column `lookalike` is missing or empty"):
        run(context)
    _, manifest, embeddings, full = world("aabb", "1212", "XYXX", by_angle(0, 1, 2, 3))
    with pytest.raises(InputError, match=r"group 'X' in row 2 .*'Y' in row 3"):
        fine_grained(embeddings, manifest, full=full)


def test_drawn_galleries_are_refused():
    _, manifest, embeddings, full = world(*HAND, by_angle(*ANGLES))
    drawn = SimpleNamespace(protocol=protocol_named("llcm/vis2nir"), metric=full.metric)
    with pytest.raises(NotPossibleError, match="draws its galleries"):
        fine_grained(embeddings, manifest, full=drawn)


def test_the_section_says_what_was_counted():
    _, manifest, embeddings, full = world(*HAND, by_angle(*ANGLES))
    shown = section(entry(fine_grained(embeddings, manifest, full=full)))
    assert "Of 7 queries with look-alikes 4 count; 1 had no match left, 2 no look-alike" in shown.text
    assert "every query counts" in shown.text
    assert shown.tables[0].rows[0][:3] == ("all", "4", "0.0")
