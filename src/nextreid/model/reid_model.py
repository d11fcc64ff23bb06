"""What NEXT and its baselines have in common: an encoder, a text tower, named branches."""

from torch import nn

from nextreid.data.batch import Batch
from nextreid.model.encoder import MultiModalEncoder
from nextreid.model.outputs import NextOutput, Tokens
from nextreid.model.sentences import SentenceEncoder


class ReidModel(nn.Module):
    """A model from batches to named branches.

    Args:
        encoder: images to tokens.
        sentences: sentences to embeddings (frozen); every model has it, for search by words.
    """

    widths: dict[str, int]
    """Branch name -> width."""

    def __init__(self, *, encoder: MultiModalEncoder, sentences: SentenceEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.sentences = sentences

    def forward(self, batch: Batch) -> NextOutput:
        """Run the model; the same in training and evaluation."""
        return self.describe(self.encoder(batch), batch)

    def describe(self, tokens: Tokens, batch: Batch) -> NextOutput:
        """Run everything after the encoder, on the tokens of a batch."""
        raise NotImplementedError

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the trainable parameters: "backbone" (the CLIP visual tower) and "new" (all others)."""
        groups: dict[str, list[nn.Parameter]] = {"backbone": [], "new": []}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                tower = name.startswith(("encoder.visual.vision.", "encoder.visual.projection."))
                groups["backbone" if tower else "new"].append(parameter)
        return groups
