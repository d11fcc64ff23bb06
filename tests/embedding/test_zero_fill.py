"""`fill="zero"`: an absent image stands as zeros after normalisation, as in other published code."""

import numpy as np
import pytest

from nextreid.attributes.schema import load_schema
from nextreid.embedding.embedder import NextReID, each_subset
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.pretrained import Pretrained
from nextreid.observation import Observation, Sentence

GREY = np.full((64, 32, 3), 128, np.uint8)
MEAN = (128 / 255,) * 3  # so that a grey picture is exactly zero after normalisation


@pytest.fixture(scope="module", params=["next", "concat"])
def reid(request):
    architecture = Architecture(
        name=request.param,
        modalities=("rgb", "nir", "tir"),
        schema=load_schema("person").to_dict(),
        size=(64, 32),
        mean=MEAN,
        cameras=("1", "2"),
        camera_embedding=True,
    )
    model = build_model(architecture, load_clip("builtin:tiny", corpus=["a man in a red coat"]))
    for name, parameter in model.named_parameters():  # embeddings of names and cameras start at zero
        if "camera" in name or "modality" in name:
            parameter.data.normal_(std=0.5)
    return NextReID(Pretrained(model, architecture, "scratch", {}), device="cpu")


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (64, 32, 3), dtype=np.uint8)


def observations():
    told = (Sentence("who", "a tall man", 0.9, frozenset({"rgb"})),)
    return [
        Observation(rgb=pixels(1), nir=pixels(2), tir=pixels(3), camera="1", captions=told),
        Observation(rgb=pixels(4), camera="2", captions=told),
        Observation(nir=pixels(5), tir=pixels(6)),
        Observation(depth=pixels(7), tir=pixels(8), camera="elsewhere"),
    ]


def with_grey(observation, shown):
    """The same sighting with grey pictures in place of what is not shown; sentences of it go, too."""
    images = {name: image for name, image in observation.images.items() if name in shown}
    real = frozenset(images)
    for name in ("rgb", "nir", "tir"):
        images.setdefault(name, GREY)
    captions = [s for s in observation.captions if s.evidence <= real]
    return Observation(images=images, camera=observation.camera, captions=captions)


def test_zero_is_a_picture_of_zeros_in_the_whole_and_in_every_subset(reid):
    seen = observations()
    subsets = each_subset(("rgb", "nir", "tir", "depth"))
    found = reid.embed(seen, fill="zero", subsets=subsets)
    whole = reid.embed([with_grey(o, ("rgb", "nir", "tir", "depth")) for o in seen]).vectors
    np.testing.assert_allclose(found.vectors, whole, atol=1e-5)
    for subset in subsets:
        rows = found.subset(subset)
        for row, observation in zip(rows, seen, strict=True):
            if not set(subset) & set(observation.images):
                assert not row.any()  # nothing to show: no vector, as with masks
                continue
            alone = reid.embed([with_grey(observation, subset)]).vectors[0]
            np.testing.assert_allclose(row, alone, atol=1e-5)


def test_a_complete_observation_is_the_same_either_way_and_any_other_is_not(reid):
    seen = observations()
    zero, mask = (reid.embed(seen, fill=fill).vectors for fill in ("zero", "mask"))
    np.testing.assert_allclose(zero[0], mask[0], atol=1e-5)
    assert (np.abs(zero[1:] - mask[1:]).max(axis=1) > 1e-3).all()


def test_the_batch_size_does_not_matter(reid):
    seen = observations() * 2
    a = reid.embed(seen, fill="zero", subsets=(("rgb",),))
    b = reid.embed(seen, fill="zero", subsets=(("rgb",),), batch_size=1)
    np.testing.assert_allclose(a.vectors, b.vectors, atol=1e-5)
    np.testing.assert_allclose(a.subset(("rgb",)), b.subset(("rgb",)), atol=1e-5)
