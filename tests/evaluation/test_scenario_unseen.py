from types import SimpleNamespace

import numpy as np
import pytest
from evaluation_cases import slow_evaluation, stack
from subset_world import context_of, subset_world, vectors_by_id

from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.scenarios.scenario import NotPossibleError
from nextreid.evaluation.scenarios.unseen import again, run, section
from nextreid.model.pretrained import Pretrained


def model(modalities, origin="builtin", **notes):
    """What the scenario asks of a model."""
    pretrained = Pretrained(model=None, architecture=None, origin=origin, notes=notes)
    return SimpleNamespace(modalities=modalities, pretrained=pretrained)


@pytest.mark.parametrize("partial", [False, True])
def test_four_pairs_of_sides_as_a_loop_finds_them(partial):
    rows, embeddings = subset_world(partial, people=5, each=4)
    entry = run(context_of(rows, embeddings, bootstrap=0, model=model(("rgb", "nir"))))
    (only,) = entry["modalities"]
    assert only["modality"] == "tir"
    pairs = [(tuple(row["query"]), tuple(row["gallery"])) for row in only["rows"]]
    seen = ("rgb", "nir")
    assert pairs == [(("tir",), ("tir",)), (("tir",), seen), (seen, ("tir",)), (seen, seen)]
    for row in only["rows"]:
        queries = [r for r in rows if set(r.paths) & set(row["query"])]
        entries = [r for r in rows if set(r.paths) & set(row["gallery"])]
        expected, _, _ = slow_evaluation(
            stack(vectors_by_id(embeddings, row["query"]), queries),
            stack(vectors_by_id(embeddings, row["gallery"]), entries),
            queries,
            entries,
            "cross-camera",
            "cosine",
        )
        assert row["metrics"] == pytest.approx(expected, abs=1e-6)
        assert row["error"] == pytest.approx(1 - expected["mAP"], abs=1e-6)
    assert only["error"] == only["rows"][0]["error"]


def test_hand_computed():
    """Two people, two sightings each: tir tells who it is, and the others tell nothing."""
    rows, embeddings = subset_world(people=2, each=2)
    who = np.repeat(np.eye(2, dtype=np.float32), 2, axis=0)
    same = np.ones_like(who)
    subsets = {"tir": who, "rgb": same, "nir": same, "rgb+nir": same, "rgb+tir": who, "nir+tir": who}
    context = context_of(
        rows,
        Embeddings(embeddings.observation, who, subsets=subsets),
        bootstrap=0,
        model=model(("rgb", "nir")),
    )
    rows_of_entry = run(context)["modalities"][0]["rows"]
    assert rows_of_entry[0]["error"] == 0.0
    # Everything is equally far, so the gallery's order rules. Kept are three entries: o0 finds its match o1
    # first, o1 finds o0 first, o2 finds o3 third, o3 finds o2 third.
    assert rows_of_entry[3]["error"] == pytest.approx(1 - (1 + 1 + 1 / 3 + 1 / 3) / 4)


@pytest.mark.parametrize(
    ("origin", "notes", "strictly"),
    [
        ("builtin", {"backbone_saw": ["rgb", "nir"]}, True),
        ("builtin", {"backbone_saw": ["rgb", "nir", "tir"]}, False),
        ("clip", {"backbone_saw": None}, False),
        ("builtin", {}, False),
        ("scratch", {}, True),
    ],
)
def test_strictly_unseen_only_where_the_backbone_is_known_to_be_without_it(origin, notes, strictly):
    rows, embeddings = subset_world(people=4, each=2)
    context = context_of(rows, embeddings, bootstrap=0, model=model(("rgb", "nir"), origin, **notes))
    entry = run(context)
    assert entry["modalities"][0]["strictly_unseen"] is strictly
    words = section(entry).text
    assert ("`tir` is strictly unseen" in words) is strictly


def test_what_it_needs():
    rows, embeddings = subset_world()
    for trained, message in (
        (None, "do not say what the model was trained with"),
        (("rgb", "nir", "tir"), "trained with every modality"),
        (("depth",), "no modality that the model was trained with"),
    ):
        context = context_of(rows, embeddings, bootstrap=0, model=trained and model(trained))
        with pytest.raises(NotPossibleError, match=message):
            run(context)


def test_what_the_entry_says_is_enough_to_run_it_again():
    rows, embeddings = subset_world(people=4, each=3)
    entry = run(context_of(rows, embeddings, bootstrap=0, model=model(("rgb",), backbone="b")))
    assert again(context_of(rows, embeddings, bootstrap=0, model=None), entry) == entry
    with pytest.raises(InputError, match="trained with"):
        again(context_of(rows, embeddings, bootstrap=0, model=None), {"backbone": {}})
