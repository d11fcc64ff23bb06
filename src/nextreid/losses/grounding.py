"""Image-text losses where many pictures share a sentence: a sigmoid for every pair (after SigLIP).

Whether a sentence is true is asked of each picture on its own, so any number of pictures may share one.
The logit of how often the sentence is true at all is added in training (Menon et al. 2021, logit
adjustment), so what is learned is how much more likely the sentence became by looking. Without that, a
rare value would never win over a frequent one, and "no glasses" would be said every time.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RARE = 1e-4
"""Least frequency of a sentence: ours, one picture of ten thousand; a never true one stays finite."""


class PairSigmoid(nn.Module):
    """Binary cross-entropy of every (picture or region, sentence) pair.

    logit = exp(t) * cos + b + log(p / (1 - p)), with learned t and b and the sentence's frequency p.

    Args:
        scale: exp(t) at the start (SigLIP: 10).
    """

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(float(scale)).log())
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(
        self,
        pictures: Tensor,
        sentences: Tensor,
        *,
        labels: Tensor,
        frequency: Tensor,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Return the mean over all pairs, each times its weight.

        Args:
            pictures: (..., D), need not be normalised.
            sentences: (S, D), likewise.
            labels: (..., S) bool: true and visible there.
            frequency: (S,) how often each sentence is true over the training pictures, 0..1.
            weight: (..., S) >= 0; None: 1.
        """
        cosine = F.normalize(pictures.float(), dim=-1) @ F.normalize(sentences.float(), dim=-1).T  # (..., S)
        prior = torch.logit(frequency.float().clamp(RARE, 1 - RARE))
        logits = self.log_scale.exp() * cosine + self.bias + prior
        loss = F.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none")
        if weight is None:
            return loss.mean()
        return (loss * weight).mean()  # not by the sum of weights, so that processes' means may be averaged


def region_means(patches: Tensor, shares: Tensor) -> Tensor:
    """Return the mean of the patch tokens on each region, (B,R,D); zeros for a region not there.

    Args:
        patches: (B,N,D).
        shares: (B,N,R), share of each patch that lies on each region, 0..1.
    """
    total = shares.sum(dim=1).clamp(min=1e-6)  # (B,R)
    return torch.einsum("bnr,bnd->brd", shares, patches.float()) / total[..., None]
