"""The optimizers of pretraining: Muon for the matrices of the towers, AdamW for everything else."""

from collections.abc import Sequence
from math import cos, pi

import torch
from torch import nn

from nextreid.errors import MissingExtraError

MOMENTA = (0.9, 0.98)
"""AdamW's, as CLIP trains (Radford et al. 2021, table 18: beta2 0.98 for ViT)."""

SCALES = 10.0
"""Rate of the losses' scale and bias, in units of the rate: ours; two numbers that must go far."""

FLOOR = 0.01
"""Last rate in units of the first: ours."""


def build_optimizers(
    model: nn.Module, *, rate: float, matrix_rate: float, decay: float
) -> list[torch.optim.Optimizer]:
    """Return both optimizers; each group knows its full rate as `full`.

    Muon (Jordan 2024) orthogonalises the momentum of a weight matrix; in our trials it needed half of
    AdamW's steps for the same loss. A convolution is a matrix of (channels out, all that each looks at).
    Embeddings, norms, biases, projections into the joint space and the losses' scales are AdamW's.

    Args:
        model: a `PairModel`, on the device where it is trained.
        rate: of AdamW.
        matrix_rate: of Muon, its updates scaled to the size of AdamW's.
        decay: weight decay of matrices.

    Raises:
        MissingExtraError: a torch without Muon.
    """
    muon = getattr(torch.optim, "Muon", None)
    if muon is None:
        raise MissingExtraError(
            f"Pretraining needs torch 2.9 or newer; this is {torch.__version__}, with which everything else "
            "works. What to do: pip install --upgrade torch."
        )
    matrices, kernels, plain, scales = [], [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if "_pairs." in name:
            scales.append(parameter)
        elif parameter.dim() == 2 and ".layers." in name:
            matrices.append(parameter)
        elif parameter.dim() == 4:
            kernels.append(parameter)
        else:
            plain.append(parameter)
    groups = [
        {"params": [p for p in plain if p.dim() > 1], "lr": rate, "weight_decay": decay},
        {"params": [p for p in plain if p.dim() <= 1], "lr": rate, "weight_decay": 0.0},
        {"params": scales, "lr": rate * SCALES, "weight_decay": 0.0},
    ]
    flat = [nn.Parameter(kernel.detach().flatten(1)) for kernel in kernels]  # the same memory
    orthogonal = muon([*matrices, *flat], lr=matrix_rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    _lend_gradients(orthogonal, kernels, flat)
    optimizers = [orthogonal, torch.optim.AdamW(groups, betas=MOMENTA)]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["full"] = group["lr"]
    return optimizers


def _lend_gradients(
    optimizer: torch.optim.Optimizer, kernels: Sequence[nn.Parameter], flat: Sequence[nn.Parameter]
) -> None:
    """Give the flat views of kernels the gradients of these when a step begins, and drop both after it."""

    def lend(*_: object) -> None:
        for kernel, view in zip(kernels, flat, strict=True):
            view.grad = None if kernel.grad is None else kernel.grad.flatten(1)

    def drop(*_: object) -> None:
        for kernel, view in zip(kernels, flat, strict=True):
            kernel.grad = view.grad = None

    optimizer.register_step_pre_hook(lend)
    optimizer.register_step_post_hook(drop)


def share_of_rate(step: int, *, total: int, warmup: int) -> float:
    """Return the rate of a step in units of the full one: linear warm-up, then half a cosine to `FLOOR`.

    Args:
        step: from 0.
        total: steps of the whole schedule.
        warmup: steps of warm-up.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + cos(pi * done))
