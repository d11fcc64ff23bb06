import math

import pytest
import torch

from nextreid.errors import InputError
from nextreid.losses.identity import identity_loss
from nextreid.losses.total import LossWeights, total_loss
from nextreid.losses.triplet import triplet_loss


def slow_identity(logits, labels, smoothing):
    """The loss written out: no library function but log and exp."""
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        top = max(row)
        log_sum = top + math.log(sum(math.exp(value - top) for value in row))
        for identity, value in enumerate(row):
            target = smoothing / len(row) + (1 - smoothing) * (identity == label)
            total -= target * (value - log_sum)
    return total / len(labels)


def slow_triplet(features, labels):
    """The loss by loops over anchors, positives and negatives."""
    rows, names = features.tolist(), labels.tolist()
    total = 0.0
    for a, anchor in enumerate(rows):
        positives = [math.dist(anchor, rows[p]) for p in range(len(rows)) if names[p] == names[a]]
        negatives = [math.dist(anchor, rows[n]) for n in range(len(rows)) if names[n] != names[a]]
        total += math.log1p(math.exp(max(positives) - min(negatives)))
    return total / len(rows)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_identity_loss_equals_its_slow_twin(smoothing):
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(7, 5, generator=generator)
    labels = torch.randint(5, (7,), generator=generator)
    expected = slow_identity(logits, labels, smoothing)
    assert float(identity_loss(logits, labels, smoothing=smoothing)) == pytest.approx(expected, rel=1e-5)


def test_identity_loss_by_hand():
    # Equal logits: every target distribution costs log 4, whatever the smoothing.
    logits = torch.zeros(2, 4)
    assert float(identity_loss(logits, torch.tensor([0, 3]))) == pytest.approx(math.log(4))


def test_identity_loss_is_computed_in_float32():
    logits = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.bfloat16)
    assert identity_loss(logits, torch.tensor([2])).dtype == torch.float32


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_triplet_loss_equals_its_slow_twin(seed, scale):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2, 3])  # the last identity is alone: its own positive
    features = scale * torch.randn(8, 6, generator=generator, dtype=torch.float64)
    assert float(triplet_loss(features, labels)) == pytest.approx(slow_triplet(features, labels), rel=1e-9)


def test_triplet_loss_by_hand():
    # On a line: anchors 0 and 3 of identity a, 1 of b. Farthest same, nearest other:
    # 0: 3, 1; 3: 3, 2; 1: itself (0), 1.
    features = torch.tensor([[0.0], [3.0], [1.0]])
    expected = (math.log1p(math.exp(2)) + math.log1p(math.exp(1)) + math.log1p(math.exp(-1))) / 3
    assert float(triplet_loss(features, torch.tensor([0, 0, 1]))) == pytest.approx(expected, rel=1e-6)


def test_triplet_loss_does_not_change_with_order_or_place():
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(8, 4, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    order = torch.randperm(8, generator=generator)
    value = float(triplet_loss(features, labels))
    assert float(triplet_loss(features[order], labels[order])) == pytest.approx(value, rel=1e-12)
    assert float(triplet_loss(features + 100, labels)) == pytest.approx(value, rel=1e-9)


def test_triplet_gradient_is_finite_where_features_coincide():
    features = torch.ones(6, 4, requires_grad=True)
    loss = triplet_loss(features, torch.tensor([0, 0, 1, 1, 2, 2]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(math.log(2))
    assert torch.isfinite(features.grad).all()


def test_triplet_gradient_equals_finite_differences():
    generator = torch.Generator().manual_seed(4)
    features = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    assert torch.autograd.gradcheck(lambda x: triplet_loss(x, labels), (features,))


def test_triplet_needs_two_identities():
    with pytest.raises(InputError, match="one identity"):
        triplet_loss(torch.randn(4, 2), torch.zeros(4, dtype=torch.long))


def test_total_is_the_weighted_sum_of_its_parts():
    generator = torch.Generator().manual_seed(5)
    labels = torch.tensor([0, 0, 1, 1])
    branches = {name: torch.randn(4, 3, generator=generator) for name in ("global", "semantic")}
    logits = {name: torch.randn(4, 2, generator=generator) for name in branches}
    auxiliary = {"text": torch.tensor(2.0), "agreement": torch.tensor(5.0)}
    weights = LossWeights(auxiliary={"text": 0.1, "agreement": 0.0})
    report = total_loss(branches, logits, labels, auxiliary=auxiliary, weights=weights)
    expected = 0.1 * 2.0
    for name in branches:
        expected += 0.25 * slow_identity(logits[name], labels, 0.1)
        expected += slow_triplet(branches[name], labels)
    assert float(report.total) == pytest.approx(expected, rel=1e-5)
    assert float(report.parts["agreement"]) == 5.0  # reported though it does not count
    assert set(report.parts) == {"global.identity", "global.triplet", "semantic.identity",
                                 "semantic.triplet", "text", "agreement"}  # fmt: skip


def test_a_weight_without_effect_is_an_error():
    branches = {"global": torch.randn(4, 3)}
    logits = {"global": torch.randn(4, 2)}
    labels = torch.tensor([0, 0, 1, 1])
    with pytest.raises(InputError, match=r"loss.text=0.1.*no such term"):
        total_loss(branches, logits, labels, weights=LossWeights(auxiliary={"text": 0.1}))
    with pytest.raises(InputError, match="branches"):
        total_loss(branches, {"other": logits["global"]}, labels)


@pytest.mark.parametrize(
    "bad", [{"identity": -1.0}, {"triplet": float("nan")}, {"auxiliary": {"text": -1.0}}]
)
def test_weights_are_checked(bad):
    with pytest.raises(InputError):
        LossWeights(**bad)
