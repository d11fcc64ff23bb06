from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nextreid.data.augment import Augmentation
from nextreid.data.cache import ResizedImages
from nextreid.data.dropout import InputDropout
from nextreid.data.images import ImageTransform
from nextreid.data.loaders import (
    BatchLoader,
    TrainingOptions,
    TrainingSet,
    batch_from_observations,
    evidence_of,
    label_map,
)
from nextreid.data.sampler import BatchStream, Draw, IdentitySampler
from nextreid.errors import ImageError, InputError
from nextreid.observation import Observation, Sentence
from nextreid.seeding import derive_seed

MODALITIES = ("rgb", "nir", "tir")
STILL = TrainingOptions(augmentation=Augmentation(flip=0, pad=0, erase=0), dropout=InputDropout(0, 0, 0))


def first_words(sentences, present, rng):
    """A prompt rule that shows what it was given."""
    usable = sorted(s.text for s in sentences if s.evidence <= present)
    number = "evaluation" if rng is None else str(int(rng.integers(10**9)))
    return (tuple((text, 1.0) for text in usable), ((number, 1.0),))


def observations(folder: Path, count=12, identities=4):
    rng = np.random.default_rng(0)
    made = []
    for index in range(count):
        images = {}
        for name in MODALITIES[: 3 if index % 4 else 2]:
            path = folder / f"{index}_{name}.png"
            Image.fromarray(rng.integers(0, 255, (20, 12, 3), dtype=np.uint8)).save(path)
            images[name] = path
        captions = tuple(Sentence("who", f"in {name}", evidence=frozenset({name})) for name in images)
        made.append(
            Observation(
                id=f"o{index}",
                identity=f"i{index % identities}",
                camera=str(index % 2),
                images=images,
                captions=captions,
            )
        )
    return made


@pytest.fixture
def data(tmp_path):
    return observations(tmp_path)


def training(data, cache="none", options=None, size=(16, 8)):
    images = ResizedImages(data, transform=ImageTransform(size), cache=cache)
    images.fill()
    return TrainingSet(images, modalities=MODALITIES, prompts=first_words, options=options)


def equal(one, other):
    assert one.observation == other.observation
    assert one.prompts == other.prompts
    assert one.evidence == other.evidence
    assert one.camera == other.camera
    assert one.modalities == other.modalities
    for name in ("present", "label", "noise_seed"):
        assert torch.equal(getattr(one, name), getattr(other, name))
    assert (one.named is None) == (other.named is None)
    assert one.named is None or torch.equal(one.named, other.named)
    for name in one.modalities:
        assert torch.equal(one.images[name][one.present[:, one.modalities.index(name)]],
                           other.images[name][one.present[:, one.modalities.index(name)]])  # fmt: skip


def batches(data, workers=0, start=0, stop=7, **keywords):
    made = training(data, **keywords)
    sampler = IdentitySampler(made.labels, identities=2, instances=2, seed=0)
    return list(BatchLoader(made, BatchStream(sampler, start, stop), workers=workers))


def test_batches_are_the_same_for_any_number_of_workers_and_from_any_start(data):
    alone = batches(data)
    for found in (batches(data, workers=1), batches(data, workers=3), batches(data, cache="ram")):
        assert len(found) == len(alone) == 7
        for one, other in zip(alone, found, strict=True):
            equal(one, other)
    for one, other in zip(alone[4:], batches(data, workers=2, start=4), strict=True):
        equal(one, other)


def test_draws_differ_between_epochs_and_do_not_touch_the_cache(data):
    made = training(data, cache="ram")
    before = made.images.load(3, "rgb").clone()
    samples = [made[Draw(epoch, 3)] for epoch in range(30)]
    assert torch.equal(before, made.images.load(3, "rgb"))
    assert len({s.noise_seed for s in samples}) == 30
    assert samples[2].noise_seed == derive_seed(0, "routing", 2, "o3")
    full = [s.images["rgb"] for s in samples if "rgb" in s.images]
    assert not torch.equal(full[0], full[1])


def test_evidence_of_what_is_heard_is_told_by_group_and_by_present_images():
    one = Sentence("who", "A man.", evidence=frozenset({"rgb"}))
    same, other = replace(one, evidence=frozenset({"tir"})), Sentence("who", "Old.", evidence=frozenset())
    heard = ((("A man.", 1.0), ("Old.", 1.0)), (), (("Old.", 1.0),))
    found = evidence_of(heard, [one, same, other], frozenset({"rgb", "tir"}))
    assert found == ({"rgb", "tir"}, frozenset(), frozenset())
    assert evidence_of(heard, [one, same, other], frozenset({"rgb"}))[0] == {"rgb"}


def test_text_never_tells_of_a_dropped_modality(data):
    made, dropped = training(data), 0
    for epoch in range(40):
        sample = made[Draw(epoch, 1)]
        assert {text for text, _ in sample.prompts[0]} == {f"in {name}" for name in sample.images}
        dropped += len(sample.images) < 3
    assert dropped


def test_without_draws_training_sees_what_evaluation_sees(data):
    made = training(data, options=STILL)
    batch = batch_from_observations(
        data, modalities=MODALITIES, transform=made.images.transform, prompts=first_words
    )
    for index in range(len(data)):
        sample = made[Draw(0, index)]
        for name, image in sample.images.items():
            assert torch.equal(image, batch.images[name][index])
    assert batch.prompts[1][1] == (("evaluation", 1.0),)
    assert batch.noise_seed is None
    assert batch.label is None
    assert batch.present[0].tolist() == [True, True, False]


def test_boxes_crop_in_both_paths(tmp_path):
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:, 10:] = 200
    boxed = [
        Observation(id=f"b{i}", identity=str(i), rgb=pixels, boxes={"rgb": (10, 0, 20, 20)}) for i in range(2)
    ]
    made = training(boxed, options=STILL)
    assert (made.images.load(0, "rgb") == 200).all()
    batch = batch_from_observations(boxed, modalities=("rgb",), transform=made.images.transform)
    assert torch.equal(batch.images["rgb"][0], made[Draw(0, 0)].images["rgb"])


def test_unknown_modalities_get_a_column(data):
    depth = Observation(id="d", depth=np.zeros((5, 5), np.uint8))
    batch = batch_from_observations([data[0], depth], modalities=MODALITIES, transform=ImageTransform((8, 4)))
    assert batch.modalities == (*MODALITIES, "depth")
    assert batch.present[1].tolist() == [False, False, False, True]


@pytest.mark.parametrize("content", [b"", b"not an image"])
@pytest.mark.parametrize("cache", ["none", "ram"])
def test_an_unreadable_image_is_named_with_its_row(data, content, cache):
    bad = Path(data[5].images["nir"])
    bad.write_bytes(content)
    places = [f"row {index + 2} of m.csv" for index in range(len(data))]
    images = ResizedImages(data, transform=ImageTransform((8, 4)), places=places, cache=cache)
    with pytest.raises(ImageError, match=rf"\Arow 7 of m.csv, modality nir.*{bad.name}"):
        images.fill() if cache == "ram" else images.load(5, "nir")
    if content and cache == "none":
        made = TrainingSet(images, modalities=MODALITIES, options=STILL)
        sampler = IdentitySampler(made.labels, identities=4, instances=3, seed=0)
        with pytest.raises(ImageError, match=r"\Arow 7 of m.csv"):
            list(BatchLoader(made, BatchStream(sampler, 0, 1), workers=2))


def test_labels_are_sorted_and_identities_needed(data):
    assert label_map(data) == {"i0": 0, "i1": 1, "i2": 2, "i3": 3}
    assert label_map(list(reversed(data))) == label_map(data)
    with pytest.raises(InputError, match=r"'x' has no identity"):
        label_map([Observation(id="x", rgb="a.png")])
    with pytest.raises(InputError, match="given twice"):
        training([data[0], data[0]])
    with pytest.raises(InputError, match="No training observation"):
        training([])


def test_auto_keeps_small_sets_in_memory(data, monkeypatch):
    transform = ImageTransform((8, 4))
    assert ResizedImages(data, transform=transform).cached
    monkeypatch.setattr("nextreid.data.cache.AUTO_LIMIT", 100)
    assert not ResizedImages(data, transform=transform).cached
    with pytest.raises(InputError, match="cache="):
        ResizedImages(data, transform=transform, cache="disk")
