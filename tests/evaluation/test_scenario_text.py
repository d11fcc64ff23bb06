from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import manifest_of, rows_of, slow_evaluation

from nextreid.attributes.schema import load_schema
from nextreid.captions.sentences import Captions
from nextreid.embedding.embeddings import Embeddings
from nextreid.evaluation.evaluate import evaluate_embeddings
from nextreid.evaluation.scenarios.scenario import NotPossibleError, ScenarioContext
from nextreid.evaluation.scenarios.text import run, section, texts_of
from nextreid.observation import Sentence

COAT, BAG, NIGHT = (
    "The person is wearing a red coat.",
    "The person is carrying a backpack.",
    "It was taken at night.",
)


class Model:
    """Vectors by hand: images by observation, words by sentence."""

    def __init__(self, images, words):
        self.images, self.words, self.asked = images, words, []
        schema = load_schema("person").to_dict()
        self.pretrained = SimpleNamespace(architecture=SimpleNamespace(schema=schema))

    def embed_for_words(self, observations, *, batch_size, progress):
        assert all(not o.captions for o in observations)  # images are read without captions
        ids = [o.id for o in observations]
        vectors = np.array([self.images[name] for name in ids], np.float32)
        return SimpleNamespace(observation=np.array(ids), vectors=vectors)

    def embed_words(self, sentences):
        self.asked.append(tuple(sentences))
        return np.array([self.words[text] for text in sentences], np.float32)


def context_of(rows, model, said, tmp_path, protocol="cross-camera", bootstrap=0):
    manifest = replace(manifest_of(rows), root=tmp_path)
    vectors = np.random.default_rng(0).standard_normal((len(rows), 4)).astype(np.float32)
    embeddings = Embeddings(np.array([row.observation for row in rows]), vectors)
    full = evaluate_embeddings(embeddings, manifest, protocol=protocol, bootstrap=bootstrap)
    return ScenarioContext(
        manifest=manifest,
        embeddings=embeddings,
        full=full,
        model=model,
        captions=Captions("by hand", _said=said),
    )


def told(*texts, group="clothing"):
    return tuple(Sentence(group, text) for text in texts)


def test_hand_computed(tmp_path):
    """Persons a, b with a camera 1 and a camera 2 each; o0 a1, o1 a2, o2 b1, o3 b2."""
    rows = rows_of("aabb", "1212")
    images = {"o0": [1, 0], "o1": [0.6, 0.8], "o2": [0, 1], "o3": [0.8, 0.6]}
    model = Model(images, {COAT: [1, 0], BAG: [0, 1]})
    said = {"o0": told(COAT), "o1": told(COAT, BAG), "o2": told(BAG)}
    found = run(context_of(rows, model, said, tmp_path))["identity"]
    # o0 asks "coat": o0 itself is removed; o3 0.8, o1 0.6 (match), o2 0 -> rank 2: AP 1/2.
    # o1 asks the mean of both, (1,1): o1 is removed; o3 1.4, then o0 and o2 1.0, o0 first -> rank 2: 1/2.
    # o2 asks "bag": o2 is removed; o1 0.8, o3 0.6 (match), o0 0 -> rank 2: 1/2. o3 has no caption.
    assert found["metrics"]["mAP"] == pytest.approx(1 / 2)
    assert found["metrics"]["rank1"] == 0.0
    assert found["metrics"]["rank5"] == 1.0
    assert (found["queries"]["total"], found["queries"]["gallery"]) == (3, 4)
    assert found["without_caption"] == 1
    assert found["words_alone"] is None  # o3 has no caption to be found by


def test_as_a_loop_finds_it_and_each_sentence_is_read_once(tmp_path):
    rng = np.random.default_rng(1)
    rows = rows_of("aaabbbcccddd", "123" * 4)
    texts = [f"Sentence {i}." for i in range(6)]
    words = {}
    for text in texts:
        vector = rng.standard_normal(5)
        words[text] = vector / np.linalg.norm(vector)
    images = {row.observation: rng.standard_normal(5) for row in rows}
    said = {
        row.observation: told(*(texts[j] for j in rng.integers(0, 6, rng.integers(1, 4)))) for row in rows
    }
    model = Model(images, words)
    entry = run(context_of(rows, model, said, tmp_path, bootstrap=50))
    means = [
        np.mean([words[t] for t in dict.fromkeys(s.text for s in said[row.observation])], axis=0)
        for row in rows
    ]
    pictures = [images[row.observation] for row in rows]
    found = entry["identity"]
    for vectors, metrics in ((pictures, found["metrics"]), (means, found["words_alone"])):
        expected, _, _ = slow_evaluation(means, vectors, rows, rows, "cross-camera", "cosine")
        assert {k: v for k, v in metrics.items() if not k.endswith("_ci")} == pytest.approx(
            expected, abs=1e-6
        )
        assert metrics["mAP_ci"][0] <= metrics["mAP"] <= metrics["mAP_ci"][1]
    (asked,) = model.asked
    assert sorted(asked) == sorted({s.text for sentences in said.values() for s in sentences})


def test_light_and_image_quality_are_not_asked(tmp_path):
    rows = rows_of("aabb", "1212")
    images = {row.observation: [1, 0] for row in rows}
    said = {row.observation: told(COAT) + told(NIGHT, group="light") for row in rows}
    model = Model(images, {COAT: [1, 0]})
    run(context_of(rows, model, said, tmp_path))
    assert model.asked == [(COAT,)]


def write_truth(folder, shown, hidden_in=()):
    """shown: observation -> {attribute: value}, all visible in rgb; not in the modalities `hidden_in`."""
    rows = [
        {
            "observation": name,
            "modality": modality,
            "attribute": attribute,
            "value": value,
            "visible": modality == "rgb",
        }
        for modality in ("rgb", *hidden_in)
        for name, values in shown.items()
        for attribute, value in values.items()
    ]
    pd.DataFrame(rows).to_parquet(folder / "truth.parquet")


def test_sentences_and_what_they_are_true_of(tmp_path):
    rows = rows_of("aabb", "1212")
    write_truth(
        tmp_path,
        {
            "o0": {"upper": "coat", "upper_colour": "red", "carrying": "backpack"},
            "o1": {"upper": "coat", "upper_colour": "red"},
            "o2": {"upper": "coat", "upper_colour": "blue", "carrying": "backpack"},
            "o3": {"upper": "coat", "upper_colour": "blue"},
        },
    )
    images = {"o0": [1, 0.1], "o1": [0.2, 1], "o2": [0.5, 1], "o3": [1, 0.5]}
    anybody = "The person is wearing a coat."  # true of all: nothing to find
    model = Model(images, {COAT: [1, 0], BAG: [0, 1], anybody: [1, 0], "Words of no schema.": [1, 0]})
    said = {"o0": told(COAT, BAG), "o1": told(COAT, anybody, "Words of no schema."), "o2": told(BAG)}
    entry = run(context_of(rows, model, said, tmp_path))
    true = entry["true"]
    # COAT (o0, o1), by the first number: o0 1, o3 1 (after o0), o2 0.5, o1 0.2 -> ranks 1, 4: (1 + 2/4) / 2.
    # BAG (o0, o2), by the second: o1 1, o2 1 (after o1), o3 0.5, o0 0.1 -> ranks 2, 4: (1/2 + 2/4) / 2.
    assert true["queries"] == 2
    assert true["candidates"] == 4
    assert true["metrics"]["mAP"] == pytest.approx(((1 + 1 / 2) / 2 + (1 / 2 + 1 / 2) / 2) / 2)
    assert true["metrics"]["rank1"] == pytest.approx(1 / 2)
    assert true["chance"]["rank1"] == pytest.approx(1 / 2)
    shown = section(entry)
    assert [name for name, _ in shown.scores] == [
        "captions to images",
        "chance, captions to images",
        "sentences to images they are true of",
        "chance, sentences to images",
    ]


@pytest.mark.parametrize("other", ["nir", "tir"])
def test_what_one_image_shows_the_observation_shows_and_an_absent_image_shows_nothing(tmp_path, other):
    rows = rows_of("aabb", "1212")
    rows = [replace(row, paths={"rgb": tmp_path, other: tmp_path}) for row in rows]
    rows[1] = replace(rows[1], paths={other: tmp_path})  # its rgb image is absent, whatever the truth says
    red, blue = {"upper": "coat", "upper_colour": "red"}, {"upper": "coat", "upper_colour": "blue"}
    write_truth(tmp_path, {"o0": red, "o1": red, "o2": red, "o3": blue}, hidden_in=(other,))
    model = Model({"o0": [1, 0], "o1": [1, 0], "o2": [0, 1], "o3": [1, 0]}, {COAT: [1, 0]})
    true = run(context_of(rows, model, {"o0": told(COAT)}, tmp_path))["true"]
    # True of o0 and o2, at ranks 1 and 4.
    assert true["metrics"]["mAP"] == pytest.approx((1 + 2 / 4) / 2)


def test_a_sentence_of_two_modalities_counts_once():
    said = Captions("by hand", _said={"o0": told(COAT, BAG, COAT) + told(NIGHT, group="light")})
    assert texts_of(said, rows_of("a")[0], frozenset({"clothing"})) == (COAT, BAG)


def test_without_captions_the_truth_writes_the_sentences(tmp_path):
    rows = rows_of("aabb", "1212")
    colours = ("red", "red", "blue", "blue")
    write_truth(tmp_path, {f"o{i}": {"upper": "coat", "upper_colour": c} for i, c in enumerate(colours)})

    class Anything(dict):
        def __missing__(self, text):
            return [1, 0] if "red" in text else [0, 1]

    images = {"o0": [1, 0], "o1": [1, 0], "o2": [0, 1], "o3": [0, 1]}
    entry = run(context_of(rows, Model(images, Anything()), {}, tmp_path))
    assert entry["identity"]["metrics"] is None
    assert "no query has a caption" in entry["identity"]["reason"]
    assert entry["true"]["metrics"]["mAP"] == 1.0


def test_what_it_needs(tmp_path):
    rows = rows_of("aabb", "1212")
    for model, message in ((None, "cannot be asked for words"), (Model({}, {}), "has a caption.*--captions")):
        with pytest.raises(NotPossibleError, match=message):
            run(context_of(rows, model, {}, tmp_path))
