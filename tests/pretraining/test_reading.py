"""The lesson before pictures: afterwards values are apart and wordings together."""

import numpy as np
import pytest
import torch
from pretrain_cases import SMALL_TOWERS, drawer_of, made_up_pack
from torch.nn import functional as F

from nextreid.model.builtin import random_clip
from nextreid.pretraining.reading import _Reader, teach_text
from nextreid.pretraining.text_tower import TextTower

TOWERS = SMALL_TOWERS | {"projection_dim": 64}


def drawers():
    packs = {kind: made_up_pack(kind, 40, seed=seed) for seed, kind in enumerate(("person", "vehicle"))}
    return {kind: drawer_of(pack) for kind, pack in packs.items()}


def tower(found):
    corpus = [text for drawer in found.values() for text in drawer.vocabulary.corpus()]
    return TextTower(random_clip(TOWERS, corpus=corpus, seed=0))


def spread(texts, drawer):
    """Return the mean cosine between values of one attribute, and between wordings of one value."""
    words, values, wordings = drawer.vocabulary, [], []
    for attribute in words.schema.attributes:
        said = [words.grammar.variants({attribute.name: value}) for value in attribute.values]
        with torch.no_grad():
            one = F.normalize(texts([each[0] for each in said]), dim=-1)
            other = F.normalize(texts([each[-1] for each in said]), dim=-1)
        count = len(said)
        values.append(float((one @ one.T).sum() - count) / (count * (count - 1)))
        wordings.append(float((one * other).sum(-1).mean()))
    return np.array(values), np.array(wordings)


@pytest.mark.slow
def test_values_come_apart_and_wordings_together():
    found = drawers()
    texts = tower(found)
    before = {kind: spread(texts, drawer)[0] for kind, drawer in found.items()}
    taught = teach_text(texts, found, steps=250, seed=0)
    for kind, drawer in found.items():
        values, wordings = spread(texts, drawer)
        assert before[kind].mean() > 0.7  # that is what makes them hard to tell by pictures
        assert values.max() < 0.5, kind
        assert wordings.min() > values.max(), kind
    assert taught.choice < 0.1
    assert not any(p.requires_grad for p in texts.parameters())


def test_a_map_that_is_not_told_a_value_knows_only_that_it_is_shown():
    drawer = drawers()["person"]
    reader, columns = _Reader(drawer, 8), drawer.vocabulary.columns
    names = list(dict.fromkeys(name for name, _ in columns))
    truth = torch.zeros(3, len(columns))  # a coat, a shirt, nothing
    truth[0, columns["upper", "coat"]] = truth[1, columns["upper", "shirt"]] = 1
    told = torch.ones(3, len(names))
    picture, regions = reader(truth, told)
    assert not torch.allclose(picture[0], picture[1])
    told[:, names.index("upper")] = 0
    picture, hidden = reader(truth, told)
    assert torch.allclose(picture[0], picture[1])
    assert not torch.allclose(picture[0], picture[2])
    assert torch.allclose(hidden[0], hidden[1])
    upper = drawer.vocabulary.place_of(("upper", "coat"))
    differs = (regions - hidden).abs().sum(dim=-1) > 1e-6  # (3,R): only there, and only where it is worn
    assert {tuple(at) for at in differs.nonzero().tolist()} == {(0, upper), (1, upper)}


def test_the_lesson_is_a_function_of_the_seed_and_leaves_the_random_state_alone():
    found = drawers()
    made = []
    for seed in (3, 3, 4):
        texts = tower(found)
        torch.manual_seed(1)
        taught = teach_text(texts, found, steps=3, seed=seed)
        assert torch.equal(torch.get_rng_state(), torch.manual_seed(1).get_state())
        made.append((taught, texts.projection.weight.detach().clone()))
    assert made[0][0] == made[1][0] != made[2][0]
    assert torch.equal(made[0][1], made[1][1])
    assert not torch.equal(made[0][1], made[2][1])


def test_one_kind_alone_can_be_taught():
    found = {"person": drawers()["person"]}
    texts = tower(found)
    taught = teach_text(texts, found, steps=2, seed=0)
    assert taught.pairs > 0
    assert taught.regions > 0
    assert all(p.grad is None for p in texts.parameters())
    assert taught.choice > 0
