"""Each measure of the probe against hand-worked cases, slow twins and exhaustive counting."""

from itertools import permutations

import numpy as np
import pytest
from probe_cases import boats

from nextreid.attributes.prompts import prompt_vectors, value_prompts
from nextreid.attributes.schema import load_schema
from nextreid.evaluation.probe.attributes import AttributeScore, attribute_scores
from nextreid.evaluation.probe.pointing import (
    PartGrid,
    PointingTally,
    Target,
    best_positions,
    lies_on,
    targets_of,
)
from nextreid.evaluation.probe.questions import questions_from_captions, questions_from_truth
from nextreid.evaluation.probe.retrieval import retrieval_score
from nextreid.evaluation.probe.truth import HIDDEN, Evidence
from nextreid.evaluation.statistics import mean_intervals, random_order_scores

NEVER = HIDDEN


def _scores(likeness, codes, *, least=1):
    """Scores of the attribute hull (3 values) for images whose likeness to each value is given."""
    schema = boats()
    full = np.full((len(codes), 4), NEVER, np.int16)
    full[:, 0] = codes
    prompts = {a.name: np.eye(len(a.values), 3, dtype=np.float32) for a in schema.attributes}
    return attribute_scores(
        schema, np.array(likeness, np.float32), full, prompts, modality="rgb", least=least
    )


def test_balanced_accuracy_by_hand():
    red, green = [1, 0, 0], [0, 1, 0]
    likeness = (
        [red] * 5 + [green] + [green] + [red]
    )  # six red hulls, one taken for green; two green, one right
    (score,) = _scores(likeness, [0] * 6 + [1] * 2)
    assert score.recalls == {"red": pytest.approx(5 / 6), "green": 0.5}
    assert score.accuracy == 6 / 8
    assert score.balanced == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert score.chance == 0.5  # no hull is blue: that value is not to choose from
    assert score.times_chance == pytest.approx(score.balanced / 0.5)
    assert score.error_removed == pytest.approx((score.balanced - 0.5) / 0.5)
    assert score.n == 8


def test_rare_values_are_left_out_on_both_sides():
    blue = [0, 0, 1]
    likeness = [blue] * 4 + [[0, 1, 0.5]] * 3 + [blue]
    (score,) = _scores(likeness, [0] * 4 + [1] * 3 + [2], least=2)
    assert score.rare == ("blue",)
    assert score.n == 7
    assert score.recalls == {"red": 1.0, "green": 1.0}  # of red and green, red comes first of equals
    assert _scores(likeness, [0] * 8) == ()
    assert _scores(likeness, [NEVER] * 8) == ()


def test_attribute_scores_equal_those_of_loops():
    rng = np.random.default_rng(0)
    classes, codes = rng.normal(size=(80, 3)), rng.integers(-1, 3, 80)
    (score,) = _scores(classes, codes, least=3)
    right = {}
    for vector, code in zip(classes, codes, strict=True):
        if code != NEVER:
            right.setdefault(int(code), []).append(int(np.argmax(np.float32(vector))) == code)
    recalls = [sum(hits) / len(hits) for _, hits in sorted(right.items())]
    assert list(score.recalls.values()) == pytest.approx(recalls)
    assert score.balanced == pytest.approx(sum(recalls) / 3)
    shuffled = rng.permutation(80)
    (again,) = _scores(classes[shuffled], codes[shuffled], least=3)
    assert again == score


@pytest.mark.parametrize(
    ("balanced", "values", "enough"),
    [(0.74, 2, False), (0.76, 2, True), (0.66, 3, False), (0.67, 3, True), (0.24, 8, False), (0.26, 8, True)],
)
def test_enough_is_twice_chance_or_half_of_the_error(balanced, values, enough):
    recalls = {str(value): balanced for value in range(values)}
    score = AttributeScore("a", "rgb", "all", 10, recalls, (), balanced, balanced)
    assert score.enough is enough


def test_prompt_vectors_are_the_means_of_their_prompts():
    schema = boats()
    texts = [text for a in schema.attributes for v in a.values for text in value_prompts(schema, a.name, v)]
    rng = np.random.default_rng(1)
    table = {
        text: row / np.linalg.norm(row) for text, row in zip(texts, rng.normal(size=(99, 5)), strict=False)
    }
    vectors = prompt_vectors(schema, lambda asked: np.array([table[text] for text in asked], np.float32))
    for attribute in schema.attributes:
        assert vectors[attribute.name].dtype == np.float32
        for value, vector in zip(attribute.values, vectors[attribute.name], strict=True):
            mean = np.mean([table[text] for text in value_prompts(schema, attribute.name, value)], axis=0)
            np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_retrieval_equals_loops():
    rng = np.random.default_rng(2)
    likeness, fits = rng.normal(size=(9, 13)).astype(np.float32), rng.random((9, 13)) < 0.3
    fits[4] = False  # nothing fits: not a query
    score = retrieval_score(likeness, fits, direction="sentence-to-image", gallery="rgb", samples=20)
    ranks, ap = {1: [], 5: [], 10: []}, []
    for row, true in zip(likeness, fits, strict=True):
        if not true.any():
            continue
        order = sorted(range(13), key=lambda at, row=row: -row[at])
        found = [at + 1 for at, item in enumerate(order) if true[item]]
        ap.append(np.mean([(j + 1) / rank for j, rank in enumerate(found)]))
        for k, hits in ranks.items():
            hits.append(found[0] <= k)
    assert score.queries == 8
    assert score.metrics["mAP"] == pytest.approx(np.mean(ap))
    for k, hits in ranks.items():
        assert score.metrics[f"rank{k}"] == pytest.approx(np.mean(hits))
    assert score.constant == pytest.approx(fits[fits.any(axis=1)].mean(axis=0).max())
    low, high = score.intervals["rank1"]
    assert low <= score.metrics["rank1"] <= high


def test_retrieval_chance_by_counting_every_order():
    fits = np.array([[1, 0, 0, 0, 0], [1, 1, 0, 0, 1]], bool)
    likeness = np.zeros((2, 5), np.float32)
    score = retrieval_score(likeness, fits, direction="sentence-to-image", gallery="rgb", samples=10)
    first, ap = [], []
    for true in fits:
        orders = [[true[at] for at in order] for order in permutations(range(5))]
        first.append(np.mean([order[0] for order in orders]))
        found = [[at + 1 for at, hit in enumerate(order) if hit] for order in orders]
        ap.append(np.mean([np.mean([(j + 1) / r for j, r in enumerate(ranks)]) for ranks in found]))
    assert score.chance["rank1"] == pytest.approx(np.mean(first)) == pytest.approx(fits.mean())
    assert score.chance["mAP"] == pytest.approx(np.mean(ap))
    assert score.chance["rank5"] == 1.0
    assert random_order_scores(np.array([5]), np.array([5]))["mAP"] == pytest.approx(1.0)


def test_a_perfect_and_an_inverted_ranking():
    fits = np.array([[True, False, False, True], [False, True, False, False]])
    kinds = {"direction": "sentence-to-image", "gallery": "rgb", "samples": 10}
    best = retrieval_score(fits.astype(np.float32), fits, **kinds)
    assert best.metrics == {"rank1": 1.0, "rank5": 1.0, "rank10": 1.0, "mAP": 1.0}
    worst = retrieval_score(-fits.astype(np.float32), fits, **kinds)
    assert worst.metrics["rank1"] == 0.0
    assert retrieval_score(fits * 1.0, np.zeros_like(fits), **kinds) is None


def test_mean_intervals_cover_the_mean_and_shrink():
    rng = np.random.default_rng(3)
    few, many = rng.random((20, 2)), rng.random((2000, 2))
    for scores in (few, many):
        for column, (low, high) in enumerate(mean_intervals(scores, samples=200)):
            assert low <= scores[:, column].mean() <= high
    assert np.ptp(mean_intervals(many, samples=200)[0]) < np.ptp(mean_intervals(few, samples=200)[0])


@pytest.mark.parametrize("most", [1.0, 0.2])
def test_questions_are_true_of_what_shows_all_they_say(most):
    """Each sentence is taken apart again, and every image asked."""
    schema, rng = boats(), np.random.default_rng(4)
    said = {
        text: (a, v)
        for a, attribute in enumerate(schema.attributes)
        for v, value in enumerate(attribute.values)
        for text in value_prompts(schema, attribute.name, value)
    }
    codes = np.stack([rng.integers(-1, len(a.values), 60) for a in schema.attributes], axis=1)
    questions = questions_from_truth(schema, codes.astype(np.int16), 30, np.random.default_rng(0), most=most)
    assert len(questions.texts) > 10
    assert len(set(questions.texts)) == len(questions.texts)
    for text, row in zip(questions.texts, questions.true, strict=True):
        told = [said[f"{piece}."] for piece in text.rstrip(".").split(". ")]
        assert 1 <= len(told) <= 3
        assert row.tolist() == [all(image[a] == v for a, v in told) for image in codes]
        assert 0 < row.mean() <= min(most, 0.99)
    again = questions_from_truth(schema, codes.astype(np.int16), 30, np.random.default_rng(0), most=most)
    assert again.texts == questions.texts


@pytest.mark.parametrize("kind", ["person", "vehicle"])
def test_questions_of_the_shipped_schemas_are_written(kind):
    schema, rng = load_schema(kind), np.random.default_rng(4)
    codes = np.stack([rng.integers(-1, len(a.values), 40) for a in schema.attributes], axis=1)
    questions = questions_from_truth(schema, codes.astype(np.int16), 25, np.random.default_rng(0))
    assert len(questions.texts) == 25
    assert all(text.endswith(".") for text in questions.texts)


def test_truth_of_questions_by_hand():
    codes = np.array([[0, 0, NEVER, NEVER], [0, 1, NEVER, NEVER], [0, NEVER, NEVER, NEVER]], np.int16)
    questions = questions_from_truth(boats(), codes, 50, np.random.default_rng(0))
    told = dict(zip(questions.texts, questions.true.tolist(), strict=True))
    assert "The hull is red." not in told  # true of all: it tells nothing
    assert told["A tall mast stands."] == [True, False, False]
    assert told["The hull is red. A short mast stands."] == [False, True, False]
    assert questions_from_truth(boats(), codes[2:], 5, np.random.default_rng(0)).texts == ()


def test_questions_from_captions():
    questions = questions_from_captions(["a", "b", "", "a"], 9, np.random.default_rng(0))
    told = dict(zip(questions.texts, questions.true.tolist(), strict=True))
    assert told == {"a": [True, False, False, True], "b": [False, True, False, False]}
    assert questions_from_captions(["a", "a"], 9, np.random.default_rng(0)).texts == ()
    assert questions_from_captions(["", ""], 9, np.random.default_rng(0)).texts == ()


@pytest.mark.parametrize(("shape", "grid"), [((16, 8), (4, 2)), ((10, 7), (4, 3)), ((3, 5), (6, 2))])
def test_part_shares_equal_those_of_fine_pixels(shape, grid):
    rng = np.random.default_rng(5)
    mask = rng.integers(0, 3, shape).astype(np.uint8)
    found = PartGrid.of(mask, grid)
    fine = mask.repeat(grid[0], axis=0).repeat(grid[1], axis=1)  # every patch now holds whole pixels
    tall, wide = fine.shape[0] // grid[0], fine.shape[1] // grid[1]
    for part in (0, 1, 2):
        for number in range(grid[0] * grid[1]):
            r, c = divmod(number, grid[1])
            patch = fine[r * tall : (r + 1) * tall, c * wide : (c + 1) * wide]
            assert found.shares[part][number] == pytest.approx((patch == part).mean())
    np.testing.assert_allclose(sum(found.shares.values()), 1.0)


def test_which_patches_lie_on_a_part():
    assert lies_on(np.array([1.0, 0.25, 0.24, 0.0])).tolist() == [
        True,
        True,
        False,
        False,
    ]  # large: a quarter
    assert lies_on(np.array([0.1, 0.05, 0.04, 0.0])).tolist() == [
        True,
        True,
        False,
        False,
    ]  # small: half of most
    assert not lies_on(np.zeros(4)).any()
    mask = np.zeros((32, 32), np.uint8)
    mask[:16, :16], mask[:16, 16:] = 1, 2
    grid = PartGrid.of(mask, (2, 2))
    assert grid.lies_on((1, 2)).tolist() == [True, True, False, False]
    assert grid.lies_on((2,)).tolist() == [False, True, False, False]
    assert not grid.lies_on((9,)).any()
    assert not grid.lies_on(()).any()


def test_pointing_by_hand():
    target = Target("attribute", "hull", {"hull": "red"}, (1,))
    tally = PointingTally("rgb")
    lies = np.array([[True, False, False, False], [True, True, False, False], [False, False, False, True]])
    for row, top in zip(lies, (0, 2, 3), strict=True):
        tally.add(target, row, top)
    (score,) = tally.scores({("attribute", "hull"): 0})
    assert score.accuracy == pytest.approx(2 / 3)
    assert score.chance == pytest.approx((1 / 4 + 2 / 4 + 1 / 4) / 3)
    assert score.times_chance == pytest.approx(2.0)
    assert score.position == pytest.approx(2 / 3)
    assert (score.away.n, score.away.accuracy, score.away.chance) == (1, 1.0, 0.25)
    (bare,) = tally.scores()
    assert bare.position is None
    assert best_positions({("attribute", "hull"): lies.sum(axis=0)}) == {("attribute", "hull"): 0}


def test_targets_are_what_is_shown_and_has_a_part(tmp_path):
    schema = load_schema("person")
    names = [attribute.name for attribute in schema.attributes]
    evidence = Evidence(
        tmp_path,
        {"face": 1, "hair": 2, "glasses": 3},
        {"glasses": ("glasses",), "glasses=no glasses": ("face",), "hair_length": ("hair",)},
    )
    codes = np.zeros(len(names), np.int16)  # everything is shown with its first value
    found = {(t.level, t.name): t for t in targets_of(schema, codes, evidence)}
    assert set(found) == {("attribute", "glasses"), ("attribute", "hair_length"), ("group", "hair")}
    assert found["attribute", "glasses"].numbers == (1,)  # no glasses: seen on the face
    assert found["group", "hair"].numbers == (1, 2)
    codes[names.index("glasses")] = 1
    codes[names.index("hair_length")] = HIDDEN
    (only,) = targets_of(schema, codes, evidence)
    assert (only.name, only.numbers, only.values) == ("glasses", (3,), {"glasses": "glasses"})
