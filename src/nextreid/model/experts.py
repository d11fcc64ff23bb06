"""A bank of residual MLP experts, computed side by side."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ExpertBank(nn.Module):
    """E experts `x -> x + W2_e act(W1_e LN(x) + b1_e) + b2_e`.

    The norm has no weights of its own: `W1_e` and `b1_e` absorb any per-expert scale and shift, so
    one normalisation serves all experts.

    Args:
        experts: E.
        dim: D.
        hidden: width between W1 and W2.
    """

    def __init__(self, *, experts: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.enter = nn.Parameter(torch.randn(experts, dim, hidden) / math.sqrt(dim))  # W1
        self.enter_bias = nn.Parameter(torch.zeros(experts, hidden))
        # ours: the residual starts as a small correction of the token it is added to
        self.leave = nn.Parameter(torch.randn(experts, hidden, dim) * (0.1 / math.sqrt(hidden)))  # W2
        self.leave_bias = nn.Parameter(torch.zeros(experts, dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply expert e to row e.

        Args:
            tokens: (E,T,D).

        Returns:
            (E,T,D).
        """
        normed = F.layer_norm(tokens, tokens.shape[-1:])
        inner = F.gelu(torch.baddbmm(self.enter_bias[:, None].to(normed.dtype), normed, self.enter))
        return tokens + torch.baddbmm(self.leave_bias[:, None].to(inner.dtype), inner, self.leave)

    def pooled(self, tokens: Tensor, weights: Tensor) -> Tensor:
        """Apply every expert to the same tokens and sum: `sum_t w_te E_e(x_t)`.

        The weights of an expert sum to one, and W2 is linear, so the sum is taken before W2:
        `sum_t w_te x_t + W2_e (sum_t w_te act(W1_e LN(x_t))) + b2_e`. The expert still sees each
        token on its own; only the order of two linear steps is exchanged.

        Args:
            tokens: (G,T,D), G groups of tokens.
            weights: (G,T,E), over T summing to one (or to zero: then the result is zero).

        Returns:
            (G,E,D).
        """
        experts, dim, hidden = self.enter.shape
        normed = F.layer_norm(tokens, tokens.shape[-1:])
        flat = self.enter.permute(1, 0, 2).reshape(dim, experts * hidden)
        inner = F.gelu(normed @ flat + self.enter_bias.reshape(-1))  # (G,T,E*hidden)
        inner = inner.unflatten(-1, (experts, hidden))
        inner = torch.einsum("gte,gteh->geh", weights, inner.to(weights.dtype))
        summed = torch.einsum("gte,gtd->ged", weights, tokens.to(weights.dtype))
        total = weights.sum(dim=1)[..., None]  # (G,E,1): one, or zero
        return summed + torch.einsum("geh,ehd->ged", inner, self.leave) + total * self.leave_bias
