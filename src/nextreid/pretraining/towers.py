"""The two towers that a pretraining starts from."""

from collections.abc import Sequence
from dataclasses import dataclass

from nextreid.errors import InputError
from nextreid.model.builtin import random_clip
from nextreid.model.clip import Clip
from nextreid.model.tokenizer import CONTEXT
from nextreid.seeding import derive_seed

PATCH = 16
"""Side of a patch in pixels, as in ViT-B/16."""

GRID = 192
"""Side in pixels of the square that positions are learned for: ours; both kinds are interpolated from it."""

START = 2.0
"""Scale of the first weights in CLIP's units: ours; with 1 the class token starts all but blind to the
patches, and all sentences start with nearly one embedding."""


@dataclass(frozen=True)
class Towers:
    """Sizes of a CLIP.

    Attributes:
        width, layers, heads, mlp: of the visual tower; `mlp` is the width of its hidden layers.
        text_width, text_layers: of the text tower.
        projection: D, the joint space.
        stem: channels of the convolutions that make patches (`ConvStem`); none: linear patches.

    Raises:
        InputError: a width that its heads do not divide, or a stem whose strides do not make the patch.
    """

    width: int
    layers: int
    heads: int
    mlp: int
    text_width: int
    text_layers: int
    projection: int
    stem: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check that widths divide among heads."""
        if self.width % self.heads:
            raise InputError(f"model.width={self.width}", allowed=f"a multiple of model.heads={self.heads}")
        if self.stem and 2 ** len(self.stem) != PATCH:
            raise InputError(f"model.stem={list(self.stem)}", allowed="four numbers, or []")
        if self.text_width % self.text_heads:
            raise InputError(
                f"model.text_width={self.text_width}", allowed=f"a multiple of {self.text_heads}, its heads"
            )

    @property
    def text_heads(self) -> int:
        """Heads of the text tower: one for each 64 of its width, as in CLIP."""
        return max(1, self.text_width // 64)


def untrained_clip(towers: Towers, *, corpus: Sequence[str], seed: int) -> Clip:
    """Build a CLIP with random weights.

    Args:
        towers: its sizes.
        corpus: sentences that its tokenizer is made from.
        seed: of the pretraining.
    """
    settings = {
        "projection_dim": towers.projection,
        "vision_config": {
            "hidden_size": towers.width,
            "intermediate_size": towers.mlp,
            "num_hidden_layers": towers.layers,
            "num_attention_heads": towers.heads,
            "image_size": GRID,
            "patch_size": PATCH,
            "stem": list(towers.stem),
            "initializer_factor": START,
        },
        "text_config": {
            "hidden_size": towers.text_width,
            "intermediate_size": 4 * towers.text_width,
            "num_hidden_layers": towers.text_layers,
            "num_attention_heads": towers.text_heads,
            "max_position_embeddings": CONTEXT,
            "initializer_factor": START,
        },
    }
    return random_clip(settings, corpus=corpus, seed=derive_seed(seed, "pretraining"))
