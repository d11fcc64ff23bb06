"""The text tower in pretraining: every length in order, and what it remembers equals what it would embed."""

import pytest
import torch
from pretrain_cases import SMALL_TOWERS, vocabulary

from nextreid.model.builtin import random_clip
from nextreid.model.tokenizer import CONTEXT
from nextreid.pretraining.text_tower import LENGTHS, TextTower


@pytest.fixture(scope="module")
def clip():
    return random_clip(SMALL_TOWERS, corpus=vocabulary("person").corpus(), seed=0)


def test_texts_of_all_lengths_come_back_in_order(clip):
    """One at a time, as the tokenizer pads them, and together: bits of padding may not matter."""
    few, some, many = ("The person is tall. " * count for count in (1, 4, 8))
    texts = (many, few, some, "A coat.", many + few, some + few, few + "He is.") * 5
    lengths = [len(ids) for ids in clip.tokenizer(list(texts))["input_ids"]]
    assert {sum(length > most for most in LENGTHS) for length in lengths} == {0, 1, 2}
    tower = TextTower(clip)
    with torch.inference_mode():
        together = tower(texts)
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
    assert TextTower(clip)((long, "A red car.")).isfinite().all()


def test_remembered_and_new_texts_are_embedded_alike(clip):
    known = vocabulary("person").corpus() + vocabulary("vehicle").corpus()
    assert len(known) > 256  # more than one portion
    plain, tower = TextTower(clip), TextTower(clip)
    tower.remember(known)
    texts = [known[300], "He is carrying a red suitcase.", known[0], known[299], "The person is tall."]
    with torch.no_grad():
        assert torch.allclose(tower(texts), plain(texts), atol=1e-5)
        assert torch.equal(tower([known[5]])[0], tower(known[:9])[5])
        assert torch.allclose(tower(texts[1:2]), plain(texts[1:2]), atol=1e-5)
