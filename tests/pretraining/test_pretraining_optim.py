"""The optimizers: the schedule by hand, and that every weight has exactly one of them."""

from itertools import pairwise

import pytest
import torch
from pretrain_cases import SMALL_TOWERS
from torch import nn

from nextreid.errors import MissingExtraError
from nextreid.model.builtin import random_clip
from nextreid.pretraining.optim import FLOOR, SCALES, build_optimizers, share_of_rate
from nextreid.pretraining.pairs import PairModel

RATES = {"rate": 1e-3, "matrix_rate": 2e-3, "decay": 0.05}


TOWERS = {**SMALL_TOWERS, "vision_config": {**SMALL_TOWERS["vision_config"], "stem": [4, 8, 8, 8]}}


def model(dense: float = 1.0) -> PairModel:
    return PairModel(random_clip(TOWERS, corpus=["a red car"], seed=0), dense=dense, bf16=False)


def test_the_schedule_by_hand() -> None:
    # 100 steps, 4 of warm-up; step 51.5 is half-way between 4 and 99.
    shares = [share_of_rate(step, total=100, warmup=4) for step in range(100)]
    assert shares[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert (shares[51] + shares[52]) / 2 == pytest.approx((1 + FLOOR) / 2)
    assert shares[99] == pytest.approx(FLOOR) == 0.01
    assert all(a >= b for a, b in pairwise(shares[3:]))
    assert max(abs(a - b) for a, b in pairwise(shares[4:])) < 0.02
    quarter = 4 + 95 / 4  # cos(45 degrees) = 0.7071
    assert share_of_rate(quarter, total=100, warmup=4) == pytest.approx(0.01 + 0.99 * 0.853553, abs=1e-5)
    assert share_of_rate(500, total=100, warmup=4) == pytest.approx(FLOOR)  # never up again
    assert share_of_rate(0, total=1, warmup=1) == 1.0


@pytest.mark.parametrize("dense", [1.0, 0.0])
def test_every_weight_has_exactly_one_optimizer(dense: float) -> None:
    pairs = model(dense)
    muon, adamw = build_optimizers(pairs, **RATES)
    assert type(muon).__name__ == "Muon"
    assert isinstance(adamw, torch.optim.AdamW)
    held = [p.data_ptr() for each in (muon, adamw) for group in each.param_groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {p.data_ptr() for p in pairs.parameters() if p.requires_grad}


def test_matrices_of_the_layers_and_kernels_are_muons_and_only_they() -> None:
    pairs = model()
    muon, adamw = build_optimizers(pairs, **RATES)
    names = {p.data_ptr(): name for name, p in pairs.named_parameters()}
    matrices = sorted(names[p.data_ptr()] for group in muon.param_groups for p in group["params"])
    # q, k, v, out, fc1, fc2 of two visual layers; four convolutions and the last one; texts come before
    assert len(matrices) == 6 * 2 + 5
    assert all(name.endswith(".weight") for name in matrices)
    assert all(".layers." in name or ".patch_embedding." in name for name in matrices)
    assert {name.split(".")[0] for name in matrices} == {"encoder"}
    decayed, plain, scales = ([names[p.data_ptr()] for p in group["params"]] for group in adamw.param_groups)
    assert {name.rsplit(".", 1)[0].split(".")[-1] for name in decayed} == {"position_embedding", "projection"}
    assert all(name.endswith(("bias", "weight", "class_embedding", "log_scale")) for name in plain)
    assert {"image_choice.log_scale", "region_choice.log_scale"} <= set(plain)
    assert sorted(scales) == [
        f"{which}_pairs.{what}" for which in ("image", "region") for what in ("bias", "log_scale")
    ]


def test_a_kernel_moves_as_the_matrix_that_it_is() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, 2)
    twin = nn.Parameter(layer.weight.detach().clone().flatten(1))
    muon, _ = build_optimizers(layer, **RATES)
    plain = torch.optim.Muon([twin], lr=2e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        gradient = torch.randn(5, 3, 2, 2)
        (layer.weight * gradient).sum().backward()
        twin.grad = gradient.flatten(1)
        muon.step()
        plain.step()
        assert layer.weight.grad is None  # the next step begins anew
    assert torch.equal(layer.weight.flatten(1), twin)


def test_rates_and_decay_of_the_groups() -> None:
    muon, adamw = build_optimizers(model(), **RATES)
    told = [(g["lr"], g["full"], g["weight_decay"]) for each in (muon, adamw) for g in each.param_groups]
    assert told == [
        (2e-3, 2e-3, 0.05),
        (1e-3, 1e-3, 0.05),
        (1e-3, 1e-3, 0.0),
        (1e-3 * SCALES, 1e-3 * SCALES, 0.0),
    ]
    assert all(p.dim() > 1 for p in adamw.param_groups[0]["params"])
    assert all(p.dim() <= 1 for p in adamw.param_groups[1]["params"])


def test_a_torch_without_muon_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(MissingExtraError, match=r"torch 2\.9 or newer.*pip install --upgrade torch"):
        build_optimizers(model(), **RATES)
