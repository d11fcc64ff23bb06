"""Patch tokens: the backbone's own, the same for every way to read them; routes that are distributions."""

import numpy as np
import pytest
import torch

from nextreid.attributes.schema import load_schema
from nextreid.data.loaders import batch_from_observations
from nextreid.embedding.embedder import NextReID
from nextreid.embedding.reader import ImageTextReader
from nextreid.embedding.reader_source import load_reader
from nextreid.errors import InputError
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.pretrained import Pretrained
from nextreid.observation import Observation

SIZE = (64, 32)


def made(name="next", **options):
    architecture = Architecture(
        modalities=("rgb", "nir", "tir"),
        schema=load_schema("person").to_dict(),
        size=SIZE,
        name=name,
        **options,
    )
    model = build_model(architecture, load_clip("builtin:tiny", corpus=["a man in a red coat"]))
    return NextReID(Pretrained(model, architecture, "scratch", {}), device="cpu")


@pytest.fixture(scope="module")
def reid():
    return made(text_dense="value")  # what text is compared with is not what is asked for here


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (70, 30, 3), dtype=np.uint8)


def mixed():
    return [
        Observation(id="a", rgb=pixels(0), tir=pixels(1)),
        Observation(id="b", nir=pixels(2)),
        Observation(id="c", rgb=pixels(3), depth=pixels(4)),
        Observation(id="d", rgb=pixels(5)),
    ]


def test_tokens_are_what_the_encoder_gives_whatever_the_batch(reid):
    observations = mixed()
    found = reid.patch_tokens(observations)
    small = reid.patch_tokens(observations, batch_size=1)
    assert found.observation == ("a", "b", "c", "d")
    assert found.grid == reid.model.encoder.grid
    assert found.present["rgb"].tolist() == [True, False, True, True]
    assert found.present["depth"].tolist() == small.present["depth"].tolist() == [False, False, True, False]
    for name, patches in found.patches.items():
        np.testing.assert_allclose(patches, small.patches[name], atol=1e-5)
        np.testing.assert_allclose(
            np.linalg.norm(patches, axis=-1).mean(axis=1), found.present[name], atol=1e-5
        )
    batch = batch_from_observations(
        observations[:1], modalities=reid.modalities, transform=reid.transform, prompts=lambda *_: ()
    )
    with torch.inference_mode():
        raw = reid.model.encoder(batch).patches[0, 0].numpy()
    np.testing.assert_allclose(
        found.patches["rgb"][0], raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-5
    )


def test_routes_are_distributions_where_there_is_an_image_and_zeros_elsewhere(reid):
    found = reid.patch_tokens(mixed())
    for name, routes in found.routes.items():
        assert routes.shape == (4, found.grid[0] * found.grid[1], reid.model.structure.experts.enter.shape[0])
        np.testing.assert_allclose(
            routes.sum(axis=-1), np.repeat(found.present[name][:, None], routes.shape[1], axis=1), atol=1e-5
        )


@pytest.mark.parametrize(("name", "options"), [("concat", {}), ("moe", {}), ("next", {"csse": False})])
def test_any_model_has_tokens_and_only_a_structure_router_has_routes(name, options):
    found = made(name, **options).patch_tokens(mixed())
    assert found.routes is None
    assert found.patches["rgb"].any()


def test_a_reader_of_the_same_backbone_sees_the_same_tokens(reid):
    observations = mixed()
    found, read = reid.patch_tokens(observations), ImageTextReader.from_model(reid, batch_size=2)
    other = read.patch_tokens(observations)
    assert other.routes is None
    assert set(other.patches) == set(found.patches)
    for name in found.patches:
        np.testing.assert_array_equal(other.present[name], found.present[name])
        np.testing.assert_allclose(other.patches[name], found.patches[name], atol=1e-5)


def test_a_bare_clip_has_tokens():
    reader = load_reader("builtin:tiny", schema=load_schema("person"), size=SIZE, device="cpu").reader
    found = reader.patch_tokens(mixed())
    assert found.patches["tir"].shape[1] == reader.grid[0] * reader.grid[1]
    with pytest.raises(InputError, match="at least one"):
        reader.patch_tokens([])
