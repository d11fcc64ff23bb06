"""Optimiser and learning rates: every rate is a pure function of the step, so resuming is exact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import cos, pi

import torch
from torch import nn

from nextreid.errors import InputError

BACKBONE, NEW = "backbone", "new"

OPTIMIZERS, SCHEDULES = ("adam", "adamw"), ("ours", "demo")

WARMUP_START = 0.1
"""Warm-up begins at this share of each group's own rate (ours; peers take it of the new parts' rate)."""

FLOOR = 0.001
"""The cosine ends at this share of each group's own rate (ours; DeMo: of the new parts' rate)."""


@dataclass(frozen=True)
class OptimSettings:
    """How the weights are moved.

    Attributes:
        optimizer: `adam` or `adamw`.
        backbone_rate, rate: learning rates of the backbone and of all new parts, heads included.
        weight_decay: with `adam` on everything (as peers); with `adamw` not on vectors and scalars,
            that is biases, norms and scales (ours, as everywhere for transformers from scratch).
        clip_norm: largest norm of the whole gradient; 0: not clipped.
        warmup_epochs: epochs of linear warm-up; a fraction is allowed. `None`: `warmup_share` of all.
        warmup_share: used where `warmup_epochs` is None.
        schedule: `ours`, or `demo` (see `demo_rate`).

    Raises:
        InputError: an unknown name or a negative number.
    """

    optimizer: str = "adam"  # reference DeMo, IDEA, MDReID
    backbone_rate: float = 5e-6  # likewise
    rate: float = 3.5e-4  # likewise
    weight_decay: float = 1e-4  # likewise
    clip_norm: float = 0.0  # likewise
    warmup_epochs: float | None = None
    warmup_share: float = 0.2  # likewise: 10 of 50 epochs
    schedule: str = "ours"

    def __post_init__(self) -> None:
        """Check the options."""
        if self.optimizer not in OPTIMIZERS:
            raise InputError(f"optim.optimizer={self.optimizer!r}", allowed=", ".join(OPTIMIZERS))
        if self.schedule not in SCHEDULES:
            raise InputError(f"optim.schedule={self.schedule!r}", allowed=", ".join(SCHEDULES))
        for name in ("backbone_rate", "rate", "weight_decay", "clip_norm", "warmup_epochs", "warmup_share"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise InputError(f"optim.{name}={value}", allowed="a finite number >= 0")
        if self.warmup_share > 1:
            raise InputError(f"optim.warmup_share={self.warmup_share}", allowed="a share, 0 to 1")


ORIGINS: Mapping[str, OptimSettings] = {
    # Reference DeMo, IDEA, MDReID: a CLIP ViT-B/16 is moved slowly.
    "clip": OptimSettings(),
    # Ours: a backbone pretrained by this project on little data has more to learn than CLIP's.
    "builtin": OptimSettings(backbone_rate=1e-4),
    # Ours, as transformers are usually trained from random weights.
    "scratch": OptimSettings(
        optimizer="adamw", backbone_rate=5e-4, weight_decay=0.05, clip_norm=1.0, warmup_share=0.05
    ),
}
"""Settings by what the backbone starts from."""


def settings_for(origin: str, **changes: object) -> OptimSettings:
    """Return the settings of an origin with changes; a change of None keeps the origin's value.

    Raises:
        InputError: an unknown origin.
    """
    if origin not in ORIGINS:
        raise InputError(f"optim.origin={origin!r}", allowed=", ".join(ORIGINS))
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(ORIGINS[origin], **given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Schedule:
    """Learning rates over a run.

    Attributes:
        settings: the rates.
        epochs: length of the run.
        steps_per_epoch: optimiser steps an epoch; need not be whole where gradients are accumulated.
        seed: of the noise of `demo`.
    """

    settings: OptimSettings
    epochs: int
    steps_per_epoch: float
    seed: int = 42  # reference DeMo

    @property
    def warmup_epochs(self) -> float:
        """Return the length of the warm-up."""
        given = self.settings.warmup_epochs
        return self.epochs * self.settings.warmup_share if given is None else given

    def rate(self, group: str, step: int) -> float:
        """Return the rate of a group (`backbone` or `new`) in optimiser step `step` (from 0)."""
        own = self.settings.backbone_rate if group == BACKBONE else self.settings.rate
        if self.settings.schedule == "demo":
            epoch = int(step / self.steps_per_epoch) + 1
            return demo_rate(
                own, self.settings.rate, epoch, epochs=self.epochs, warmup=self.warmup_epochs, seed=self.seed
            )
        return our_rate(
            own,
            step,
            total=self.epochs * self.steps_per_epoch,
            warmup=self.warmup_epochs * self.steps_per_epoch,
        )


def our_rate(own: float, step: int, *, total: float, warmup: float) -> float:
    """Return `own` times a linear warm-up from 0.1 to 1, then a half cosine down to 0.001.

    Args:
        own: the group's rate.
        step: from 0.
        total: steps of the run; the last one (`total - 1`) has the smallest rate.
        warmup: steps of warm-up; step `warmup` is the first with the full rate.
    """
    if step < warmup:
        return own * (WARMUP_START + (1 - WARMUP_START) * step / warmup)
    share = min(1.0, (step - warmup) / max(1.0, total - 1 - warmup))
    return own * (FLOOR + (1 - FLOOR) * 0.5 * (1 + cos(pi * share)))


def demo_rate(own: float, new: float, epoch: int, *, epochs: int, warmup: float, seed: int = 42) -> float:
    """Return the rate of DeMo's public code, constant over an epoch, its oddities included.

    Warm-up begins, for every group, at a tenth of the *new parts'* rate (so the backbone falls to its
    rate: 3.2e-5 in epoch 1 for 5e-6); the cosine counts from epoch 0, not from the end of the warm-up,
    and ends at 0.001 of the new parts' rate; and each epoch's rates, but the last's, are multiplied by
    `1 + z`, z a standard normal number redrawn until `|z| < 0.67`, from the seed `42 + epoch`.

    Args:
        own: the group's rate.
        new: the new parts' rate.
        epoch: from 1.
        epochs, warmup: of the run, in epochs.
        seed: of the noise.
    """
    start, floor = 0.1 * new, 0.001 * new
    if epoch < warmup:
        rate = start + (own - start) * epoch / warmup
    elif epoch < epochs:
        rate = floor + 0.5 * (own - floor) * (1 + cos(pi * epoch / epochs))
    else:
        return floor
    generator = torch.Generator().manual_seed(seed + epoch)
    while True:
        noise = float(torch.randn(1, generator=generator))
        if abs(noise) < 0.67:
            return rate * (1 + noise)


def build_optimizer(
    groups: Mapping[str, Sequence[nn.Parameter]], settings: OptimSettings
) -> torch.optim.Optimizer:
    """Return the optimiser; each of its groups has a `name`, for `Schedule.rate`.

    Args:
        groups: `backbone` and `new` -> trainable parameters; an empty group is left out.
        settings: rates and decay.

    Raises:
        InputError: an unknown group, a parameter in two groups, or nothing to train.
    """
    options: list[dict[str, object]] = []
    seen: set[int] = set()
    for name, parameters in groups.items():
        if name not in (BACKBONE, NEW):
            raise InputError(f"Parameter group {name!r}", allowed=f"{BACKBONE}, {NEW}")
        if any(id(p) in seen for p in parameters) or len({id(p) for p in parameters}) < len(parameters):
            raise InputError(f"Parameter group {name!r} holds a parameter that was already given")
        seen |= {id(p) for p in parameters}
        rate = settings.backbone_rate if name == BACKBONE else settings.rate
        apart = settings.optimizer == "adamw"
        decayed = [p for p in parameters if p.dim() > 1 or not apart]
        free = [p for p in parameters if p.dim() <= 1 and apart]
        for part, decay in ((decayed, settings.weight_decay), (free, 0.0)):
            if part:
                options.append({"params": part, "lr": rate, "weight_decay": decay, "name": name})
    if not options:
        raise InputError("The model has no parameter to train")
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return kind(options)
