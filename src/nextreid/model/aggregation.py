"""MMFA: multi-modal feature aggregation (called MGFA in later versions of the paper)."""

from typing import Literal

import torch
from torch import Tensor, nn

from nextreid.model.outputs import SemanticRouting, StructureRouting, Tokens

Residual = Literal["none", "query"]
Keys = Literal["pooled", "tokens"]


class CrossAttention(nn.Module):
    """Class tokens ask, experts answer: M queries over a set of keys, M tokens out."""

    def __init__(self, *, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm = nn.LayerNorm(dim)
        self.key_norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.leave = nn.Linear(dim, dim)

    def forward(self, queries: Tensor, keys: Tensor, bias: Tensor | None) -> Tensor:
        """Attend.

        Args:
            queries: (B,M,D).
            keys: (B,T,D).
            bias: (B,T) added to the attention logits (-inf hides a key), or None.

        Returns:
            (B,M,D).
        """
        q = self.query(self.query_norm(queries)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.key_value(self.key_norm(keys)).chunk(2, dim=-1)
        k = k.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        v = v.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        mask = (
            None if bias is None else bias[:, None, None].to(q.dtype).expand(-1, self.heads, q.shape[2], -1)
        )
        answer = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (B,heads,M,D/heads)
        return self.leave(answer.transpose(1, 2).flatten(2))


class FeatureAggregation(nn.Module):
    """Semantic and structural feature of each modality slot, by cross-attention over the experts.

    An absent modality asks with a learned stand-in; what it gets comes from the present
    modalities' experts, so no output is a constant.

    Args:
        modalities: M.
        dim: D.
        semantic, structure: which experts there are.
        residual: "query" adds the (filled) class token to the answer.
        keys: "pooled": {O_k} and {S_j}; "tokens": the h_i, biased by their pooling logits, and S_jm.
    """

    def __init__(
        self, *, modalities: int, dim: int, semantic: bool, structure: bool, residual: Residual, keys: Keys
    ) -> None:
        super().__init__()
        heads = max(dim // 64, 1)  # CLIP's head width
        self.residual: Residual = residual
        self.keys: Keys = keys
        self.stand_in = nn.Parameter(torch.randn(modalities, dim) * 0.02)  # ours: CLIP's init std
        self.semantic = CrossAttention(dim=dim, heads=heads) if semantic else None
        self.structure = CrossAttention(dim=dim, heads=heads) if structure else None

    def forward(
        self, tokens: Tokens, semantic: SemanticRouting | None, structure: StructureRouting | None
    ) -> dict[str, Tensor]:
        """Return branch name -> (B, M*D)."""
        stand_in = self.stand_in.to(tokens.filled.dtype)
        queries = torch.where(tokens.slots[..., None], tokens.filled, stand_in)  # (B,M,D)
        features: dict[str, Tensor] = {}
        if self.semantic is not None and semantic is not None:
            if self.keys == "pooled":
                answer = self.semantic(queries, semantic.pooled, None)
            else:
                answer = self.semantic(queries, semantic.tokens.flatten(1, 2), semantic.logits.flatten(1, 2))
            features["semantic"] = self._finish(answer, tokens)
        if self.structure is not None and structure is not None:
            if self.keys == "pooled":
                answer = self.structure(queries, structure.pooled, None)
            else:
                B, C, J, D = structure.by_column.shape
                hidden = torch.zeros(B, C, device=queries.device).masked_fill(~tokens.present, -torch.inf)
                answer = self.structure(
                    queries,
                    structure.by_column.reshape(B, C * J, D),
                    hidden[..., None].expand(-1, -1, J).reshape(B, C * J),
                )
            features["structural"] = self._finish(answer, tokens)
        return features

    def _finish(self, answer: Tensor, tokens: Tokens) -> Tensor:
        if self.residual == "query":
            answer = answer + tokens.filled
        return answer.flatten(1)  # (B,M*D)
