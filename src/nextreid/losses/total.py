"""The total loss: identity and triplet terms of every branch, plus the model's auxiliary terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

import torch
from torch import Tensor

from nextreid.errors import InputError
from nextreid.losses.identity import SMOOTHING, identity_loss
from nextreid.losses.triplet import triplet_loss


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts.

    Attributes:
        identity: weight of the cross-entropy of each branch (reference DeMo and peers: 0.25).
        triplet: weight of the triplet loss of each branch (reference DeMo and peers: 1).
        smoothing: label smoothing (reference DeMo and peers: 0.1).
        auxiliary: name of an auxiliary term of the model -> weight; absent or 0 is off.

    Raises:
        InputError: a negative or non-finite number.
    """

    identity: float = 0.25
    triplet: float = 1.0
    smoothing: float = SMOOTHING
    auxiliary: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers."""
        named = {"identity": self.identity, "triplet": self.triplet, "smoothing": self.smoothing}
        for name, value in {**named, **self.auxiliary}.items():
            if not isfinite(value) or value < 0:
                raise InputError(f"loss.{name}={value}", allowed="a finite number >= 0")
        if self.smoothing >= 1:
            raise InputError(f"loss.smoothing={self.smoothing}", allowed="0 <= smoothing < 1")


@dataclass(frozen=True)
class LossReport:
    """The loss and what it is made of.

    Attributes:
        total: scalar with gradient.
        parts: name -> unweighted scalar without gradient, e.g. `global.identity`, `mutual_information`.
    """

    total: Tensor
    parts: dict[str, Tensor]


def total_loss(
    branches: Mapping[str, Tensor],
    logits: Mapping[str, Tensor],
    labels: Tensor,
    *,
    auxiliary: Mapping[str, Tensor] | None = None,
    weights: LossWeights | None = None,
) -> LossReport:
    """Return `sum_branches (w_id CE + w_tri triplet) + sum_aux w_a aux`.

    Args:
        branches: branch -> (B,F) features before batch normalisation, of the whole (global) batch.
        logits: branch -> (B,I).
        labels: (B,) int64.
        auxiliary: the model's extra terms, scalars; those without a weight do not count.
        weights: None for the defaults.

    Raises:
        InputError: branches and logits of different names, or a weight for a term that the model
            does not return (an option without effect).
    """
    weights, auxiliary = weights or LossWeights(), auxiliary or {}
    if not branches or set(branches) != set(logits):
        raise InputError(
            f"Total loss: branches {sorted(branches)}, logits {sorted(logits)}", allowed="the same names"
        )
    wanted = {name: weight for name, weight in weights.auxiliary.items() if weight > 0}
    for name in wanted:
        if name not in auxiliary:
            raise InputError(
                f"loss.{name}={wanted[name]}, but the model has no such term",
                allowed=", ".join(sorted(auxiliary)) or "no auxiliary term for this model",
                do=f"set loss.{name} to 0, or turn on the part of the model that makes it",
            )
    total, parts = torch.zeros((), device=labels.device), dict[str, Tensor]()
    for name in branches:
        identity = identity_loss(logits[name], labels, smoothing=weights.smoothing)
        triplet = triplet_loss(branches[name], labels)
        total = total + weights.identity * identity + weights.triplet * triplet
        parts |= {f"{name}.identity": identity.detach(), f"{name}.triplet": triplet.detach()}
    for name, weight in wanted.items():
        total = total + weight * auxiliary[name]
    parts |= {name: value.detach() for name, value in auxiliary.items()}
    return LossReport(total=total, parts=parts)
