"""The network in pretraining: its two losses put together slowly, and that every weight learns."""

import pytest
import torch
from pretrain_cases import SMALL_TOWERS, drawer_of, made_up_pack

from nextreid.losses.grounding import region_means
from nextreid.model.builtin import random_clip
from nextreid.model.tokenizer import CONTEXT
from nextreid.pretraining.pairs import LENGTHS, PairModel


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
        image, dense = pairs(**vars(batch))
        nowhere = torch.zeros(len(batch.pixels), dtype=torch.long)
        classes, patches, _ = pairs.encoder(batch.pixels, nowhere, nowhere)
        sentences = torch.cat([pairs.sentences((text,)) for text in batch.texts])  # one at a time: no padding
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


@pytest.mark.parametrize("dense", [1.0, 0.0])
def test_every_weight_that_may_learn_gets_a_gradient(clip, batch, dense):
    """One without would make several processes wait for ever."""
    pairs = PairModel(clip, dense=dense, bf16=False)
    loss = pairs(**vars(batch))
    (loss[0] + dense * loss[1]).backward()
    idle = [name for name, p in pairs.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []
    assert [name for name, p in pairs.named_parameters() if not p.requires_grad] == [
        "encoder.modality.weight"
    ]
    assert any(name.startswith("region_pairs") for name, _ in pairs.named_parameters()) == bool(dense)
    assert bool(loss[1]) == bool(dense)


def test_the_class_token_alone_is_the_same_image_term(clip, batch):
    whole = PairModel(clip, dense=1.0, bf16=False)(**vars(batch))
    alone = PairModel(clip, dense=0.0, bf16=False)(**vars(batch))
    assert torch.equal(whole[0], alone[0])
    assert alone[1].item() == 0.0


def test_the_clips_own_weights_are_trained(clip):
    pairs = PairModel(clip, dense=1.0, bf16=False)
    own = {id(p) for p in clip.model.parameters()}
    kept = {id(clip.model.logit_scale)}  # of CLIP's softmax; the losses have their own
    assert {id(p) for p in pairs.parameters()} & own == own - kept


def test_bf16_is_near_and_ends_in_float32(clip, batch):
    with torch.inference_mode():
        exact, near = (PairModel(clip, dense=1.0, bf16=bf16)(**vars(batch)) for bf16 in (False, True))
    assert near.dtype == torch.float32
    assert torch.allclose(exact, near, rtol=0.05)


def test_texts_of_all_lengths_come_back_in_order(clip):
    """One at a time, as the tokenizer pads them, and together: bits of padding may not matter."""
    few, some, many = ("The person is tall. " * count for count in (1, 4, 8))
    texts = (many, few, some, "A coat.", many + few, some + few, few + "He is.") * 5
    lengths = [len(ids) for ids in clip.tokenizer(list(texts))["input_ids"]]
    assert {sum(length > most for most in LENGTHS) for length in lengths} == {0, 1, 2}
    pairs = PairModel(clip, dense=1.0, bf16=False)
    with torch.inference_mode():
        together = pairs.sentences(texts)
        assert together.shape == (35, 32)
        for text, found in zip(texts[:7], together, strict=False):
            tokens = clip.tokenizer([text], return_tensors="pt")
            pooled = clip.model.text_model(**tokens).pooler_output
            assert torch.allclose(clip.model.text_projection(pooled)[0], found, atol=1e-5), text
    assert torch.equal(together[:7], together[28:])


def test_a_text_that_is_too_long_is_cut_and_still_ends(clip):
    """Three groups of a vehicle's attributes, said in full, have a little more than CLIP's 77 tokens."""
    long = " ".join(["The side mirrors are intact."] * 40)
    tokens = clip.tokenizer([long], truncation=True)["input_ids"][0]
    assert len(tokens) == CONTEXT
    assert tokens[-1] == clip.tokenizer.eos_token_id
    pairs = PairModel(clip, dense=1.0, bf16=False)
    assert pairs.sentences((long, "A red car.")).isfinite().all()
