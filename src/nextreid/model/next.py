"""NEXT: text-modulated semantic experts, context-shared structure experts, their aggregation."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nextreid.data.batch import Batch
from nextreid.model.aggregation import FeatureAggregation, Keys, Residual
from nextreid.model.encoder import MultiModalEncoder
from nextreid.model.outputs import NextOutput, Tokens
from nextreid.model.reid_model import ReidModel
from nextreid.model.semantic import SemanticExperts
from nextreid.model.sentences import SentenceEncoder
from nextreid.model.structure import StructureExperts, agreement, mutual_information
from nextreid.seeding import torch_generator


class NextModel(ReidModel):
    """NEXT (arXiv 2505.20001), figure "overview": every part can be switched off.

    With TMSE, CSSE and MMFA off it is the plain concatenation of the class tokens.

    Args:
        encoder: images to tokens.
        sentences: sentences to embeddings (frozen).
        generic: the K identity groups' generic prompts; one semantic expert each.
        tmse, csse, mmfa: whether the part is there.
        text: whether text modulates TMSE's routing.
        rho: share of patches a semantic expert keeps, 0 < rho <= 1.
        structure_experts: J.
        residual, keys: of MMFA.
        text_loss: whether there is an image-sentence loss term (its scale and offset are learned).
    """

    def __init__(
        self,
        *,
        encoder: MultiModalEncoder,
        sentences: SentenceEncoder,
        generic: Sequence[str],
        tmse: bool = True,
        text: bool = True,
        csse: bool = True,
        mmfa: bool = True,
        rho: float = 0.5,
        structure_experts: int = 6,
        residual: Residual = "none",
        keys: Keys = "pooled",
        text_loss: bool = False,
    ) -> None:
        super().__init__(encoder=encoder, sentences=sentences)
        M, K, D = len(encoder.modalities), len(generic), encoder.dim
        self.generic = tuple(generic)
        self.semantic = SemanticExperts(experts=K, roles=M + 1, dim=D, rho=rho, text=text) if tmse else None
        self.structure = StructureExperts(experts=structure_experts, dim=D) if csse else None
        self.aggregation = (
            FeatureAggregation(
                modalities=M, dim=D, semantic=tmse, structure=csse, residual=residual, keys=keys
            )
            if mmfa and (tmse or csse)
            else None
        )
        self.text_match = TextMatch() if text_loss else None
        self.widths = {"global": M * D}
        if tmse:
            self.widths["semantic"] = M * D if self.aggregation else K * D
        if csse:
            self.widths["structural"] = M * D if self.aggregation else structure_experts * D

    def describe(self, tokens: Tokens, batch: Batch) -> NextOutput:
        """Run everything after the encoder, on the tokens of a batch."""
        branches = {"global": tokens.filled.flatten(1)}  # (B,M*D)
        text = self._text(batch)

        semantic = structure = None
        if self.semantic is not None:
            semantic = self.semantic(tokens, text, self._noise(batch, tokens))  # O_k
        if self.structure is not None:
            structure = self.structure(tokens)  # S_j
        if self.aggregation is not None:
            branches |= self.aggregation(tokens, semantic, structure)
        else:
            if semantic is not None:
                branches["semantic"] = semantic.pooled.flatten(1)  # (B,K*D)
            if structure is not None:
                branches["structural"] = structure.pooled.flatten(1)  # (B,J*D)

        text_vector = F.normalize(tokens.context.float(), dim=-1)
        auxiliary: dict[str, Tensor] = {}
        if self.training and structure is not None:
            auxiliary["mutual_information"] = -mutual_information(structure, tokens.present)
            auxiliary["agreement"] = agreement(structure, tokens.present)
        if self.training and self.text_match is not None and text is not None:
            auxiliary["text"] = self.text_match(tokens, text, batch)
        return NextOutput(
            branches=branches,
            text_vector=text_vector,
            tokens=tokens,
            semantic=semantic,
            structure=structure,
            auxiliary=auxiliary,
        )

    def _text(self, batch: Batch) -> Tensor | None:
        """Return T, (B,K,D), when some part listens to it."""
        listens = self.text_match is not None and self.training
        if self.semantic is not None and self.semantic.modulation is not None:
            listens = True
        return self.sentences.compose(batch.prompts, self.generic) if listens else None

    def _noise(self, batch: Batch, tokens: Tokens) -> Tensor | None:
        """Return the routing noise (B,C,K,N): each observation's from its own seed."""
        if not self.training or batch.noise_seed is None:
            return None
        C, N, K = tokens.patches.shape[1], tokens.patches.shape[2], len(self.generic)
        draws = [
            torch.randn(C, K, N, generator=torch_generator(int(seed), "routing"))
            for seed in batch.noise_seed.tolist()
        ]
        return torch.stack(draws).to(tokens.patches.device)


class TextMatch(nn.Module):
    """Image-sentence term: a sigmoid over observation x sentence, "is this sentence one of mine?".

    A sentence is compared with the images that it was made from: the mean of their class tokens. So a
    thermal image is never told to look red; an observation that lacks one of these images is not asked. A
    sentence without evidence is compared with the mean of all class tokens. Only sentences that were really
    heard count, never generic prompts. One that two observations share is true for both; where it was
    seen by other modalities, nobody knows. Computed within one process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.offset = nn.Parameter(torch.tensor(0.0))

    def forward(self, tokens: Tokens, text: Tensor, batch: Batch) -> Tensor:
        """Return the sum of the loss over sentences, its mean over observations.

        Args:
            tokens: class tokens (B,C,D) and their mean (B,D).
            text: (B,K,D) sentence embeddings.
            batch: whose prompts say which sentences are real and which are equal, and where they were seen.
        """
        total = (self.scale + self.offset) * 0.0 + tokens.context.sum() * 0.0
        heard = _heard(batch)
        for evidence in dict.fromkeys(key[2] for key in heard):
            columns = {key: number for number, key in enumerate(key for key in heard if key[2] == evidence)}
            b, k = torch.tensor([(heard[key][0], key[0]) for key in columns], device=text.device).T
            truth = text.new_zeros(len(batch), len(columns), dtype=torch.float32)
            counted = torch.ones_like(truth)
            for (group, said, seen), rows in heard.items():
                if (number := columns.get((group, said, evidence))) is not None:
                    truth[rows, number] = counted[rows, number] = float(seen == evidence)
            vector = tokens.context
            if evidence:
                at = [batch.modalities.index(name) for name in sorted(evidence)]
                vector = tokens.classes[:, at].mean(dim=1)
                counted = counted * tokens.present[:, at].all(dim=1)[:, None]
            most = 1 - 0.5 / len(truth)  # one that all have heard
            prior = torch.logit((truth.sum(dim=0) / counted.sum(dim=0)).clamp(max=most))  # (S,)
            cosine = F.normalize(vector.float(), dim=-1) @ text[b, k].T
            logits = cosine * self.scale.exp() + self.offset + prior  # (B,S)
            loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
            total = total + (loss * counted).sum() / len(truth)
        return total


_Heard = tuple[int, tuple[tuple[str, float], ...], frozenset[str]]
"""Group, sentences with their weights, and the modalities that they were made from."""


def _heard(batch: Batch) -> dict[_Heard, list[int]]:
    """Return what was heard -> rows of the observations that heard it; generic prompts are left out."""
    found: dict[_Heard, list[int]] = {}
    for b, row in enumerate(batch.prompts):
        for k, said in enumerate(row):
            if said:
                seen = batch.evidence[b][k] if batch.evidence else frozenset()
                found.setdefault((k, said, seen), []).append(b)
    return found
