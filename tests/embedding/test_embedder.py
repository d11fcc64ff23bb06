"""NextReID.embed: any image, any subset of modalities, with or without captions."""

import numpy as np
import pytest
import torch
from PIL import Image

from nextreid.attributes.schema import load_schema
from nextreid.embedding.embedder import NextReID, choose_device, each_subset
from nextreid.errors import ImageError, InputError
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.pretrained import Pretrained
from nextreid.observation import Observation, Sentence


@pytest.fixture(scope="module")
def reid():
    architecture = Architecture(
        modalities=("rgb", "nir", "tir"), schema=load_schema("person").to_dict(), size=(64, 32)
    )
    model = build_model(architecture, load_clip("builtin:tiny", corpus=["a man in a red coat"]))
    return NextReID(Pretrained(model, architecture, "scratch", {}), device="cpu")


def pixels(seed, size=(70, 30)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_a_path_a_picture_an_array_and_a_tensor_are_the_same(reid, tmp_path):
    array = pixels(0)
    Image.fromarray(array).save(tmp_path / "a.png")
    forms = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.fromarray(array),
        array,
        torch.from_numpy(array).permute(2, 0, 1),
    ]
    vectors = reid.embed([Observation(tir=form) for form in forms]).vectors
    assert np.abs(vectors - vectors[0]).max() < 1e-5


def test_counts_in_equal_counts_out_whatever_the_batch(reid):
    observations = [Observation(rgb=pixels(i), tir=pixels(i + 50)) for i in range(5)]
    observations += [Observation(nir=pixels(9), camera="7"), Observation(depth=pixels(3))]
    whole = reid.embed(observations)
    parts = reid.embed(observations, batch_size=2)
    assert whole.vectors.shape == (7, sum(reid.model.widths.values()))
    assert whole.observation.tolist() == [str(i) for i in range(7)]
    np.testing.assert_allclose(whole.vectors, parts.vectors, atol=1e-5)
    assert {name: s.stop - s.start for name, s in whole.branches.items()} == dict(reid.model.widths)


def test_subsets_equal_embedding_the_smaller_observation(reid):
    told = (Sentence("who", "a tall man", 0.9, frozenset({"rgb"})),)
    full = [
        Observation(rgb=pixels(i), nir=pixels(i + 9), tir=pixels(i + 99), captions=told) for i in range(3)
    ]
    full.append(Observation(nir=pixels(40)))
    result = reid.embed(full, subsets=each_subset(reid.modalities))
    for subset in each_subset(reid.modalities):
        rows = result.subset(subset)
        for i, o in enumerate(full):
            images = {m: image for m, image in o.images.items() if m in subset}
            if not images:
                assert not rows[i].any()
                continue
            alone = reid.embed([Observation(images=images, captions=o.captions)]).vectors[0]
            np.testing.assert_allclose(rows[i], alone, atol=1e-5)


def test_captions_count_only_when_asked_for_and_never_leak_an_absent_modality(reid):
    seen = (Sentence("who", "a small girl", 0.9, frozenset({"rgb"})),)
    with_it = Observation(rgb=pixels(1), tir=pixels(2), captions=seen)
    plain = Observation(rgb=pixels(1), tir=pixels(2))
    a, b = reid.embed([with_it]).vectors, reid.embed([plain]).vectors
    assert np.abs(a - b).max() > 1e-6
    np.testing.assert_array_equal(reid.embed([with_it], captions=False).vectors, b)
    hidden = reid.embed([Observation(tir=pixels(2), captions=seen)]).vectors
    np.testing.assert_allclose(hidden, reid.embed([Observation(tir=pixels(2))]).vectors, atol=1e-6)


def test_words_and_pictures_meet_in_one_space(reid):
    words = reid.embed_words(["a man in a red coat", "a girl"])
    pictures = reid.embed_for_words([Observation(rgb=pixels(i)) for i in range(3)])
    assert words.shape[1] == pictures.vectors.shape[1] == reid.model.encoder.dim
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(pictures.vectors, axis=1), 1, atol=1e-5)


def test_saving_and_loading_gives_the_same_vectors(reid, tmp_path):
    observations = [Observation(rgb=pixels(1)), Observation(tir=pixels(2))]
    again = NextReID.from_pretrained(reid.save_pretrained(tmp_path / "m"), device="cpu")
    np.testing.assert_array_equal(reid.embed(observations).vectors, again.embed(observations).vectors)


def test_a_bad_image_names_file_and_place(reid, tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"row 7 of m\.csv.*tir|x\.png"):
        reid.embed([Observation(tir=tmp_path / "x.png")], places=["row 7 of m.csv"])


def test_nothing_to_embed_and_no_such_device_are_errors(reid):
    with pytest.raises(InputError, match="at least one"):
        reid.embed([])
    with pytest.raises(InputError, match="auto, cpu, cuda, mps"):
        choose_device("tpu")


def test_any_iterable_of_observations_is_taken_and_nothing_else(reid):
    observations = [Observation(rgb=pixels(i)) for i in range(3)]
    whole = reid.embed(observations).vectors
    np.testing.assert_array_equal(whole, reid.embed(o for o in observations).vectors)
    for wrong in (observations[0], "photo.png", {"rgb": "photo.png"}):
        with pytest.raises(InputError, match="is not a list of observations"):
            reid.embed(wrong)
    with pytest.raises(InputError, match="Number 1 of the observations is of type str"):
        reid.embed([observations[0], "photo.png"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fill": "mean"}, "fill='mean'.*mask, zero"),
        ({"precision": "fp16"}, "precision='fp16'.*fp32, bf16"),
        ({"batch_size": 1.5}, "batch_size is 1.5"),
        ({"subsets": ["rgb"]}, "'rgb' is no set of modalities"),
        ({"subsets": [("nri",)]}, "nri.*nir, rgb, tir"),
        ({"subsets": [()]}, "is no set of modalities"),
    ],
)
def test_an_argument_that_would_be_ignored_is_an_error(reid, given, said):
    with pytest.raises(InputError, match=f"(?s){said}"):
        reid.embed([Observation(rgb=pixels(0))], **given)


@pytest.mark.parametrize("wrong", ["a man", None, [], [None], [b"a man"], ["\ud800"]])
def test_words_are_a_list_of_texts(reid, wrong):
    with pytest.raises(InputError, match="sentence"):
        reid.embed_words(wrong)


def test_no_observations_but_a_list_of_them(reid):
    with pytest.raises(InputError, match="NoneType is not a list"):
        reid.embed(None)


@pytest.mark.parametrize("box", [(0, 0, 20), (0.5, 0, 20, 20), "0 0 20 20", 3, (0, 0, 20, None)])
def test_a_box_is_four_whole_numbers(box):
    with pytest.raises(InputError, match=r"the box of 'rgb'.*four whole numbers"):
        Observation(rgb=pixels(0), boxes={"rgb": box})
    numbers = np.array([0, 0, 20, 20])
    assert Observation(rgb=pixels(0), boxes={"rgb": numbers}).boxes["rgb"] == (0, 0, 20, 20)


def test_what_is_no_image_or_no_caption_is_an_error_that_stays_short():
    with pytest.raises(InputError, match="is not an image") as caught:
        Observation(rgb=b"x" * 10_000)
    assert len(str(caught.value)) < 500
    for wrong in ("a man", ["a man"], [("who", "a man")], None):
        with pytest.raises(InputError, match="is not a Sentence"):
            Observation(rgb=pixels(0), captions=wrong)
    for wrong in (
        *({"text": None}, {"text": " "}, {"group": 3}, {"evidence": "rgb"}, {"evidence": None}),
        *({"confidence": 7}, {"confidence": -0.1}, {"confidence": float("nan")}, {"confidence": "0.5"}),
    ):
        with pytest.raises(InputError, match="Sentence: "):
            Sentence(**({"group": "who", "text": "a man"} | wrong))
    assert Sentence("who", "a man", evidence={"rgb"}).evidence == frozenset({"rgb"})
    sentence = Sentence("who", "a man")
    assert Observation(rgb=pixels(0), captions=sentence).captions == (sentence,)


def test_a_run_is_told_from_its_model_folder(tmp_path):
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"is a run.*give .*model"):
        NextReID.from_pretrained(tmp_path / "run")
    with pytest.raises(InputError, match=r"(?s)is a backbone.*--model\.backbone builtin:clip-small"):
        NextReID.from_pretrained("builtin:clip-small")
    with pytest.raises(InputError, match="no model folder"):
        NextReID.from_pretrained(tmp_path / "nosuch")
    for nothing in (None, ""):
        with pytest.raises(InputError, match=r"folder=.*RUN/model"):
            NextReID.from_pretrained(nothing)


def test_a_caption_of_an_unknown_group_is_an_error(reid):
    told = (Sentence("nosuch", "a tall man", 0.9, frozenset({"rgb"})),)
    with pytest.raises(InputError, match=r"nosuch.*clothing"):
        reid.embed([Observation(rgb=pixels(1), captions=told)])


def test_an_unknown_modality_retrieves(reid):
    """The same pixels under an unknown name find themselves first among others."""
    gallery = reid.embed([Observation(depth=pixels(i)) for i in range(8)]).vectors
    queries = reid.embed(
        [Observation(depth=np.clip(pixels(i).astype(int) + 3, 0, 255).astype(np.uint8)) for i in range(8)]
    ).vectors
    assert (queries @ gallery.T).argmax(axis=1).tolist() == list(range(8))


def test_both_print_in_one_line(reid):
    assert repr(reid) == "NextReID(next, rgb+nir+tir, 64x32, on cpu)"
    vectors = reid.embed([Observation(rgb=pixels(1))])
    assert repr(vectors).startswith("Embeddings(1 x ")
    assert len(repr(vectors)) < 100
