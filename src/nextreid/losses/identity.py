"""The identity loss: label-smoothed cross-entropy."""

import torch.nn.functional as F
from torch import Tensor

from nextreid.errors import InputError

SMOOTHING = 0.1
"""Reference DeMo, IDEA, MDReID (and the paper's baseline recipe): 0.1."""


def identity_loss(logits: Tensor, labels: Tensor, *, smoothing: float = SMOOTHING) -> Tensor:
    """Return the mean cross-entropy against `(1 - s) onehot(y) + s / I`.

    Args:
        logits: (B,I), any float type; the loss is computed in float32 or wider.
        labels: (B,) int64 in 0..I-1.
        smoothing: s, 0..1.

    Returns:
        A scalar.

    Raises:
        InputError: shapes that do not fit together.
    """
    if logits.dim() != 2 or labels.shape != logits.shape[:1]:
        raise InputError(
            f"Identity loss: logits {tuple(logits.shape)}, labels {tuple(labels.shape)}",
            allowed="logits (B,I) and labels (B,)",
        )
    wide = logits if logits.dtype.itemsize >= 4 else logits.float()
    return F.cross_entropy(wide, labels, label_smoothing=smoothing)
