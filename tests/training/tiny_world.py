"""A tiny world for tests of training: coloured noise images and a small network of the model's form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nextreid.data.augment import Augmentation
from nextreid.data.batch import Batch
from nextreid.data.cache import ResizedImages
from nextreid.data.dropout import InputDropout
from nextreid.data.images import ImageTransform
from nextreid.data.loaders import TrainingOptions, TrainingSet
from nextreid.observation import Observation

MODALITIES = ("rgb", "nir", "tir")
SIZE = (24, 16)


@dataclass(frozen=True)
class TinyOutput:
    branches: Mapping[str, Tensor]
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)


class TinyModel(nn.Module):
    """Mean of present modalities' convolutional features, in two branches."""

    def __init__(self, seed: int = 0, width: int = 8) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.stem = nn.Sequential(
                nn.Conv2d(3, width, 5, 4), nn.GELU(), nn.Conv2d(width, width, 3), nn.GELU()
            )
            self.coarse = nn.Linear(width, width)
        self.widths = {"global": width, "coarse": width}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"backbone": list(self.stem.parameters()), "new": list(self.coarse.parameters())}

    def forward(self, batch: Batch) -> TinyOutput:
        features = torch.stack([self.stem(batch.images[m]).mean((2, 3)) for m in batch.modalities], 1)
        weight = batch.present.float()[..., None]
        pooled = (features * weight).sum(1) / weight.sum(1)
        coarse = torch.tanh(self.coarse(pooled))  # a shift would have no gradient: only rounding
        return TinyOutput({"global": pooled, "coarse": coarse}, {"text": coarse.square().mean()})


class TinyHeads(nn.Module):
    def __init__(self, widths: Mapping[str, int], identities: int, seed: int = 1) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.heads = nn.ModuleDict(
                {
                    name: nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, identities, bias=False))
                    for name, width in widths.items()
                }
            )

    def forward(self, branches: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: head(branches[name]) for name, head in self.heads.items()}


def observations(identities: int = 6, each: int = 5, seed: int = 0) -> list[Observation]:
    """Every identity has a colour; every third observation lacks a modality."""
    rng = np.random.default_rng(seed)
    made = []
    for identity in range(identities):
        colour = rng.integers(40, 215, 3)
        for number in range(each):
            images = {
                m: np.clip(colour + rng.integers(-40, 40, (*SIZE, 3)), 0, 255).astype(np.uint8)
                for m in MODALITIES
            }
            if number % 3 == 2:
                del images[MODALITIES[number % 2 + 1]]
            made.append(
                Observation(
                    id=f"o{identity}_{number}",
                    identity=f"i{identity}",
                    camera=str(number % 2),
                    images=images,
                )
            )
    return made


def training_set(
    *, identities: int = 6, each: int = 5, seed: int = 0, cache: str = "none", plain: bool = False
) -> TrainingSet:
    images = ResizedImages(observations(identities, each), transform=ImageTransform(SIZE), cache=cache)
    still = {"augmentation": Augmentation(flip=0, pad=0, erase=0), "dropout": InputDropout(0, 0, 0)}
    options = TrainingOptions(seed=seed, **(still if plain else {"augmentation": Augmentation(pad=2)}))
    return TrainingSet(images, modalities=MODALITIES, options=options)


def save_weights(model: nn.Module):
    def save(folder: Path) -> None:
        torch.save(model.state_dict(), folder / "weights.pt")

    return save
