import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from nextreid.errors import InputError
from nextreid.training.optim import (
    ORIGINS,
    OptimSettings,
    Schedule,
    build_optimizer,
    demo_rate,
    our_rate,
    settings_for,
)


def test_our_schedule_by_hand():
    # 100 steps, 20 of warm-up; step 59.5 is half-way between 20 and 99.
    assert our_rate(1.0, 0, total=100, warmup=20) == pytest.approx(0.1)
    assert our_rate(1.0, 10, total=100, warmup=20) == pytest.approx(0.55)
    assert our_rate(1.0, 20, total=100, warmup=20) == pytest.approx(1.0)
    assert our_rate(1.0, 99, total=100, warmup=20) == pytest.approx(0.001)
    middle = (our_rate(1.0, 59, total=100, warmup=20) + our_rate(1.0, 60, total=100, warmup=20)) / 2
    assert middle == pytest.approx((1 + 0.001) / 2, abs=1e-6)
    assert our_rate(3e-4, 10, total=100, warmup=20) == pytest.approx(0.55 * 3e-4)
    assert our_rate(1.0, 0, total=1, warmup=0) == pytest.approx(1.0)


def test_our_schedule_never_jumps_and_keeps_each_groups_own_rate():
    schedule = Schedule(OptimSettings(), epochs=50, steps_per_epoch=7)
    assert schedule.warmup_epochs == 10
    ratios = []
    for step in range(350):
        backbone, new = schedule.rate("backbone", step), schedule.rate("new", step)
        ratios.append(new / backbone)
        assert 0.001 * 5e-6 <= backbone <= 5e-6 * (1 + 1e-12)
    assert max(ratios) / min(ratios) == pytest.approx(1)
    rates = [schedule.rate("new", step) for step in range(350)]
    assert max(abs(a - b) for a, b in pairwise(rates)) < 3.5e-4 / 40


def test_demo_schedule_by_hand():
    def calm(own, epoch):
        """Undo the noise: it is the same factor for every group."""
        noisy = demo_rate(own, 3.5e-4, epoch, epochs=50, warmup=10)
        factor = demo_rate(3.5e-4, 3.5e-4, epoch, epochs=50, warmup=10)
        if epoch < 10:
            true = 3.5e-5 + (3.5e-4 - 3.5e-5) * epoch / 10
        else:
            true = 3.5e-7 + 0.5 * (3.5e-4 - 3.5e-7) * (1 + math.cos(math.pi * epoch / 50))
        return noisy * true / factor

    assert calm(5e-6, 1) == pytest.approx(3.2e-5)  # falls from a tenth of the new parts' rate
    assert calm(5e-6, 5) == pytest.approx((3.5e-5 + 5e-6) / 2)
    assert calm(5e-6, 25) == pytest.approx((5e-6 + 3.5e-7) / 2)
    assert demo_rate(5e-6, 3.5e-4, 50, epochs=50, warmup=10) == pytest.approx(3.5e-7)


def test_demo_noise_is_one_factor_an_epoch_within_two_thirds():
    def noise(epoch):
        return demo_rate(1.0, 1.0, epoch, epochs=1000, warmup=0) / (
            0.001 + 0.5 * 0.999 * (1 + math.cos(math.pi * epoch / 1000))
        )

    factors = [noise(epoch) for epoch in range(1, 200)]
    assert all(1 - 0.67 < factor < 1 + 0.67 for factor in factors)
    assert len({round(f, 6) for f in factors}) > 190
    generator = torch.Generator().manual_seed(42 + 3)
    draw = next(z for z in iter(lambda: float(torch.randn(1, generator=generator)), None) if abs(z) < 0.67)
    assert noise(3) == pytest.approx(1 + draw)
    schedule = Schedule(OptimSettings(schedule="demo"), epochs=4, steps_per_epoch=5)
    assert len({schedule.rate("new", step) for step in range(5)}) == 1
    assert schedule.rate("new", 4) != schedule.rate("new", 5)


def test_origins_are_those_of_the_design():
    clip, builtin, scratch = (ORIGINS[name] for name in ("clip", "builtin", "scratch"))
    assert (clip.optimizer, clip.backbone_rate, clip.rate, clip.weight_decay) == ("adam", 5e-6, 3.5e-4, 1e-4)
    assert builtin.backbone_rate == 1e-4
    assert (scratch.optimizer, scratch.backbone_rate, scratch.weight_decay) == ("adamw", 5e-4, 0.05)
    assert scratch.clip_norm == 1.0
    assert Schedule(scratch, epochs=40, steps_per_epoch=3).warmup_epochs == 2
    assert settings_for("clip", rate=1e-3, optimizer=None).rate == 1e-3
    assert settings_for("scratch", warmup_epochs=0.5).warmup_epochs == 0.5
    with pytest.raises(InputError, match=r"warmup_share=1.5.*0 to 1"):
        settings_for("scratch", warmup_share=1.5)
    with pytest.raises(InputError, match="clip, builtin, scratch"):
        settings_for("imagenet")


def test_groups_have_names_rates_and_decay():
    layers = nn.Linear(3, 2), nn.Linear(2, 2)
    groups = {"backbone": list(layers[0].parameters()), "new": list(layers[1].parameters())}
    adam = build_optimizer(groups, OptimSettings())
    assert [(g["name"], g["lr"], g["weight_decay"], len(g["params"])) for g in adam.param_groups] == [
        ("backbone", 5e-6, 1e-4, 2),
        ("new", 3.5e-4, 1e-4, 2),
    ]
    adamw = build_optimizer(groups, ORIGINS["scratch"])
    assert isinstance(adamw, torch.optim.AdamW)
    assert [(g["name"], g["weight_decay"], g["params"][0].dim()) for g in adamw.param_groups] == [
        ("backbone", 0.05, 2),
        ("backbone", 0.0, 1),
        ("new", 0.05, 2),
        ("new", 0.0, 1),
    ]
    with pytest.raises(InputError, match="already given"):
        build_optimizer({"backbone": groups["new"], "new": groups["new"]}, OptimSettings())
    with pytest.raises(InputError, match="'head'"):
        build_optimizer({"head": groups["new"]}, OptimSettings())
    with pytest.raises(InputError, match="no parameter to train"):
        build_optimizer({"new": []}, OptimSettings())


@pytest.mark.parametrize(
    "bad", [{"optimizer": "sgd"}, {"schedule": "step"}, {"rate": -1.0}, {"clip_norm": math.nan}]
)
def test_settings_are_checked(bad):
    with pytest.raises(InputError, match="optim"):
        OptimSettings(**bad)
