"""The image-text loss: a slow twin, values by hand, and what the logit of the frequency is for."""

import math

import pytest
import torch

from nextreid.losses.grounding import RARE, PairSigmoid, ValueChoice, region_means


def slow_pairs(loss, pictures, sentences, labels, frequency, weight):
    """The mean over pairs written out with numbers."""
    scale, bias = math.exp(loss.log_scale.item()), loss.bias.item()
    total, count = 0.0, 0
    for i, picture in enumerate(pictures.tolist()):
        for s, sentence in enumerate(sentences.tolist()):
            inner = sum(a * b for a, b in zip(picture, sentence, strict=True))
            cosine = inner / (math.hypot(*picture) * math.hypot(*sentence))
            p = min(max(float(frequency[s]), RARE), 1 - RARE)
            chance = 1 / (1 + math.exp(-(scale * cosine + bias + math.log(p / (1 - p)))))
            total -= float(weight[i, s]) * math.log(chance if labels[i, s] else 1 - chance)
            count += 1
    return total / count


@pytest.fixture
def pairs():
    generator = torch.Generator().manual_seed(3)
    return {
        "pictures": torch.randn(6, 5, generator=generator),
        "sentences": 4 * torch.randn(4, 5, generator=generator),
        "labels": torch.rand(6, 4, generator=generator) < 0.4,
        "frequency": torch.tensor([0.5, 0.02, 0.9, 0.3]),
    }


@pytest.mark.parametrize("weighted", [False, True])
def test_pairs_equal_their_slow_twin(pairs, weighted):
    loss = PairSigmoid(scale=3.0)
    loss.bias.data.fill_(-0.7)
    weight = torch.rand(6, 4, generator=torch.Generator().manual_seed(1)) if weighted else None
    expected = slow_pairs(loss, weight=torch.ones(6, 4) if weight is None else weight, **pairs)
    assert float(loss(**pairs, weight=weight)) == pytest.approx(expected, rel=1e-5)


def test_more_axes_are_more_pairs(pairs):
    """(B,R,D) regions count as B * R pictures."""
    loss = PairSigmoid()
    folded = pairs | {"pictures": pairs["pictures"].view(2, 3, 5), "labels": pairs["labels"].view(2, 3, 4)}
    assert torch.allclose(loss(**folded), loss(**pairs))


def test_by_hand_knowing_nothing_costs_the_entropy():
    """Cosine and bias 0: one of four pictures fits and the frequency says so, hence H(1/4)."""
    loss = PairSigmoid()
    assert (float(loss.log_scale.exp()), float(loss.bias)) == (pytest.approx(10.0), 0.0)
    pictures, sentence = torch.tensor([[2.0, 0.0]]).repeat(4, 1), torch.tensor([[0.0, 3.0]])
    labels = torch.tensor([[True], [False], [False], [False]])
    value = float(loss(pictures, sentence, labels=labels, frequency=torch.tensor([0.25])))
    assert value == pytest.approx(-0.25 * math.log(0.25) - 0.75 * math.log(0.75))
    # Cosine 1 at scale 10 and frequency 1/2: -log(sigmoid(10)) if true, 10 more if not.
    for label, expected in ((True, math.log1p(math.exp(-10))), (False, 10 + math.log1p(math.exp(-10)))):
        given = {"labels": torch.tensor([[label]]), "frequency": torch.tensor([0.5])}
        assert float(loss(sentence, sentence, **given)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_frequency_alone_pulls_nothing(p):
    """Where pictures tell nothing, the rare positives weigh as much as the many negatives: 0 together.

    So a rare value is not pushed away for being rare, which is what makes the answers balanced.
    """
    loss, count = PairSigmoid(), 1000
    pictures = torch.tensor([[1.0, 0.0]]).repeat(count, 1).requires_grad_()
    labels = (torch.arange(count) < round(p * count))[:, None]
    loss(pictures, torch.tensor([[0.0, 1.0]]), labels=labels, frequency=torch.tensor([p])).backward()
    along = pictures.grad[:, 1]  # the derivative by the cosine
    assert torch.allclose(along[labels[:, 0]], torch.tensor(-10 * (1 - p) / count), rtol=1e-4)
    assert torch.allclose(along[~labels[:, 0]], torch.tensor(10 * p / count), rtol=1e-4)
    assert float(along.sum()) == pytest.approx(0.0, abs=1e-5)
    assert float(loss.bias.grad) == pytest.approx(0.0, abs=1e-6)


def test_never_and_always_true_sentences_stay_finite(pairs):
    loss = PairSigmoid()
    value = loss(**pairs | {"frequency": torch.tensor([0.0, 1.0, 0.0, 1.0])})
    value.backward()
    assert value.isfinite()
    assert loss.log_scale.grad.isfinite()


def test_length_does_not_count_and_halves_average_to_the_whole(pairs):
    loss = PairSigmoid()
    whole = loss(**pairs)
    longer = pairs | {"pictures": 7 * pairs["pictures"], "sentences": 0.1 * pairs["sentences"]}
    assert torch.allclose(loss(**longer), whole, rtol=1e-5)
    weight = torch.rand(6, 4, generator=torch.Generator().manual_seed(2))
    for given in (None, weight):
        halves = [
            loss(
                **pairs | {"pictures": pairs["pictures"][part], "labels": pairs["labels"][part]},
                weight=None if given is None else given[part],
            )
            for part in (slice(0, 3), slice(3, 6))
        ]
        assert torch.allclose(sum(halves) / 2, loss(**pairs, weight=given), rtol=1e-5)


def test_a_pair_of_weight_0_teaches_nothing(pairs):
    loss = PairSigmoid()
    pictures = pairs["pictures"].clone().requires_grad_()
    weight = torch.ones(6, 4)
    weight[2] = 0
    loss(**pairs | {"pictures": pictures}, weight=weight).backward()
    assert not pictures.grad[2].any()
    assert all(pictures.grad[i].any() for i in (0, 1, 3, 4, 5))


def test_a_region_that_is_not_there_has_zeros_and_a_finite_gradient(pairs):
    patches = torch.randn(1, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    shares = torch.tensor([[[1.0, 0.0], [0.5, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    means = region_means(patches, shares)
    assert not means[0, 1].any()
    loss = PairSigmoid()
    labels, frequency = torch.zeros(1, 2, 4, dtype=torch.bool), pairs["frequency"]
    loss(means, pairs["sentences"], labels=labels, frequency=frequency).backward()
    assert patches.grad.isfinite().all()
    assert patches.grad[0, :2].any()
    assert not patches.grad[0, 2:].any()


def test_region_means_equal_loops():
    generator = torch.Generator().manual_seed(4)
    patches = torch.randn(2, 6, 5, generator=generator)
    shares = torch.rand(2, 6, 3, generator=generator) * (torch.rand(2, 6, 3, generator=generator) < 0.6)
    means = region_means(patches, shares)
    for b in range(2):
        for r in range(3):
            total = sum(float(shares[b, n, r]) for n in range(6))
            expected = sum(float(shares[b, n, r]) * patches[b, n] for n in range(6)) / total
            assert torch.allclose(means[b, r], expected, atol=1e-6)


def test_region_means_do_not_know_the_order_of_patches():
    generator = torch.Generator().manual_seed(5)
    patches, shares = torch.randn(2, 6, 5, generator=generator), torch.rand(2, 6, 3, generator=generator)
    order = torch.randperm(6, generator=generator)
    moved = region_means(patches[:, order], shares[:, order])
    assert torch.allclose(moved, region_means(patches, shares), atol=1e-6)
    alone = region_means(patches[:1], shares[:1])  # a batch of one
    assert torch.allclose(alone[0], region_means(patches, shares)[0], atol=1e-6)


def test_losses_are_computed_in_float32(pairs):
    half = {name: pairs[name].bfloat16() for name in ("pictures", "sentences")}
    value = PairSigmoid()(**pairs | half)
    assert value.dtype == torch.float32
    assert torch.allclose(value, PairSigmoid()(**pairs), rtol=0.02)
    assert region_means(torch.ones(1, 2, 3).bfloat16(), torch.ones(1, 2, 1)).dtype == torch.float32


# ------------------------------------------------------------------ the choice among an attribute's values


def test_by_hand_a_choice_among_the_values_of_one_attribute():
    """Sentences of another attribute do not compete, whatever they say."""
    choice = ValueChoice(scale=2.0)
    sentences = torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0], [1.0, -1.0]])
    attribute, frequency = torch.tensor([0, 0, 1, 1]), torch.tensor([0.6, 0.2, 0.5, 0.5])
    asked = {"attribute": attribute, "frequency": frequency, "out_of": 4}
    found = choice(torch.tensor([[3.0, 0.0]]), sentences, chosen=torch.tensor([0]), **asked)
    right, wrong = 0.6 * math.exp(2), 0.2  # cosines 1 and 0
    assert float(found.detach()) == pytest.approx(-math.log(right / (right + wrong)) / 4)
    both = choice(torch.tensor([[3.0, 0.0], [1.0, -1.0]]), sentences, chosen=torch.tensor([0, 3]), **asked)
    more = -math.log(math.exp(2) / (math.exp(2) + 1))  # cosines 1 and 0, equally frequent
    assert float((both - found).detach()) == pytest.approx(more / 4)
    weighted = choice(
        torch.tensor([[3.0, 0.0], [1.0, -1.0]]),
        sentences,
        chosen=torch.tensor([0, 3]),
        importance=torch.tensor([9.0, 9.0, 0.5, 0.5]),
        **asked,
    )
    assert float(weighted.detach()) == pytest.approx(float((9 * found).detach()) + more / 8)


def test_knowing_nothing_costs_the_entropy_of_the_values():
    """All cosines equal: chosen as often as the frequencies say, hence their entropy."""
    choice, sentences = ValueChoice(), torch.ones(2, 3)
    chosen = torch.tensor([0, 0, 0, 1])
    value = choice(
        torch.randn(4, 3),
        sentences,
        chosen=chosen,
        attribute=torch.zeros(2, dtype=torch.long),
        frequency=torch.tensor([0.3, 0.1]),  # of all pictures: not all show the attribute
        out_of=4,
    )
    assert float(value.detach()) == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25), rel=1e-5)


def test_a_step_in_which_no_value_is_shown_costs_nothing_and_trains():
    choice = ValueChoice()
    vectors = torch.zeros(0, 3, requires_grad=True)
    value = choice(
        vectors,
        torch.ones(2, 3),
        chosen=torch.zeros(0, dtype=torch.long),
        attribute=torch.zeros(2, dtype=torch.long),
        frequency=torch.tensor([0.5, 0.5]),
        out_of=7,
    )
    value.backward()
    assert float(value.detach()) == 0.0
