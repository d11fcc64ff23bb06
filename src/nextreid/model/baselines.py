"""The two baselines NEXT is measured against: same backbone, same fill, no text."""

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nextreid.data.batch import Batch
from nextreid.model.encoder import MultiModalEncoder
from nextreid.model.experts import ExpertBank
from nextreid.model.outputs import NextOutput, Tokens
from nextreid.model.reid_model import ReidModel
from nextreid.model.sentences import SentenceEncoder


class ConcatModel(ReidModel):
    """Plain concatenation of class tokens, as wide as NEXT.

    The global branch is NEXT's. Two linear maps of each slot's class token stand where NEXT has its
    semantic and structural branch, so that width and number of losses are equal.

    Args:
        encoder: images to tokens.
        sentences: kept for search by words; not used otherwise.
    """

    def __init__(self, *, encoder: MultiModalEncoder, sentences: SentenceEncoder) -> None:
        super().__init__(encoder=encoder, sentences=sentences)
        M, D = len(encoder.modalities), encoder.dim
        self.lifts = nn.ModuleDict({name: nn.Linear(D, D) for name in ("lift_a", "lift_b")})
        self.widths = {"global": M * D, "lift_a": M * D, "lift_b": M * D}

    def describe(self, tokens: Tokens, batch: Batch) -> NextOutput:
        """Run everything after the encoder, on the tokens of a batch."""
        branches = {"global": tokens.filled.flatten(1)}
        branches |= {name: lift(tokens.filled).flatten(1) for name, lift in self.lifts.items()}
        return NextOutput(
            branches=branches, text_vector=F.normalize(tokens.context.float(), dim=-1), tokens=tokens
        )


class DecoupledExperts(nn.Module):
    """One feature for each non-empty set of modalities, each with an expert and a soft gate.

    The idea of DeMo's decoupling and attention-triggered mixture of experts, written anew and
    plain: a learned query per set attends over the patch tokens of the set's present modalities,
    the set's expert transforms the answer, a gate over the sets weighs it. A set without a present
    modality takes the mean of the others' answers (no constant outputs).

    Args:
        modalities: M.
        dim: D.
    """

    def __init__(self, *, modalities: int, dim: int) -> None:
        super().__init__()
        sets = [s for size in range(1, modalities + 1) for s in combinations(range(modalities), size)]
        member = torch.zeros(len(sets), modalities + 1)
        for row, members in enumerate(sets):
            member[row, list(members)] = 1
        member[-1, -1] = 1  # the set of all also reads modalities without a name
        self.register_buffer("member", member, persistent=False)  # (S,M+1)
        self.queries = nn.Parameter(torch.randn(len(sets), dim) * 0.02)  # CLIP's init std
        self.norm = nn.LayerNorm(dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.experts = ExpertBank(experts=len(sets), dim=dim, hidden=2 * dim)
        self.gate = nn.Linear(modalities * dim, len(sets))
        self.scale = dim**-0.5

    def forward(self, tokens: Tokens) -> Tensor:
        """Return (B, S, D), the gated features of the S sets."""
        x = self.norm(tokens.patches).flatten(1, 2)  # (B,C*N,D)
        C, N = tokens.patches.shape[1:3]
        allowed = torch.einsum("sr,bcr->bsc", self.member, tokens.roles.float()) > 0
        allowed &= tokens.present[:, None]  # (B,S,C)
        mask = allowed[..., None].expand(-1, -1, -1, N).flatten(2)  # (B,S,C*N)
        some = allowed.any(dim=-1)  # (B,S)
        mask = mask | ~some[..., None]  # an empty set attends anywhere; its answer is replaced below
        logits = torch.einsum("sd,btd->bst", self.queries, self.key(x)) * self.scale
        weights = logits.float().masked_fill(~mask, -torch.inf).softmax(dim=-1).to(x.dtype)
        answers = torch.einsum("bst,btd->bsd", weights, self.value(x))
        answers = answers * some[..., None]
        mean = answers.sum(dim=1, keepdim=True) / some.sum(dim=1)[:, None, None]
        answers = torch.where(some[..., None], answers, mean)
        features = self.experts(answers.transpose(0, 1)).transpose(0, 1)  # (B,S,D)
        gates = self.gate(tokens.filled.flatten(1)).float().softmax(dim=-1)  # (B,S)
        return features * (gates * gates.shape[-1])[..., None].to(features.dtype)


class DecoupledModel(ReidModel):
    """The plain decoupled mixture of experts: class tokens beside the gated set features.

    Widths M*D and (2^M - 1)*D: 5120 for three modalities at D = 512, DeMo's width.

    Args:
        encoder: images to tokens.
        sentences: kept for search by words; not used otherwise.
    """

    def __init__(self, *, encoder: MultiModalEncoder, sentences: SentenceEncoder) -> None:
        super().__init__(encoder=encoder, sentences=sentences)
        M, D = len(encoder.modalities), encoder.dim
        self.decoupled = DecoupledExperts(modalities=M, dim=D)
        self.widths = {"global": M * D, "decoupled": (2**M - 1) * D}

    def describe(self, tokens: Tokens, batch: Batch) -> NextOutput:
        """Run everything after the encoder, on the tokens of a batch."""
        branches = {"global": tokens.filled.flatten(1), "decoupled": self.decoupled(tokens).flatten(1)}
        return NextOutput(
            branches=branches, text_vector=F.normalize(tokens.context.float(), dim=-1), tokens=tokens
        )
