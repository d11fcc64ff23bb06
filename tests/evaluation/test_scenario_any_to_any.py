import math
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from evaluation_cases import slow_evaluation, stack
from subset_world import MODALITIES, context_of, subset_world, vectors_by_id

from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.scenarios.any_to_any import run, section
from nextreid.evaluation.scenarios.scenario import NotPossibleError

EVERY = [c for size in (1, 2, 3) for c in combinations(MODALITIES, size)]


def slow_cell(rows, embeddings, query, gallery, have_query, have_gallery):
    """(metrics, {query id: (ap, first is right)}) by loops alone."""
    queries = [row for row in rows if any(name in row.paths for name in have_query)]
    entries = [row for row in rows if any(name in row.paths for name in have_gallery)]
    metrics, scores, _ = slow_evaluation(
        stack(vectors_by_id(embeddings, query), queries),
        stack(vectors_by_id(embeddings, gallery), entries),
        queries,
        entries,
        "cross-camera",
        "cosine",
    )
    each = {
        row.observation: (score[0], float(score[2] == 1))
        for row, score in zip(queries, scores, strict=True)
        if score is not None
    }
    return metrics, each


@pytest.mark.parametrize("partial", [False, True])
def test_every_cell_is_what_a_loop_finds(partial):
    rows, embeddings = subset_world(partial, people=4, each=4)
    found = run(context_of(rows, embeddings, bootstrap=0))
    assert [(tuple(c["query"]), tuple(c["gallery"])) for c in found["cells"]] == [
        (q, g) for q in EVERY for g in EVERY
    ]
    for cell in found["cells"]:
        expected, each = slow_cell(
            rows, embeddings, cell["query"], cell["gallery"], cell["query"], cell["gallery"]
        )
        assert cell["metrics"] == pytest.approx(expected, abs=1e-6)
        assert cell["queries"]["valid"] == len(each)
        lacking = [row for row in rows if not set(row.paths) & (set(cell["query"]) | set(cell["gallery"]))]
        assert cell["left_out"] == len(lacking)


@pytest.mark.parametrize("partial", [False, True])
def test_a_gain_compares_the_same_queries_and_entries(partial):
    rows, embeddings = subset_world(partial, people=4, each=4)
    found = run(context_of(rows, embeddings, bootstrap=0))

    @cache
    def cell(shown, having):
        return slow_cell(rows, embeddings, *shown, *having)[1]

    def pair(few, more):
        before, after = cell(few, few), cell(more, few)
        assert before.keys() == after.keys()
        return {name: np.subtract(after[name], before[name]) for name in before}

    for gain in found["gains"]:
        new, side = gain["modality"], gain["side"]
        without = [names for names in EVERY if new not in names]
        others = [tuple(gain["other"])] if gain["other"] else EVERY

        def plus(names, new=new):
            return tuple(name for name in MODALITIES if name in names or name == new)

        if side == "both":
            pairs = [pair((names, names), (plus(names), plus(names))) for names in without]
        elif side == "query":
            pairs = [pair((n, o), (plus(n), o)) for o in others for n in without]
        else:
            pairs = [pair((o, n), (o, plus(n))) for o in others for n in without]
        ids = sorted({name for one in pairs for name in one})
        means = [np.mean([one[name] for one in pairs if name in one], axis=0) for name in ids]
        assert gain["pairs"] == len(pairs)
        assert gain["queries"] == len(ids)
        assert gain["mAP"]["difference"] == pytest.approx(np.mean(means, axis=0)[0], abs=1e-6)
        assert gain["rank1"]["difference"] == pytest.approx(np.mean(means, axis=0)[1], abs=1e-6)
    assert len(found["gains"]) == 3 * (2 * 8 + 1)


def test_noise_does_not_help_and_signal_does():
    rows, embeddings = subset_world(people=12, each=6)
    found = run(context_of(rows, embeddings, bootstrap=200))
    gains = {(g["modality"], g["side"]): g["mAP"] for g in found["gains"] if g["other"] is None}
    for side in ("query", "gallery"):
        assert gains["rgb", side]["interval"][0] > 0
        assert gains["nir", side]["interval"][0] > 0
        assert gains["tir", side]["interval"][1] < 0
    for gain in gains.values():
        low, high = gain["interval"]
        assert low <= gain["difference"] <= high


def test_hand_computed_two_modalities():
    """Two people, two cameras, one sighting each; a vector is (who by rgb, who by nir)."""
    rows, embeddings = subset_world(people=2, each=2)
    rows = [replace(row, paths={m: row.paths[m] for m in ("rgb", "nir")}) for row in rows]
    a, b = [1.0, 0.0], [0.0, 1.0]
    right = np.array([a, a, b, b], np.float32)
    wrong = np.array([a, b, b, a], np.float32)  # the second camera takes one for the other
    context = context_of(
        rows,
        Embeddings(embeddings.observation, right, subsets={"rgb": right, "nir": wrong}),
        bootstrap=0,
    )
    found = run(context)
    mean_ap = {("+".join(c["query"]), "+".join(c["gallery"])): c["metrics"]["mAP"] for c in found["cells"]}
    # From camera 1 the match is the only other of its person: kept entries are itself removed, so the
    # match and the two of the other person are left (3 entries).
    assert mean_ap["rgb", "rgb"] == 1.0
    # nir against nir: the match of each lies opposite, and one of the others is equal: order by gallery.
    # o0 (a): o1 b far, o2 b far, o3 a near -> o3, o1 (match; ties by order), o2: AP 1/2.
    # o1 (b): o0 a far, o2 b near, o3 a far -> o2, o0 (match), o3: AP 1/2. o2: o1 near, o3 after o0?
    # o2 (b): o0 a far, o1 b near, o3 a far (match) -> o1, o0, o3: AP 1/3. o3 (a): o0 near, then o1, o2: 1/3.
    assert mean_ap["nir", "nir"] == pytest.approx((1 / 2 + 1 / 2 + 1 / 3 + 1 / 3) / 4)
    # rgb against nir: o0 (a): gallery o1 b, o2 b, o3 a: match o1 second: 1/2. o1 (a): o0 a match: 1.
    # o2 (b): o0 a, o1 b, o3 a (match): o1, o0, o3: 1/3. o3 (b): o0 a, o1 b, o2 b (match): o1, o2: 1/2.
    assert mean_ap["rgb", "nir"] == pytest.approx((1 / 2 + 1 + 1 / 3 + 1 / 2) / 4)
    gains = {(g["modality"], g["side"]): g for g in found["gains"] if g["other"] is None}
    assert gains["rgb", "both"]["mAP"]["difference"] == pytest.approx(1 - mean_ap["nir", "nir"])
    assert gains["nir", "both"]["mAP"]["difference"] == pytest.approx(0.0)


def test_a_cell_that_cannot_be_scored_says_why_and_takes_no_part_in_gains():
    rows, embeddings = subset_world()
    halves = [("rgb", "tir") if row.camera == "1" else ("rgb", "nir") for row in rows]
    rows = [replace(r, paths={m: r.paths[m] for m in h}) for r, h in zip(rows, halves, strict=True)]
    subsets = {name: matrix.copy() for name, matrix in embeddings.subsets.items()}
    for at, here in enumerate(halves):
        subsets["nir"][at] *= "nir" in here
        subsets["tir"][at] *= "tir" in here
    found = run(context_of(rows, Embeddings(embeddings.observation, embeddings.vectors, subsets=subsets)))
    cells = {("+".join(c["query"]), "+".join(c["gallery"])): c for c in found["cells"]}
    assert cells["nir", "nir"]["metrics"] is None
    assert "leaves no query with a match" in cells["nir", "nir"]["reason"]
    assert cells["tir", "nir"]["metrics"] is not None
    assert all(math.isfinite(gain["mAP"]["difference"]) for gain in found["gains"])
    scored = {pair: cell["metrics"] is not None for pair, cell in cells.items()}
    pairs = [(n, g) for n in EVERY if "rgb" not in n for g in EVERY]
    expected = sum(scored["+".join(n), "+".join(g)] for n, g in pairs)
    gain = next(g for g in found["gains"] if (g["modality"], g["side"], g["other"]) == ("rgb", "query", None))
    assert gain["pairs"] == expected < len(pairs)
    assert section(found).tables[0].rows[1][2] == ""  # nir against nir stays empty


def test_who_is_left_out_where_queries_are_not_in_the_gallery():
    rows, embeddings = subset_world(partial=True, people=4, each=6)
    rows = [replace(row, is_query=i % 3 == 0, is_gallery=i % 3 != 0) for i, row in enumerate(rows)]
    found = run(context_of(rows, embeddings, bootstrap=0))
    for cell in found["cells"]:
        lacking = [
            row
            for row in rows
            if not set(row.paths) & set(cell["query"] if row.is_query else cell["gallery"])
        ]
        assert cell["left_out"] == len(lacking)
    assert any(cell["left_out"] for cell in found["cells"])


def test_what_it_needs():
    rows, embeddings = subset_world()
    few = Embeddings(embeddings.observation, embeddings.vectors, subsets={"rgb": embeddings.subsets["rgb"]})
    with pytest.raises(NotPossibleError, match="each-subset"):
        run(context_of(rows, few))
    single = [replace(row, paths={"rgb" if i % 2 else "nir": "a"}) for i, row in enumerate(rows)]
    with pytest.raises(NotPossibleError, match="a single image"):
        run(context_of(single, embeddings))
    narrow = dict(embeddings.subsets) | {"rgb": embeddings.subsets["rgb"][:, :4]}
    with pytest.raises(InputError, match="`embedding/rgb` is 4 wide and `embedding` 8"):
        run(context_of(rows, Embeddings(embeddings.observation, embeddings.vectors, subsets=narrow)))


def test_the_tables_say_where_a_modality_helps():
    rows, embeddings = subset_world(people=12)
    shown = section(run(context_of(rows, embeddings)))
    grid = shown.tables[0]
    assert grid.header == ("query \\ gallery", *("+".join(names) for names in EVERY))
    assert len(grid.rows) == 7
    assert [name for name, _ in shown.scores] == [
        "any to any, all cells",
        "any to any, same modalities",
        "any to any, none in common",
    ]
    assert "`rgb` added to the query helps most against a gallery of" in shown.text
    assert all(len(row) == len(table.header) for table in shown.tables for row in table.rows)


@pytest.mark.parametrize(
    ("gains", "words"),
    [
        ((0.03, 0.01), "helps most against a gallery of rgb (+3.0 mAP) and least against tir (+1.0)."),
        ((0.03, -0.01), "helps most against a gallery of rgb (+3.0 mAP) and harms most against tir (-1.0)."),
        (
            (-0.01, -0.03),
            "never helps: it harms least against a gallery of rgb (-1.0 mAP) and most against tir (-3.0).",
        ),
    ],
)
def test_words_fit_the_sign(gains, words):
    entry = [
        {"modality": "nir", "side": "query", "other": [other], "mAP": {"difference": gain, "interval": None}}
        for other, gain in zip(("rgb", "tir"), gains, strict=True)
    ]
    assert section({"cells": [], "gains": entry}).text.endswith(f"`nir` added to the query {words}")
