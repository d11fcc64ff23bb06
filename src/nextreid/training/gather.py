"""The global batch under several processes: gather rows from all of them, with gradient.

Every process then computes the same loss on the same rows. Its gradient with respect to its own rows
is one of `world` equal terms of the sum, and data-parallel training *averages* gradients over the
processes, so the gathered rows' gradient is multiplied by `world`: what is averaged is then exactly
the gradient of one process with the whole batch. Parameters used after the gathering (the heads) get
the whole gradient in each process, and their average is that.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        context.count = len(rows)
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        first = dist.get_rank() * context.count
        return gradients[0][first : first + context.count] * dist.get_world_size()


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all processes in the order of their ranks; (b,...) -> (world*b,...).

    Args:
        rows: as many rows in each process. With one process it is returned as it is.
    """
    if world_size() == 1:
        return rows
    if rows.requires_grad:
        return _Gather.apply(rows)
    parts = [torch.empty_like(rows) for _ in range(world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def mean_over_processes(values: Tensor) -> Tensor:
    """Return the mean of a tensor over the processes, without gradient."""
    values = values.detach().clone()
    if world_size() > 1:
        dist.all_reduce(values)
        values /= world_size()
    return values


def wait_for_all() -> None:
    """Return once every process has called this."""
    if world_size() > 1:
        dist.barrier()
