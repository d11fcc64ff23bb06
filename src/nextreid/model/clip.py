"""What a CLIP backbone is to the rest of nextreid: a model, its tokenizer, and where it came from."""

from dataclasses import dataclass
from typing import Any, Literal

Origin = Literal["clip", "builtin", "scratch"]
"""Sets the learning rate: published weights, weights made by `nextreid pretrain`, random weights."""


@dataclass(frozen=True)
class Clip:
    """A CLIP model with its tokenizer.

    Attributes:
        model: `transformers.CLIPModel`, float32.
        tokenizer: the tokenizer its text tower was made for.
        origin: "clip" (published weights), "builtin" (made by `nextreid pretrain`, shipped or not) or
            "scratch" (random weights).
        saw: the modalities its weights were made from, none for random ones; None where that is not
            known, as of published weights.
    """

    model: Any
    tokenizer: Any
    origin: Origin
    saw: tuple[str, ...] | None = None
