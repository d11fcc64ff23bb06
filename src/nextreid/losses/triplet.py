"""The metric loss: soft-margin triplets with the hardest positive and negative of the batch.

Hermans et al., "In Defense of the Triplet Loss", eq. 5 with the soft margin:
`mean_a log(1 + exp(max_p d(a,p) - min_n d(a,n)))`, d Euclidean.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from nextreid.errors import InputError


def triplet_loss(features: Tensor, labels: Tensor) -> Tensor:
    """Return the batch-hard soft-margin triplet loss.

    The pairs are chosen from the fast form of all distances; the chosen distances are then computed
    again from differences: exact, and with a gradient of zero (not infinity) at distance zero.

    Args:
        features: (B,F) before batch normalisation, not normalised.
        labels: (B,) int64; at least two different ones.

    Returns:
        A scalar in float32 or wider.

    Raises:
        InputError: shapes that do not fit, or one identity only (there is no negative).
    """
    if features.dim() != 2 or labels.shape != features.shape[:1]:
        raise InputError(
            f"Triplet loss: features {tuple(features.shape)}, labels {tuple(labels.shape)}",
            allowed="features (B,F) and labels (B,)",
        )
    if bool((labels == labels[:1]).all()):
        raise InputError(
            "Triplet loss: the batch holds one identity",
            allowed="two or more identities in a batch",
            do="set train.p to 2 or more",
        )
    x = features if features.dtype.itemsize >= 4 else features.float()
    with torch.no_grad():
        same = labels[:, None] == labels[None, :]  # (B,B)
        square = x.square().sum(1)
        distance = square[:, None] + square[None, :] - 2 * x @ x.T  # (B,B), squared: same order
        eye = torch.eye(len(x), dtype=torch.bool, device=x.device)
        infinity = torch.full_like(distance, torch.inf)
        positive = torch.where(same & ~eye, distance, -infinity)
        # An identity seen once has no other positive: it is its own, at distance zero.
        positive = torch.where(eye & (same.sum(1, keepdim=True) == 1), 0.0, positive).argmax(1)
        negative = torch.where(same, infinity, distance).argmin(1)
    nearest_other = _norm(x - x[negative])  # (B,)
    farthest_same = _norm(x - x[positive])
    return F.softplus(farthest_same - nearest_other).mean()


def _norm(difference: Tensor) -> Tensor:
    """Return the Euclidean norms of rows; the subgradient at zero is zero."""
    return torch.linalg.vector_norm(difference, dim=1)
