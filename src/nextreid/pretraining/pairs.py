"""The network that is pretrained: both towers of a CLIP and the losses on their pairs."""

from typing import Any

import torch
from torch import Tensor, nn

from nextreid.losses.grounding import PairSigmoid, region_means
from nextreid.model.backbone import VisualEncoder
from nextreid.model.clip import Clip
from nextreid.model.tokenizer import CONTEXT

LENGTHS = (16, 32, CONTEXT)
"""Lengths in tokens that texts are padded to: most say one value in at most 16."""

ROWS = 16
"""Texts of a length are padded to a multiple of this: a CPU plans its kernels anew for every new shape."""


class PairModel(nn.Module):
    """A CLIP in pretraining.

    The pictures pass as in NEXT (`VisualEncoder`), so that the patch tokens which are taught to mean
    what lies under them are the ones that NEXT compares with its sentences.

    Args:
        clip: its weights are trained in place.
        dense: weight of the dense term; 0 leaves it out (class token only).
        bf16: the towers compute in bfloat16; the losses never do.
    """

    def __init__(self, clip: Clip, *, dense: float, bf16: bool) -> None:
        super().__init__()
        self.encoder = VisualEncoder(clip.model, modalities=0, cameras=None, dense="last")
        self.encoder.modality.requires_grad_(False)
        self.text = clip.model.text_model
        self.text_projection = clip.model.text_projection
        self.tokenizer: Any = clip.tokenizer
        self.bf16 = bf16
        self.image_pairs = PairSigmoid()
        self.region_pairs = PairSigmoid() if dense else None

    def forward(
        self,
        *,
        pixels: Tensor,
        texts: tuple[str, ...],
        labels: Tensor,
        weight: Tensor,
        frequency: Tensor,
        shares: Tensor,
        placed: Tensor,
        place_labels: Tensor,
        place_weight: Tensor,
    ) -> Tensor:
        """Return the loss of pictures and texts, and that of regions and texts (0 without it), (2,).

        The arguments are the fields of a `PairBatch`.
        """
        nowhere = torch.zeros(len(pixels), dtype=torch.long, device=pixels.device)
        with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            classes, patches, _ = self.encoder(pixels, nowhere, nowhere)  # (B,D), (B,N,D)
            sentences = self.sentences(texts)  # (S,D)
        classes, patches, sentences = classes.float(), patches.float(), sentences.float()
        image = self.image_pairs(classes, sentences, labels=labels, frequency=frequency, weight=weight)
        if self.region_pairs is None:
            return torch.stack([image, torch.zeros_like(image)])
        dense = self.region_pairs(
            region_means(patches, shares),  # (B,R,D)
            sentences[placed],  # (S',D)
            labels=place_labels,
            frequency=frequency[placed],
            weight=place_weight,
        )
        return torch.stack([image, dense])

    def sentences(self, texts: tuple[str, ...]) -> Tensor:
        """Return embeddings, (S,D), not normalised; texts of similar length go together."""
        rows = self.tokenizer(list(texts), truncation=True)["input_ids"]  # to CONTEXT
        order: list[int] = []
        parts: list[Tensor] = []
        for least, most in zip((0, *LENGTHS), LENGTHS, strict=False):
            part = [at for at, row in enumerate(rows) if least < len(row) <= most]
            if part:
                order += part
                parts.append(self._encode([rows[at] for at in part], most))
        back = torch.tensor(order, device=parts[0].device).argsort()
        return torch.cat(parts)[back]

    def _encode(self, rows: list[list[int]], length: int) -> Tensor:
        """Return embeddings of token rows padded to a length, their number to a multiple of `ROWS`."""
        count = -(-len(rows) // ROWS) * ROWS
        ids = torch.full((count, length), self.tokenizer.pad_token_id)
        mask = torch.zeros(count, length, dtype=torch.long)
        for at in range(count):
            row = rows[min(at, len(rows) - 1)]
            ids[at, : len(row)], mask[at, : len(row)] = torch.tensor(row), 1
        device = self.text_projection.weight.device
        pooled = self.text(input_ids=ids.to(device), attention_mask=mask.to(device)).pooler_output
        projected: Tensor = self.text_projection(pooled)
        return projected[: len(rows)]
