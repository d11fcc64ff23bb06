"""Structural consistency: by hand on masks of four patches, invariants of the controls, hostile data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_cases import manifest_of
from PIL import Image

from nextreid.data.manifest import Row
from nextreid.embedding.tokens import PatchTokens
from nextreid.errors import ImageError, InputError
from nextreid.evaluation.scenarios.consistency import consistency, run, section
from nextreid.evaluation.scenarios.consistency_matching import (
    Correspondence,
    SeenImage,
    partners,
    random_tokens,
)
from nextreid.evaluation.scenarios.consistency_parts import NO_PART, PatchParts, read_parts
from nextreid.evaluation.scenarios.scenario import NotPossibleError, ScenarioContext

GRID = (4, 1)
NAMES = {"0": "background", "3": "head", "7": "legs", "255": "other object"}


def write_world(root, masks):
    """Masks as {(observation, modality): four letters, one a patch: h, l, o (other object) or .}."""
    codes = {"h": 3, "l": 7, "o": 255, ".": 0}
    rows = {}
    for (observation, modality), letters in masks.items():
        path = root / "parts" / modality / f"{observation}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        column = np.repeat([codes[letter] for letter in letters], 4).astype(np.uint8)
        Image.fromarray(np.repeat(column[:, None], 4, axis=1)).save(path)
        rows.setdefault(observation, {})[modality] = Path(f"{modality}.png")
    (root / "parts.json").write_text(json.dumps({"kind": "boat", "values": NAMES, "evidence": {}}))
    return [
        Row(index=i, source="m.csv", observation=name, identity=name[0], paths=paths)
        for i, (name, paths) in enumerate(rows.items(), start=2)
    ]


class Reader:
    """Gives tokens and routes written down beforehand: (observation, modality) -> (N,D), (N,J)."""

    def __init__(self, tokens, routes=None):
        self.tokens, self.routes = tokens, routes
        self.calls = []

    def patch_tokens(self, observations, *, places=None):
        assert len(places) == len(observations)
        self.calls.append(len(observations))
        names = sorted({m for o in observations for m in o.images})

        def column(of, name):
            some = next(iter(of.values()))
            return np.stack([of.get((o.id, name), np.zeros_like(some)) for o in observations]).astype(
                np.float32
            )

        return PatchTokens(
            observation=tuple(o.id for o in observations),
            grid=GRID,
            present={m: np.array([m in o.images for o in observations]) for m in names},
            patches={m: column(self.tokens, m) for m in names},
            routes={m: column(self.routes, m) for m in names} if self.routes else None,
        )


AXES = np.eye(4)


def random_masks(rng, identities, each):
    names = [(f"{who}{n}", m) for who in identities for n in range(each) for m in ("rgb", "tir")]
    return {name: "".join(rng.choice(list("hl.o"), 4)) for name in names}


def hand_case(root):
    """Two observations of one identity, two modalities; every patch's token is an axis.

    a1 rgb: head, legs, legs, background. a2 tir: legs, head, background, other object.
    a1 tir and a2 rgb show nothing of the object, so only a1 rgb -> a2 tir and its reverse count.
    """
    masks = {
        ("a1", "rgb"): "hll.",
        ("a1", "tir"): "....",
        ("a2", "rgb"): "ooo.",
        ("a2", "tir"): "lh.o",
    }
    rows = write_world(root, masks)
    # a1 rgb patches look like axes 0, 1, 2, 3; a2 tir's like 1, 0, 2, 3: right, right, wrong
    tokens = dict.fromkeys(masks, AXES) | {("a2", "tir"): AXES[[1, 0, 2, 3]]}
    return rows, tokens


def test_correspondence_by_hand(tmp_path):
    """a1 rgb -> a2 tir: head finds patch 1 (head), the first legs patch 0 (legs), the second patch 2

    (background). Same cell: legs for head, head for legs, background for legs: all wrong. The way back:
    legs (patch 0) finds patch 1 (legs), head (patch 1) patch 0 (head); the same cells are wrong.
    """
    rows, tokens = hand_case(tmp_path)
    document = consistency(Reader(tokens), rows, read_parts(manifest(tmp_path, rows)), bootstrap=10)
    found = document["correspondence"]
    assert found["patches"] == 5
    assert found["accuracy"] == found["corrected"] == pytest.approx(4 / 5)
    assert found["position"] == 0
    assert found["pairs"] == 4
    assert found["unanswered"] == 0
    assert {(m["from"], m["to"]): (m["patches"], m["accuracy"]) for m in found["modalities"]} == {
        ("rgb", "tir"): (3, pytest.approx(2 / 3)),
        ("tir", "rgb"): (2, 1.0),
    }
    assert {p["part"]: (p["patches"], p["accuracy"]) for p in found["parts"]} == {
        "head": (2, 1.0),
        "legs": (3, pytest.approx(2 / 3)),
    }
    assert document["routing"] is None
    assert document["routing_reason"] == "the model has no structure router"
    assert "corrected_ci" not in found  # one identity


def manifest(root, rows):
    return replace(manifest_of(rows, ("rgb", "tir")), root=root)


def test_what_the_other_image_does_not_show_is_not_asked_for(tmp_path):
    masks = {("a1", "rgb"): "hll.", ("a2", "tir"): "l..."}
    rows = write_world(tmp_path, masks)
    tokens = dict.fromkeys(masks, AXES)
    found = consistency(Reader(tokens), rows, read_parts(manifest(tmp_path, rows)), bootstrap=0)[
        "correspondence"
    ]
    assert (found["patches"], found["unanswered"]) == (
        3,
        1,
    )  # two legs, the head's answer is missing, one legs
    # a1 legs (1, 2) find patches 1 and 2, background; a2 legs (0) finds patch 0, the head
    assert found["accuracy"] == 0


def test_tokens_that_are_positions_score_as_position_does(tmp_path):
    rng = np.random.default_rng(0)
    masks = {
        (f"{who}{n}", m): "".join(rng.choice(list("hl.o"), 4))
        for who in "abcdef"
        for n in range(4)
        for m in ("rgb", "tir")
    }
    rows = write_world(tmp_path, masks)
    parts = read_parts(manifest(tmp_path, rows))
    found = consistency(Reader(dict.fromkeys(masks, AXES)), rows, parts, bootstrap=50)["correspondence"]
    assert found["accuracy"] == found["position"]
    assert found["corrected"] == 0
    assert found["corrected_ci"] == [0, 0]
    tokens = {}
    for key, letters in masks.items():  # tokens that are parts: always right, where there is a right answer
        tokens[key] = AXES[["hl.o".index(letter) for letter in letters]]
    knowing = consistency(Reader(tokens), rows, parts, bootstrap=50)["correspondence"]
    assert knowing["accuracy"] == knowing["corrected"] == 1
    assert knowing["corrected_ci"] == [1, 1]
    assert knowing["random"] == found["random"]  # the control does not depend on the model
    assert 0.2 < found["random"] < 0.6


def slow_twin(masks, tokens, pairs):
    """Count from the definitions, patch by patch, letters instead of masks."""
    asked = right = position = 0
    for one, other in pairs:
        for n, letter in enumerate(masks[one]):
            if letter not in "hl" or letter not in masks[other]:
                continue
            best, at = -2.0, -1
            for k in range(4):
                cosine = float(np.dot(tokens[one][n].astype(np.float32), tokens[other][k].astype(np.float32)))
                if cosine > best:
                    best, at = cosine, k
            asked += 1
            right += masks[other][at] == letter
            position += masks[other][n] == letter
    return asked, right, position


def test_equals_a_slow_twin_on_random_tokens(tmp_path):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        masks, tokens = {}, {}
        for who in "abc":
            for n in range(int(rng.integers(1, 5))):
                for m in ("rgb", "nir", "tir")[: rng.integers(1, 4)]:
                    masks[f"{who}{n}", m] = "".join(rng.choice(list("hl.o"), 4))
                    drawn = rng.standard_normal((4, 5))
                    tokens[f"{who}{n}", m] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        root = tmp_path / str(seed)
        rows = write_world(root, masks)
        pairs = [
            (one, other)
            for one in masks
            for other in masks
            if one[0][0] == other[0][0] and one[0] != other[0] and one[1] != other[1]
        ]
        asked, right, position = slow_twin(masks, tokens, pairs)
        parts = read_parts(manifest(root, rows))
        if not asked:
            with pytest.raises(NotPossibleError):
                consistency(Reader(tokens), rows, parts, bootstrap=0)
            continue
        found = consistency(Reader(tokens), rows, parts, partners_each=9, bootstrap=0)["correspondence"]
        assert (found["patches"], found["pairs"]) == (asked, len(pairs))
        assert found["accuracy"] == pytest.approx(right / asked)
        assert found["position"] == pytest.approx(position / asked)


def test_observations_without_identity_are_left_out(tmp_path):
    rows, tokens = hand_case(tmp_path)
    parts = read_parts(manifest(tmp_path, rows))
    strangers = [replace(row, identity=None, observation=f"x{row.observation}") for row in rows]
    expected = consistency(Reader(tokens), rows, parts, bootstrap=0)
    assert consistency(Reader(tokens), [*strangers, *rows], parts, bootstrap=0) == expected


def test_partners_are_other_observations_in_other_modalities_and_never_change():
    images = {(f"o{i}", m): None for i in range(8) for m in ("rgb", "tir")}
    pairs = partners(images, count=3, seed=1)
    assert len(pairs) == 16 * 3 == len(set(pairs))
    assert all(one[0] != other[0] and one[1] != other[1] for one, other in pairs)
    assert pairs == partners(dict(reversed(images.items())), count=3, seed=1)
    assert pairs != partners(images, count=3, seed=2)
    assert len(partners(images, count=99, seed=0)) == 16 * 7


def test_chunks_and_the_order_of_rows_change_nothing(tmp_path):
    rng = np.random.default_rng(2)
    masks = {
        (f"{who}{n}", m): "".join(rng.choice(list("hl."), 4))
        for who in "abcd"
        for n in range(3)
        for m in ("rgb", "tir")
    }
    rows = write_world(tmp_path, masks)
    tokens = {key: AXES[rng.permutation(4)] for key in masks}
    routes = {key: rng.dirichlet(np.ones(3), 4) for key in masks}
    parts = read_parts(manifest(tmp_path, rows))
    whole = Reader(tokens, routes)
    document = consistency(whole, rows, parts, bootstrap=20)
    small = Reader(tokens, routes)
    assert consistency(small, rows, parts, chunk=1, bootstrap=20) == document
    assert (whole.calls, small.calls) == ([12], [3, 3, 3, 3])
    again = consistency(whole, rows[::-1], parts, bootstrap=20)["correspondence"]
    assert again["accuracy"] == document["correspondence"]["accuracy"]


def test_parts_of_patches(tmp_path):
    rows = write_world(tmp_path, {("a1", "rgb"): "hl.o"})
    parts = read_parts(manifest(tmp_path, rows))
    assert (parts.names, parts.numbers) == (("head", "legs"), (3, 7))
    seen = parts.of(rows[0], "rgb", GRID)
    assert seen.part.tolist() == [0, 1, NO_PART, NO_PART]
    mask = np.array([[3, 3, 7, 0], [3, 7, 7, 0], [0, 0, 0, 255], [3, 0, 7, 7]], np.uint8)
    halves = parts.read(mask, (2, 2))
    # patch 0 has 3 head and 1 legs; patch 1 half legs; patch 2 a quarter head; patch 3 half legs
    assert halves.part.tolist() == [0, 1, NO_PART, 1]
    assert halves.lies.tolist() == [[True, False, True, False], [True, True, False, True]]


def test_a_perfect_control_leaves_nothing_to_correct():
    parts = PatchParts(np.zeros(2, np.int64), np.ones((1, 2), bool))
    counted = Correspondence(("all",))
    one, other = (SeenImage(f"o{i}", m, np.eye(2), np.eye(2), parts) for i, m in enumerate(("rgb", "tir")))
    counted.add("a", one, other)
    counted.add("b", one, other)
    document = counted.entry(bootstrap=20, seed=0)
    assert document["accuracy"] == document["position"] == 1
    assert document["corrected"] is None
    assert "corrected_ci" not in document
    json.dumps(document, allow_nan=False)


def test_random_tokens_are_directions_of_their_own():
    one = random_tokens((50, 64), seed=0, observation="a", modality="rgb")
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(one, random_tokens((50, 64), seed=0, observation="a", modality="rgb"))
    other = random_tokens((50, 64), seed=0, observation="a", modality="tir")
    assert np.abs((one * other).sum(axis=1)).max() < 0.6


def test_data_that_cannot_be_measured(tmp_path):
    rows, tokens = hand_case(tmp_path)
    parts = read_parts(manifest(tmp_path, rows))
    with pytest.raises(NotPossibleError, match="None of 1 identities has two observations"):
        consistency(Reader(tokens), rows[:1], parts)
    with pytest.raises(InputError, match="partners_each = 0"):
        consistency(Reader(tokens), rows, parts, partners_each=0)
    (tmp_path / "parts" / "tir" / "a2.png").unlink()
    with pytest.raises(ImageError, match=r"row 3 of m\.csv, modality tir"):
        consistency(Reader(tokens), rows, parts)
    empty = write_world(tmp_path / "e", {(f"a{i}", m): "...." for i in range(2) for m in ("rgb", "tir")})
    with pytest.raises(NotPossibleError, match="No patch lies on a part"):
        consistency(
            Reader({(r.observation, m): AXES for r in empty for m in r.paths}),
            empty,
            read_parts(manifest(tmp_path / "e", empty)),
        )


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "damaged"),
        ('{"values": 3}', "damaged"),
        ('{"values": {"x": "head"}}', "damaged"),
        ('{"values": {"0": "background"}}', "names no part"),
    ],
)
def test_damaged_parts(tmp_path, content, match):
    assert read_parts(manifest(tmp_path, [])) is None
    (tmp_path / "parts.json").write_text(content)
    with pytest.raises(InputError, match=match):
        read_parts(manifest(tmp_path, []))


def test_what_the_scenario_needs(tmp_path):
    rows, _ = hand_case(tmp_path)
    bare = manifest_of(rows, ("rgb", "tir"))
    with pytest.raises(NotPossibleError, match="give the model"):
        run(ScenarioContext(manifest=bare, embeddings=None, full=None))
    with pytest.raises(NotPossibleError, match="no part masks"):
        run(ScenarioContext(manifest=bare, embeddings=None, full=None, model=object()))


def test_the_section_shows_the_controls(tmp_path):
    rows, tokens = hand_case(tmp_path)
    routes = {key: np.full((4, 2), 0.5) for key in tokens}
    shown = section(
        consistency(Reader(tokens, routes), rows, read_parts(manifest(tmp_path, rows)), bootstrap=0)
    )
    assert [row[0] for row in shown.tables[0].rows] == ["tokens", "position alone", "random tokens"]
    assert shown.tables[0].rows[0][1:3] == ("80.0", "80.0")
    assert "no two modalities of an observation show the object" in shown.text
