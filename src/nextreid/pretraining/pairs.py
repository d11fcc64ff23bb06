"""The network that is pretrained: both towers of a CLIP and the losses on their pairs."""

import torch
from torch import Tensor, nn

from nextreid.losses.grounding import PairSigmoid, ValueChoice, region_means
from nextreid.model.backbone import VisualEncoder
from nextreid.model.clip import Clip
from nextreid.model.stem import ConvStem
from nextreid.pretraining.text_tower import TextTower

TERMS = ("image", "value", "dense", "place")
"""Terms of the loss: pictures and texts, the values of an attribute; the same of regions."""


class PairModel(nn.Module):
    """A CLIP in pretraining.

    The pictures pass as in NEXT (`VisualEncoder`), so that the patch tokens which are taught to mean
    what lies under them are the ones that NEXT compares with its sentences. The text tower is not trained:
    it was taught before (`reading.teach_text`).

    Args:
        clip: its visual weights are trained in place.
        dense: weight of the dense terms; 0 leaves them out (class token only).
        bf16: the towers compute in bfloat16; the losses never do.
    """

    def __init__(self, clip: Clip, *, dense: float, bf16: bool) -> None:
        super().__init__()
        self.encoder = VisualEncoder(clip.model, modalities=0, cameras=None, dense="last")
        self.encoder.modality.requires_grad_(False)
        self.texts = TextTower(clip).requires_grad_(False)
        self.bf16 = bf16
        self.image_pairs = PairSigmoid()
        self.image_choice = ValueChoice()
        self.region_pairs = PairSigmoid() if dense else None
        self.region_choice = ValueChoice() if dense else None

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
        attribute: Tensor,
        importance: Tensor,
        choices: Tensor,
        place_choices: Tensor,
    ) -> Tensor:
        """Return the terms of the loss in the order of `TERMS`, those of regions 0 without them, (4,).

        The arguments are the fields of a `PairBatch`.
        """
        nowhere = torch.zeros(len(pixels), dtype=torch.long, device=pixels.device)
        with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            classes, patches, _ = self.encoder(pixels, nowhere, nowhere)  # (B,D), (B,N,D)
        classes, patches = classes.float(), patches.float()
        with torch.no_grad():
            sentences = self.texts(texts)  # (S,D)
        singles = len(attribute)
        asked = {
            "attribute": attribute,
            "frequency": frequency[:singles],
            "importance": importance,
            "out_of": len(pixels) * (int(attribute[-1]) + 1),
        }
        image = self.image_pairs(classes, sentences, labels=labels, frequency=frequency, weight=weight)
        picture, chosen = choices.T
        value = self.image_choice(classes[picture], sentences[:singles], chosen=chosen, **asked)
        if self.region_pairs is None or self.region_choice is None:
            return torch.stack([image, value, torch.zeros_like(image), torch.zeros_like(image)])
        means = region_means(patches, shares)  # (B,R,D)
        dense = self.region_pairs(
            means,
            sentences[placed],  # (S',D)
            labels=place_labels,
            frequency=frequency[placed],
            weight=place_weight,
        )
        picture, region, chosen = place_choices.T
        place = self.region_choice(means[picture, region], sentences[:singles], chosen=chosen, **asked)
        return torch.stack([image, value, dense, place])

    def freeze_norms(self) -> None:
        """Let the running statistics of a stem stand (`ConvStem.freeze_norms`); nothing without one."""
        stem = self.encoder.vision.embeddings.patch_embedding
        if isinstance(stem, ConvStem):
            stem.freeze_norms()
