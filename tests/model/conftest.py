"""Small models and batches for the tests of the model room."""

import pytest
import torch

from nextreid.attributes.schema import load_schema
from nextreid.data.batch import Batch
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip

SIZE = (64, 32)
MODALITIES = ("rgb", "nir", "tir")
CORPUS = ["a woman in a red jacket with blue jeans", "a man carrying a black backpack", "short curly hair"]


def make_model(seed=0, **changes):
    schema = load_schema("person")
    settings = {"modalities": MODALITIES, "schema": schema.to_dict(), "size": SIZE} | changes
    architecture = Architecture(**settings)
    return build_model(architecture, load_clip("builtin:tiny", corpus=CORPUS, seed=seed), seed=seed)


def make_batch(B=4, *, seed=0, modalities=MODALITIES, present=None, prompts=None, K=4, size=SIZE, **others):
    generator = torch.Generator().manual_seed(seed)
    images = {m: torch.randn(B, 3, *size, generator=generator) for m in modalities}
    if present is None:
        present = torch.ones(B, len(modalities), dtype=torch.bool)
    return Batch(
        images=images,
        present=torch.as_tensor(present, dtype=torch.bool),
        modalities=tuple(modalities),
        named=others.get("named"),
        camera=others.get("camera", (None,) * B),
        prompts=prompts if prompts is not None else (((),) * K,) * B,
        observation=tuple(f"o{i}" for i in range(B)),
        label=others.get("label"),
        noise_seed=others.get("noise_seed"),
    )


@pytest.fixture
def model():
    return make_model().eval()
