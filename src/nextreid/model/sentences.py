"""Sentences: which of them an expert hears, and the frozen text tower that embeds them."""

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nextreid.data.batch import Prompts
from nextreid.observation import Sentence

CACHE_SIZE = 100_000  # ours: about 200 MB at D = 512; RGBNT201 has a few thousand distinct sentences


def select_prompts(
    sentences: Sequence[Sentence],
    *,
    groups: Sequence[str],
    present: frozenset[str],
    threshold: float = 0.0,
    rng: np.random.Generator | None = None,
    dropout: float = 0.0,
) -> Prompts:
    """Choose what each expert hears about one observation (caption sampling, DESIGN 2).

    Only sentences of the expert's group whose evidence lies within the present modalities, and
    whose confidence reaches the threshold, are used: text must not leak an absent modality.

    Args:
        sentences: all sentences of the observation.
        groups: the K experts' groups.
        present: the present modalities (after any dropout).
        threshold: least confidence; a sentence without confidence always passes.
        rng: given in training: one sentence a group is drawn, weighted by confidence. None in
            evaluation: all of them, with their confidences as weights (equal where unknown).
        dropout: chance, per group, that the expert hears the generic prompt instead (training).
    """
    chosen: list[tuple[tuple[str, float], ...]] = []
    for group in groups:
        usable = [
            s
            for s in sentences
            if s.group == group
            and s.evidence <= present
            and (s.confidence is None or s.confidence >= threshold)
        ]
        weights = [1.0 if s.confidence is None else float(s.confidence) for s in usable]
        if usable and sum(weights) <= 0:
            weights = [1.0] * len(usable)
        if rng is None:
            chosen.append(tuple((s.text, w) for s, w in zip(usable, weights, strict=True)))
            continue
        # drawn whether used or not, so that one group's captions never shift another's draws
        dropped, pick = rng.random() < dropout, rng.random()
        if dropped or not usable:
            chosen.append(())
            continue
        edges = np.cumsum(weights) / np.sum(weights)
        index = min(int(np.searchsorted(edges, pick, side="right")), len(usable) - 1)
        chosen.append(((usable[index].text, 1.0),))
    return tuple(chosen)


class SentenceEncoder(nn.Module):
    """CLIP's text tower, frozen: each distinct sentence is encoded once and cached.

    Args:
        clip: a `transformers.CLIPModel`.
        tokenizer: its tokenizer; end and pad must be different ids that `text_config` names.
    """

    def __init__(self, clip: Any, tokenizer: Any) -> None:
        super().__init__()
        self.text = clip.text_model
        self.projection = clip.text_projection
        self.tokenizer = tokenizer
        self.context = int(clip.config.text_config.max_position_embeddings)
        self._cache: OrderedDict[str, Tensor] = OrderedDict()
        self._told_truncation = False
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> "SentenceEncoder":
        """Stay in evaluation mode: the tower is frozen."""
        return super().train(False)

    def forward(self, sentences: Sequence[str]) -> Tensor:
        """Return normalised embeddings (len(sentences), D), float32, on the tower's device."""
        for sentence in dict.fromkeys(sentences):
            if sentence not in self._cache:
                self._cache[sentence] = self._encode(sentence)
        device = self.projection.weight.device
        vectors = torch.stack([self._cache[s] for s in sentences]).to(device)
        for sentence in sentences:
            self._cache.move_to_end(sentence)
        while len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return vectors

    @torch.no_grad()
    def _encode(self, sentence: str) -> Tensor:
        """Return (D,). One sentence at a time: in a padded batch its last bits would depend on the others."""
        device = self.projection.weight.device
        tokens = self.tokenizer([sentence], return_tensors="pt")
        length = tokens["input_ids"].shape[1]
        if length > self.context:
            if not self._told_truncation:
                self._told_truncation = True
                warnings.warn(
                    f"A sentence has {length} tokens, the text tower takes {self.context}; its end is not "
                    f"heard: {sentence[:80]!r}",
                    stacklevel=2,
                )
            tokens = self.tokenizer([sentence], truncation=True, max_length=self.context, return_tensors="pt")
        with torch.autocast(device.type, enabled=False):
            pooled = self.text(
                input_ids=tokens["input_ids"].to(device), attention_mask=tokens["attention_mask"].to(device)
            ).pooler_output
            return F.normalize(self.projection(pooled).float(), dim=-1)[0]

    def compose(self, prompts: Sequence[Prompts], generic: Sequence[str]) -> Tensor:
        """Return T, (B,K,D): per expert the weighted mean of its sentences' embeddings.

        Args:
            prompts: B x K x [(sentence, weight)].
            generic: K prompts for experts that have no sentence.
        """
        texts: list[str] = []
        weights: list[float] = []
        cells: list[int] = []
        for b, row in enumerate(prompts):
            for k, heard in enumerate(row):
                for sentence, weight in heard or ((generic[k], 1.0),):
                    texts.append(sentence)
                    weights.append(weight)
                    cells.append(b * len(generic) + k)
        vectors = self.forward(texts)  # (S,D)
        scaled = vectors * torch.tensor(weights, device=vectors.device)[:, None]
        total = vectors.new_zeros(len(prompts) * len(generic), vectors.shape[-1])
        total.index_add_(0, torch.tensor(cells, device=vectors.device), scaled)
        return F.normalize(total, dim=-1).view(len(prompts), len(generic), -1)
