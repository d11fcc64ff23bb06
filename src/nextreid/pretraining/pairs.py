"""The network that is pretrained: both towers of a CLIP and the losses on their pairs."""

from typing import Any

import torch
from torch import Tensor, nn

from nextreid.losses.grounding import PairSigmoid, region_means
from nextreid.model.backbone import VisualEncoder
from nextreid.model.clip import Clip


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
        image = self.image_pairs(classes, sentences, labels=labels, frequency=frequency)
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
        """Return embeddings, (S,D), not normalised."""
        device = self.text_projection.weight.device
        tokens = self.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")  # to CONTEXT
        pooled = self.text(
            input_ids=tokens["input_ids"].to(device), attention_mask=tokens["attention_mask"].to(device)
        ).pooler_output
        projected: Tensor = self.text_projection(pooled)
        return projected
