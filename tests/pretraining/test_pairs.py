"""The network in pretraining: its two losses put together slowly, and that every weight learns."""

import pytest
import torch
from pretrain_cases import SMALL_TOWERS, drawer_of, made_up_pack
from torch.nn import functional as F

from nextreid.losses.grounding import RARE, region_means
from nextreid.model.builtin import random_clip
from nextreid.pretraining.pairs import PairModel


@pytest.fixture(scope="module")
def batch():
    drawer = drawer_of(made_up_pack("person", 5))
    return drawer.batch(0, foreign=drawer_of(made_up_pack("vehicle", 3)))


@pytest.fixture
def clip():
    corpus = drawer_of(made_up_pack("person", 2), pictures=2).vocabulary.corpus()
    return random_clip(SMALL_TOWERS, corpus=corpus, seed=0)


def test_the_losses_are_those_of_the_class_token_and_of_the_regions(clip, batch):
    pairs = PairModel(clip, dense=1.0, bf16=False).eval()
    with torch.inference_mode():
        image, value, dense, place = pairs(**vars(batch))
        nowhere = torch.zeros(len(batch.pixels), dtype=torch.long)
        classes, patches, _ = pairs.encoder(batch.pixels, nowhere, nowhere)
        sentences = torch.cat([pairs.texts((text,)) for text in batch.texts])  # one at a time: no padding
        expected = pairs.image_pairs(
            classes,
            sentences,
            labels=batch.labels,
            frequency=batch.frequency,
            weight=batch.weight,
        )
        assert torch.allclose(image, expected, rtol=1e-4)
        means = region_means(patches, batch.shares)
        alone = pairs.region_pairs(
            means,
            sentences[batch.placed],
            labels=batch.place_labels,
            frequency=batch.frequency[batch.placed],
            weight=batch.place_weight,
        )
        assert torch.allclose(dense, alone, rtol=1e-4)
        asked = torch.unique(batch.attribute)
        counted = len(batch.pixels) * len(asked)
        log = {"image": 0.0, "place": 0.0}
        for b, s in batch.choices.tolist():
            same = (batch.attribute == batch.attribute[s]).nonzero()[:, 0]
            vectors = {"image": classes[b]}
            for _, r, _ in (row for row in batch.place_choices.tolist() if (row[0], row[2]) == (b, s)):
                vectors["place"] = means[b, r]
            for name, vector in vectors.items():
                cosine = F.cosine_similarity(vector[None], sentences[same], dim=1)
                chance = (10 * cosine + batch.frequency[same].clamp(min=RARE).log()).softmax(0)
                log[name] -= float(batch.importance[s] * chance[same.tolist().index(s)].log())
        assert float(value) == pytest.approx(log["image"] / counted, rel=1e-4)
        assert float(place) == pytest.approx(log["place"] / counted, rel=1e-4)


@pytest.mark.parametrize("dense", [1.0, 0.0])
def test_every_weight_that_may_learn_gets_a_gradient(clip, batch, dense):
    """One without would make several processes wait for ever."""
    pairs = PairModel(clip, dense=dense, bf16=False)
    loss = pairs(**vars(batch))
    loss.sum().backward()
    idle = [name for name, p in pairs.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []
    still = {name for name, p in pairs.named_parameters() if not p.requires_grad}
    assert {name.split(".")[0] for name in still - {"encoder.modality.weight"}} == {"texts"}
    assert any(name.startswith("region_pairs") for name, _ in pairs.named_parameters()) == bool(dense)
    assert loss.bool().tolist() == [True, True, bool(dense), bool(dense)]


def test_the_class_token_alone_is_the_same_image_term(clip, batch):
    whole = PairModel(clip, dense=1.0, bf16=False)(**vars(batch))
    alone = PairModel(clip, dense=0.0, bf16=False)(**vars(batch))
    assert torch.equal(whole[:2], alone[:2])
    assert alone[2:].tolist() == [0.0, 0.0]


def test_the_clips_own_weights_are_trained_but_those_of_its_texts(clip):
    pairs = PairModel(clip, dense=1.0, bf16=False)
    own = {id(p): name for name, p in clip.model.named_parameters()}
    kept = {id(clip.model.logit_scale)}  # of CLIP's softmax; the losses have their own
    assert {id(p) for p in pairs.parameters()} & set(own) == set(own) - kept
    trained = {own[id(p)].split(".")[0] for p in pairs.parameters() if p.requires_grad and id(p) in own}
    assert trained == {"vision_model", "visual_projection"}


def test_bf16_is_near_and_ends_in_float32(clip, batch):
    with torch.inference_mode():
        exact, near = (PairModel(clip, dense=1.0, bf16=bf16)(**vars(batch)) for bf16 in (False, True))
    assert near.dtype == torch.float32
    assert torch.allclose(exact, near, rtol=0.05)
