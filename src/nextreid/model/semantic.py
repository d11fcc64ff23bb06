"""TMSE: text-modulated semantic-sampling experts, one per attribute group (fine-grained appearance)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nextreid.model.experts import ExpertBank
from nextreid.model.outputs import SemanticRouting, Tokens

NOISE_START = 0.1  # ours (DESIGN 2): softplus(s) at the start; small beside alpha's unit scale
NOISE_LIMIT = 1.0  # ours: noise never exceeds the scale of alpha
MODULATION_WIDTH = 16  # ours: M -> 16 -> M
HIDDEN_RATIO = 2  # ours: see docs/paper_map.md, expert widths
ROUTER_RATIO = 4  # ours: bottleneck D -> D/4 -> D, or R_mk would hold K (M+1)^2 D^2 weights


class ContextRouter(nn.Module):
    """The routing prior: `alpha_mk = R_mk(LN[f_1..f_M]) . LN(P_m)^T / sqrt(D)`.

    `R_mk` sums blocks of the present modalities; here each block is a bottleneck: a source block
    (modality m', expert k) down, a target block (modality m, expert k) up. The last role ("any")
    serves modalities without a name.
    """

    def __init__(self, *, roles: int, experts: int, dim: int) -> None:
        super().__init__()
        inner = max(dim // ROUTER_RATIO, 8)
        self.class_norm = nn.LayerNorm(dim)
        self.patch_norm = nn.LayerNorm(dim)
        self.source = nn.Parameter(torch.randn(roles, experts, dim, inner) / math.sqrt(dim))
        self.target = nn.Parameter(torch.randn(roles, experts, inner, dim) / math.sqrt(inner))

    def forward(self, tokens: Tokens) -> Tensor:
        """Return alpha, (B,C,K,N)."""
        classes = self.class_norm(tokens.classes) * tokens.present[..., None]
        by_role = torch.einsum("bcr,bcd->brd", tokens.roles, classes)  # sum over the present ones
        context = torch.einsum("brd,rkde->bke", by_role, self.source)
        queries = torch.einsum("bke,rked->brkd", context, self.target)  # (B,M+1,K,D)
        queries = torch.einsum("bcr,brkd->bckd", tokens.roles, queries)
        patches = self.patch_norm(tokens.patches)
        return torch.einsum("bckd,bcnd->bckn", queries, patches).float() / math.sqrt(patches.shape[-1])


class TextModulation(nn.Module):
    """Text relevance `beta` and its modulation `[FC(act(FC(beta_.k)))]_m`, per patch, in fp32."""

    def __init__(self, *, roles: int, experts: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(experts))
        self.enter = nn.Parameter(torch.randn(experts, roles, MODULATION_WIDTH) / math.sqrt(roles))
        self.enter_bias = nn.Parameter(torch.zeros(experts, MODULATION_WIDTH))
        self.leave = nn.Parameter(torch.randn(experts, MODULATION_WIDTH, roles) / math.sqrt(MODULATION_WIDTH))
        self.leave_bias = nn.Parameter(torch.zeros(experts, roles))

    def relevance(self, tokens: Tokens, text: Tensor) -> Tensor:
        """Return beta, (B,C,K,N): cos(T_k, P_m) standardised over the patches; 0 where absent."""
        patches = F.normalize(tokens.dense.float(), dim=-1)
        cosine = torch.einsum("bkd,bcnd->bckn", F.normalize(text.float(), dim=-1), patches)
        centred = cosine - cosine.mean(dim=-1, keepdim=True)
        spread = centred.square().mean(dim=-1, keepdim=True).add(1e-12).sqrt()
        beta = centred / spread * self.scale[:, None]
        return beta * tokens.present[:, :, None, None]

    def forward(self, beta: Tensor, roles: Tensor) -> Tensor:
        """Mix the relevance of all modalities at each patch.

        Args:
            beta: (B,C,K,N).
            roles: (B,C,M+1) one-hot; columns that share a role share its mean.

        Returns:
            (B,C,K,N), added to alpha.
        """
        share = roles / roles.sum(dim=1, keepdim=True).clamp(min=1)
        channels = torch.einsum("bcr,bckn->bknr", share, beta)
        inner = torch.einsum("bknr,krh->bknh", channels, self.enter) + self.enter_bias[:, None]
        outer = torch.einsum("bknh,khr->bknr", F.gelu(inner), self.leave) + self.leave_bias[:, None]
        return torch.einsum("bcr,bknr->bckn", roles, outer)


class SemanticExperts(nn.Module):
    """TMSE: route by context and text, sample the best patches, pool what the expert makes of them.

    Args:
        experts: K, the number of attribute groups that speak about identity.
        roles: M + 1, the known modalities and "any".
        dim: D.
        rho: share of the patches of each present modality an expert keeps, 0 < rho <= 1.
        text: whether text modulates the routing.
    """

    def __init__(self, *, experts: int, roles: int, dim: int, rho: float, text: bool) -> None:
        super().__init__()
        self.rho = rho
        self.router = ContextRouter(roles=roles, experts=experts, dim=dim)
        self.noise = nn.Parameter(torch.full((roles, experts), math.log(math.expm1(NOISE_START))))
        self.modulation = TextModulation(roles=roles, experts=experts) if text else None
        self.experts = ExpertBank(experts=experts, dim=dim, hidden=HIDDEN_RATIO * dim)
        self.pooling = nn.Parameter(torch.randn(experts, dim) * 0.02)  # q_k; ours: CLIP's init std

    def forward(self, tokens: Tokens, text: Tensor | None, noise: Tensor | None) -> SemanticRouting:
        """Run the experts.

        Args:
            tokens: the encoder's tokens.
            text: (B,K,D) sentence embeddings T_k; not used with text off.
            noise: (B,C,K,N) standard normal, or None for none (evaluation).
        """
        alpha = self.router(tokens)  # (B,C,K,N)
        if noise is not None:
            size = F.softplus(self.noise).clamp(max=NOISE_LIMIT)  # (M+1,K)
            alpha = alpha + torch.einsum("bcr,rk->bck", tokens.roles, size)[..., None] * noise
        with torch.autocast(alpha.device.type, enabled=False):
            beta, gamma = torch.zeros_like(alpha), alpha
            if self.modulation is not None and text is not None:
                beta = self.modulation.relevance(tokens, text)
                gamma = alpha + self.modulation(beta, tokens.roles)  # (B,C,K,N)

        # expert-specific sampling: the top ceil(rho*N) of each column, ties by patch index
        keep = math.ceil(self.rho * gamma.shape[-1] - 1e-9)
        kept = gamma.argsort(dim=-1, descending=True, stable=True)[..., :keep]  # (B,C,K,n)
        gates = F.logsigmoid(gamma.gather(-1, kept))
        gates = gates.masked_fill(~tokens.present[:, :, None, None], -torch.inf)
        sampled = _gather_patches(tokens.patches, kept)  # (B,C,K,n,D)

        B, C, K, n, D = sampled.shape
        h = self.experts(sampled.permute(2, 0, 1, 3, 4).reshape(K, B * C * n, D))  # (K,B*C*n,D)
        h = h.view(K, B, C * n, D).transpose(0, 1)  # (B,K,L,D)
        gates = gates.transpose(1, 2).reshape(B, K, C * n)  # (B,K,L)
        logits = torch.einsum("kd,bkld->bkl", self.pooling, h).float() + gates
        weights = logits.softmax(dim=-1)
        pooled = torch.einsum("bkl,bkld->bkd", weights.to(h.dtype), h)  # O_k
        return SemanticRouting(
            pooled=pooled, tokens=h, logits=logits, alpha=alpha, beta=beta, gamma=gamma, kept=kept
        )


def _gather_patches(patches: Tensor, kept: Tensor) -> Tensor:
    """Take patches (B,C,N,D) at indices kept (B,C,K,n) -> (B,C,K,n,D)."""
    B, C, K, n = kept.shape
    flat = kept.reshape(B, C, K * n, 1).expand(-1, -1, -1, patches.shape[-1])
    return patches.gather(2, flat).view(B, C, K, n, patches.shape[-1])
