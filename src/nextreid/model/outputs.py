"""What the models return: one frozen type in training and evaluation alike.

The alphabet of this room: B observations, M known modalities, C >= M columns (the known modalities,
then any others in the batch), N patches, D joint width, K semantic experts, J structure experts,
L = C*n sampled tokens an expert keeps (n = ceil(rho*N) of each column).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Tokens:
    """What the encoder gives for a batch. Absent columns hold zeros and are never to be read.

    Attributes:
        classes: (B,C,D) class tokens `f_m` in the joint space.
        patches: (B,C,N,D) patch tokens `P_m`.
        dense: (B,C,N,D) the patch tokens that text is compared with (`text_dense`).
        present: (B,C) bool.
        roles: (B,C,M+1) one-hot float: which known modality a column is; the last entry is "unknown".
        slots: (B,M) bool: known modality m is present under its own name.
        context: (B,D) mean of the present class tokens.
        filled: (B,M,D) class token of each slot, an absent slot holding `context`.
        grid: patches as (rows, columns), N = rows * columns.
    """

    classes: Tensor
    patches: Tensor
    dense: Tensor
    present: Tensor
    roles: Tensor
    slots: Tensor
    context: Tensor
    filled: Tensor
    grid: tuple[int, int]


@dataclass(frozen=True)
class SemanticRouting:
    """What the semantic experts did (TMSE).

    Attributes:
        pooled: (B,K,D) `O_k`.
        tokens: (B,K,L,D) expert tokens `h_i`; those of absent columns are masked by `logits`.
        logits: (B,K,L) pooling logits `q_k . h_i + log sigmoid(gamma_i)`; -inf for absent columns.
        alpha, beta, gamma: (B,C,K,N) routing prior, text relevance and their modulation.
        kept: (B,C,K,n) indices of the sampled patches, best first.
    """

    pooled: Tensor
    tokens: Tensor
    logits: Tensor
    alpha: Tensor
    beta: Tensor
    gamma: Tensor
    kept: Tensor


@dataclass(frozen=True)
class StructureRouting:
    """What the structure experts did (CSSE).

    Attributes:
        pooled: (B,J,D) `S_j`.
        by_column: (B,C,J,D) `S_jm`; zeros where absent.
        routing: (B,C,N,J) `r`, sums to one over experts.
        dispatch: (B,C,N,J) `d`, sums to one over the tokens of a column; zeros where absent.
    """

    pooled: Tensor
    by_column: Tensor
    routing: Tensor
    dispatch: Tensor


@dataclass(frozen=True)
class NextOutput:
    """The output of every model of this room.

    Attributes:
        branches: name -> (B, width) features before BNNeck, not normalised.
        text_vector: (B,D) normalised mean of the present class tokens, for search by words.
        tokens: what the encoder gave (patch tokens, presence, grid).
        semantic, structure: what the experts did, or None where the model has none.
        auxiliary: name -> scalar, optional loss terms, each a mean over the observations.
    """

    branches: Mapping[str, Tensor]
    text_vector: Tensor
    tokens: Tokens
    semantic: SemanticRouting | None = None
    structure: StructureRouting | None = None
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)

    def embedding(self, weights: Mapping[str, float] | None = None) -> Tensor:
        """Return the retrieval vector: each branch L2-normalised, weighted, concatenated.

        Args:
            weights: branch -> weight, 1 where not named.

        Returns:
            (B, sum of widths).
        """
        weights = weights or {}
        parts = [F.normalize(f.float(), dim=-1) * weights.get(name, 1.0) for name, f in self.branches.items()]
        return torch.cat(parts, dim=-1)
