"""BNNeck and identity classifier, one per branch: needed in training, dropped from a saved model."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nextreid.seeding import derive_seed

CLASSIFIER_STD = 0.001  # DeMo's public configuration, as everywhere in the field


class IdentityHead(nn.Module):
    """Batch norm without bias, then a linear classifier without bias."""

    def __init__(self, *, width: int, identities: int) -> None:
        super().__init__()
        self.neck = nn.BatchNorm1d(width)
        self.neck.bias.requires_grad_(False)  # BNNeck: the shift stays zero
        self.classifier = nn.Linear(width, identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=CLASSIFIER_STD)

    def forward(self, feature: Tensor) -> Tensor:
        """Return logits (B, identities) of a feature (B, width)."""
        return self.classifier(self.neck(feature))


class IdentityHeads(nn.Module):
    """One head per branch.

    Args:
        widths: branch name -> width, as a model's `widths`.
        identities: number of training identities.
        seed: of the classifiers' start.
    """

    def __init__(self, *, widths: Mapping[str, int], identities: int, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "heads"))
            self.heads = nn.ModuleDict(
                {name: IdentityHead(width=width, identities=identities) for name, width in widths.items()}
            )

    def forward(self, branches: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return branch name -> logits (B, identities)."""
        return {name: head(branches[name].float()) for name, head in self.heads.items()}
