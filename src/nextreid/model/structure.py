"""CSSE: context-shared structure-aware experts (coarse structure, soft routing)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nextreid.model.experts import ExpertBank
from nextreid.model.outputs import StructureRouting, Tokens

HIDDEN_RATIO = 2  # ours: see docs/paper_map.md, expert widths
ROUTER_RATIO = 4  # ours: the router looks at D/4 directions of a token
TEMPERATURE = 1.0  # tau; ours: softmax of unit-scale logits, neither flat nor hard at the start
AGREEMENT_TEMPERATURE = 0.1  # ours: cosine InfoNCE


class StructureExperts(nn.Module):
    """One router for all modalities, so that the same part can reach the same expert in each.

    `r = softmax_j(W2 act(W1 LN(P_m) * (1 + U c)) / tau)`; dispatch `d` is `r` normalised over the
    tokens of a modality; `S_jm = sum_n d_jmn E_j(P_mn)`; `S_j` the mean over the present ones.

    Args:
        experts: J.
        dim: D.
    """

    def __init__(self, *, experts: int, dim: int) -> None:
        super().__init__()
        inner = max(dim // ROUTER_RATIO, 8)
        self.norm = nn.LayerNorm(dim)
        self.enter = nn.Linear(dim, inner)  # W1
        self.context = nn.Linear(dim, inner, bias=False)  # U
        nn.init.zeros_(self.context.weight)  # ours: the router starts context-free
        self.leave = nn.Linear(inner, experts)  # W2
        # ours: unit-scale logits at the start, so that experts differ from the first step on
        nn.init.normal_(self.enter.weight, std=1 / math.sqrt(dim))
        nn.init.normal_(self.leave.weight, std=2 / math.sqrt(inner))
        self.experts = ExpertBank(experts=experts, dim=dim, hidden=HIDDEN_RATIO * dim)

    def forward(self, tokens: Tokens) -> StructureRouting:
        """Route and pool every present token."""
        context = 1 + self.context(tokens.context)[:, None, None]  # (B,1,1,inner)
        inner = F.gelu(self.enter(self.norm(tokens.patches)) * context)
        routing = (self.leave(inner).float() / TEMPERATURE).softmax(dim=-1)  # (B,C,N,J)
        dispatch = routing / routing.sum(dim=2, keepdim=True).clamp(min=1e-12)
        dispatch = dispatch * tokens.present[:, :, None, None]
        B, C, N, D = tokens.patches.shape
        pooled = self.experts.pooled(
            tokens.patches.reshape(B * C, N, D), dispatch.reshape(B * C, N, -1).to(tokens.patches.dtype)
        )
        by_column = pooled.view(B, C, -1, D)  # S_jm; zero where absent
        count = tokens.present.sum(dim=1)[:, None, None]
        return StructureRouting(
            pooled=by_column.sum(dim=1) / count, by_column=by_column, routing=routing, dispatch=dispatch
        )


def mutual_information(routing: StructureRouting, present: Tensor) -> Tensor:
    """Mutual information between token and expert, in nats, 0..log J, mean over observations.

    Entropy of the mean routing minus mean entropy of the routing, over the present tokens of each
    observation. Plain load balance is satisfied by uniform routing; this is not.
    """
    r = routing.routing * present[:, :, None, None]
    count = (present.sum(dim=1) * r.shape[2]).clamp(min=1)
    mean = r.sum(dim=(1, 2)) / count[:, None]  # (B,J)
    entropy_of_mean = -(mean * mean.clamp(min=1e-12).log()).sum(dim=-1)
    mean_of_entropy = -(r * r.clamp(min=1e-12).log()).sum(dim=(1, 2, 3)) / count
    return (entropy_of_mean - mean_of_entropy).mean()


def agreement(routing: StructureRouting, present: Tensor) -> Tensor:
    """InfoNCE of `S_jm` against `S_jm'`: the same expert of another modality against other experts.

    Mean over observations; one with a single modality contributes zero.
    """
    s = F.normalize(routing.by_column.float(), dim=-1)  # (B,C,J,D)
    C, J = s.shape[1:3]
    logits = torch.einsum("bcjd,beid->bceji", s, s) / AGREEMENT_TEMPERATURE  # (B,C,C,J,J)
    target = torch.arange(J, device=s.device)
    loss = -logits.log_softmax(dim=-1)[..., target, target].mean(dim=-1)  # (B,C,C)
    other = ~torch.eye(C, dtype=torch.bool, device=s.device)
    pairs = present[:, :, None] & present[:, None, :] & other
    return ((loss * pairs).sum(dim=(1, 2)) / pairs.sum(dim=(1, 2)).clamp(min=1)).mean()
