"""Images and sentences in one space: as transformers has it for a CLIP, as the model has it for a model."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from nextreid.attributes.schema import load_schema
from nextreid.data.images import ImageTransform
from nextreid.embedding.embedder import NextReID
from nextreid.embedding.reader import ImageTextReader
from nextreid.embedding.reader_source import KIND_SIZE, is_model_folder, load_reader, schema_sentences
from nextreid.errors import ImageError, InputError
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.pretrained import Pretrained, save_model
from nextreid.observation import Observation

PERSON = load_schema("person")
SIZE = (64, 32)


def pixels(seed, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def clip():
    return load_clip("builtin:tiny", corpus=schema_sentences(PERSON))


def make_pretrained(**changes):
    settings = {"modalities": ("rgb", "nir", "tir"), "schema": PERSON.to_dict(), "size": SIZE} | changes
    architecture = Architecture(**settings)
    clip = load_clip("builtin:tiny", corpus=schema_sentences(PERSON))
    model = build_model(architecture, clip)
    with torch.no_grad():  # zero at the start: give them something to say
        torch.manual_seed(1)
        model.encoder.visual.modality.weight.normal_()
        if model.encoder.visual.camera is not None:
            model.encoder.visual.camera.weight.normal_()
    return Pretrained(model.eval(), architecture, "scratch", {})


def test_a_clip_reads_as_transformers_does(clip):
    size = (64, 64)  # its own: no interpolation
    reader = ImageTextReader.from_clip(clip, size=size, device="cpu")
    images = [pixels(i, size) for i in range(3)]
    found = reader.images([Observation(rgb=image) for image in images], "rgb")
    batch = torch.stack([ImageTransform(size=size)(image) for image in images])
    with torch.no_grad():
        vision = clip.model.vision_model(pixel_values=batch)
        classes = clip.model.visual_projection(vision.pooler_output)
        tokens = clip.model.visual_projection(
            clip.model.vision_model.post_layernorm(vision.last_hidden_state[:, 1:])
        )
        text = ["a man in a red jacket", "short hair"]
        words = [
            clip.model.text_projection(
                clip.model.text_model(**clip.tokenizer([t], return_tensors="pt")).pooler_output
            )
            for t in text
        ]
    unit = torch.nn.functional.normalize
    np.testing.assert_allclose(found.classes, unit(classes, dim=-1), atol=1e-5)
    np.testing.assert_allclose(found.patches, unit(tokens, dim=-1), atol=1e-5)
    np.testing.assert_allclose(reader.sentences(text), unit(torch.cat(words), dim=-1), atol=1e-5)
    assert reader.sentences([]).shape == (0, reader.dim)
    assert (reader.grid, reader.size) == ((4, 4), size)


def test_a_clip_tells_no_modality_from_another(clip):
    reader = ImageTextReader.from_clip(clip, size=SIZE, device="cpu")
    rgb = reader.images([Observation(rgb=pixels(0))], "rgb")
    tir = reader.images([Observation(tir=pixels(0))], "tir")
    np.testing.assert_array_equal(rgb.classes, tir.classes)


@pytest.mark.parametrize("dense", ["last", "value"])
@pytest.mark.parametrize("camera", [False, True])
def test_a_model_reads_as_its_own_encoder_does(dense, camera):
    """With its modality embedding, the camera unknown, and the patches that its text is compared with."""
    from nextreid.data.loaders import batch_from_observations

    pretrained = make_pretrained(
        text_dense=dense, camera_embedding=camera, cameras=("1", "2") if camera else ()
    )
    model = NextReID(pretrained, device="cpu")
    reader = ImageTextReader.from_model(model)
    for modality in ("rgb", "tir", "depth"):
        observations = [Observation(images={modality: pixels(i)}) for i in range(3)]
        batch = batch_from_observations(
            observations,
            modalities=model.modalities,
            transform=model.transform,
            prompts=lambda *_: ((),) * len(model.groups),
        )
        with torch.no_grad():
            tokens = pretrained.model.encoder(batch)
        column = batch.modalities.index(modality)
        found = reader.images(observations, modality)
        unit = torch.nn.functional.normalize
        np.testing.assert_allclose(found.classes, unit(tokens.classes[:, column], dim=-1), atol=1e-5)
        np.testing.assert_allclose(found.patches, unit(tokens.dense[:, column], dim=-1), atol=1e-5)
    np.testing.assert_allclose(reader.sentences(["a man"]), model.embed_words(["a man"]), atol=1e-6)
    assert reader.size == SIZE


def test_batches_do_not_matter_and_come_in_order(clip):
    observations = [Observation(rgb=pixels(i), id=str(i)) for i in range(7)]
    whole = ImageTextReader.from_clip(clip, size=SIZE, device="cpu").images(observations, "rgb")
    small = ImageTextReader.from_clip(clip, size=SIZE, device="cpu", batch_size=3)
    parts = list(small.stream(observations, "rgb"))
    assert [len(part.classes) for part in parts] == [3, 3, 1]
    np.testing.assert_allclose(np.concatenate([p.classes for p in parts]), whole.classes, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(whole.patches, axis=-1), 1.0, atol=1e-5)
    assert whole.classes.dtype == whole.patches.dtype == np.float32
    assert list(small.stream([], "rgb")) == []


def test_what_cannot_be_read_is_named(clip, tmp_path):
    reader = ImageTextReader.from_clip(clip, size=SIZE, device="cpu")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"row 7 of m\.csv, modality rgb.*bad\.png"):
        reader.images([Observation(rgb=tmp_path / "bad.png")], "rgb", places=["row 7 of m.csv"])
    with pytest.raises(InputError, match="have no tir"):
        reader.images([Observation(rgb=pixels(0), id="a")], "tir")
    with pytest.raises(InputError, match="no observation"):
        reader.images([], "rgb")
    with pytest.raises(InputError, match="Pixels of shape"):
        reader.pixels(torch.zeros(1, 3, 32, 64), "rgb")
    with pytest.raises(InputError, match="multiples of 16"):
        ImageTextReader.from_clip(clip, size=(60, 32))
    with pytest.raises(InputError, match="batch_size"):
        ImageTextReader.from_clip(clip, size=SIZE, batch_size=0)


def test_builtin_by_kind_size_and_seed():
    person = load_reader("builtin:tiny", schema=PERSON, device="cpu")
    assert (person.form, person.kind, person.reader.size) == ("clip", None, KIND_SIZE["person"])
    vehicle = load_reader("builtin:tiny", schema=load_schema("vehicle"), device="cpu")
    assert vehicle.reader.size == KIND_SIZE["vehicle"]
    again = load_reader("builtin:tiny", schema=PERSON, device="cpu", size=(32, 32))
    assert again.reader.grid == (2, 2)
    assert again.sha256 == person.sha256 != load_reader("builtin:tiny", schema=PERSON, seed=1).sha256


def test_clip_folders_and_model_folders_are_told_apart(tmp_path, clip):
    clip.model.save_pretrained(tmp_path / "clip")
    clip.tokenizer.save_pretrained(tmp_path / "clip")
    pretrained = make_pretrained()
    save_model(pretrained, tmp_path / "run" / "model")
    assert not is_model_folder(tmp_path / "clip")
    assert is_model_folder(tmp_path / "run" / "model")
    assert not is_model_folder("builtin:tiny")
    read = load_reader(tmp_path / "clip", schema=PERSON, device="cpu", size=SIZE)
    assert (read.form, read.origin) == ("clip", "clip")
    built = ImageTextReader.from_clip(clip, size=SIZE, device="cpu")
    image = [Observation(rgb=pixels(3))]
    np.testing.assert_allclose(
        read.reader.images(image, "rgb").patches, built.images(image, "rgb").patches, atol=1e-6
    )
    trained = load_reader(tmp_path / "run" / "model", schema=PERSON, device="cpu")
    assert (trained.form, trained.kind, trained.reader.size) == ("nextreid", "person", SIZE)
    assert trained.reader.modalities == ("rgb", "nir", "tir")
    with pytest.raises(InputError, match="size that a trained model has"):
        load_reader(tmp_path / "run" / "model", schema=PERSON, size=SIZE)
    with pytest.raises(InputError, match="is a run"):
        load_reader(tmp_path / "run", schema=PERSON)
    with pytest.raises(InputError, match="nosuch"):
        load_reader(tmp_path / "nosuch", schema=PERSON)
    (tmp_path / "clip" / "config.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        load_reader(tmp_path / "clip", schema=PERSON)
    (tmp_path / "run" / "model" / "config.json").write_text(json.dumps({"format": "nextreid.model/9"}))
    with pytest.raises(InputError, match=r"nextreid\.model/9"):
        load_reader(tmp_path / "run" / "model", schema=PERSON)


def test_boxes_are_cut(clip, tmp_path):
    Image.fromarray(pixels(0, (80, 80))).save(tmp_path / "full.png")
    box = (10, 5, 42, 69)
    reader = ImageTextReader.from_clip(clip, size=SIZE, device="cpu")
    cut = reader.images([Observation(rgb=tmp_path / "full.png", boxes={"rgb": box})], "rgb")
    crop = pixels(0, (80, 80))[box[1] : box[3], box[0] : box[2]]
    np.testing.assert_allclose(cut.classes, reader.images([Observation(rgb=crop)], "rgb").classes, atol=1e-6)


def test_one_string_is_not_read_letter_by_letter(clip):
    reader = ImageTextReader.from_clip(clip, size=(32, 32), device="cpu")
    with pytest.raises(InputError, match="a list of strings"):
        reader.sentences("a woman")
    with pytest.raises(InputError, match="empty"):
        reader.sentences(["a woman", " "])
