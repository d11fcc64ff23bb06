"""Image-text losses where many pictures share a sentence: a sigmoid for every pair, a choice among values.

Whether a sentence is true is asked of each picture on its own (after SigLIP), so any number of pictures may
share one. Which value of an attribute a picture shows is asked of the sentences of its values alone: among
all pairs, those that tell one value of a small part from another are few and would be learned last.
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


class ValueChoice(nn.Module):
    """Cross-entropy over the values of an attribute, for each picture (or region) that shows one of them.

    logit = exp(t) * cos + log p, with a learned t and the frequency p of the sentence; softmax over the
    sentences of one attribute (balanced softmax, Ren et al. 2020).

    Args:
        scale: exp(t) at the start.
    """

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(float(scale)).log())

    def forward(
        self,
        vectors: Tensor,
        sentences: Tensor,
        *,
        chosen: Tensor,
        attribute: Tensor,
        frequency: Tensor,
        out_of: int,
        importance: Tensor | None = None,
    ) -> Tensor:
        """Return the sum over the chosen values, divided by a fixed number.

        Args:
            vectors: (C, D), one for each choice, need not be normalised.
            sentences: (S, D), likewise.
            chosen: (C,) which sentence is true.
            attribute: (S,) number of the attribute that each sentence states a value of.
            frequency: (S,) how often each sentence is true, 0..1.
            out_of: what the sum is divided by; a fixed one, so that processes' means may be averaged.
            importance: (S,) weight of the choices of each sentence; None: 1.
        """
        cosine = F.normalize(vectors.float(), dim=-1) @ F.normalize(sentences.float(), dim=-1).T  # (C, S)
        logits = self.log_scale.exp() * cosine + frequency.float().clamp(min=RARE).log()
        same = attribute[chosen][:, None] == attribute[None]  # (C, S)
        logits = logits.masked_fill(~same, float("-inf"))
        loss = F.cross_entropy(logits, chosen, reduction="none")  # (C,)
        return (loss if importance is None else loss * importance[chosen]).sum() / out_of


def region_means(patches: Tensor, shares: Tensor) -> Tensor:
    """Return the mean of the patch tokens on each region, (B,R,D); zeros for a region not there.

    Args:
        patches: (B,N,D).
        shares: (B,N,R), share of each patch that lies on each region, 0..1.
    """
    total = shares.sum(dim=1).clamp(min=1e-6)  # (B,R)
    return torch.einsum("bnr,bnd->brd", shares, patches.float()) / total[..., None]
