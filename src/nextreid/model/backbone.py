"""The CLIP backbone: where it comes from, and how images of any modality go through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nextreid.errors import InputError
from nextreid.model.tokenizer import CONTEXT, build_tokenizer
from nextreid.seeding import derive_seed

BUILTIN = {
    # ours, for training from scratch on two CPU cores: 0.7 M weights in the visual tower, so that a few
    # minutes hold hundreds of steps. The square position grid of 8 x 8 is interpolated to the input, as
    # for any CLIP. CLIP's initial scale is doubled: with it the class token starts all but blind to the
    # patches, and the first hundred steps go into finding them.
    "builtin:small": {
        "projection_dim": 128,
        "vision_config": {
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "image_size": 128,
            "patch_size": 16,
            "initializer_factor": 2.0,
        },
        "text_config": {
            "hidden_size": 128,
            "intermediate_size": 512,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "max_position_embeddings": CONTEXT,
        },
    },
    # ours, for tests: as little as runs
    "builtin:tiny": {
        "projection_dim": 32,
        "vision_config": {
            "hidden_size": 48,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 16,
        },
        "text_config": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": CONTEXT,
        },
    },
}
"""Configurations built without network; their weights start at random."""

Dense = Literal["last", "value"]


@dataclass(frozen=True)
class Clip:
    """A CLIP model with its tokenizer.

    Attributes:
        model: `transformers.CLIPModel`.
        tokenizer: the tokenizer its text tower was made for.
        origin: "clip" (a published checkpoint) or "scratch" (random weights): sets the learning rate.
    """

    model: Any
    tokenizer: Any
    origin: Literal["clip", "builtin", "scratch"]


def load_clip(source: str | Path, *, corpus: Sequence[str] = (), seed: int = 0) -> Clip:
    """Load a CLIP checkpoint, or build a small one.

    Args:
        source: a hub id (`openai/clip-vit-base-patch16`, `id@revision`), a folder in Hugging Face
            format, or a `builtin:` name. Weights are read from safetensors only.
        corpus: sentences a `builtin:` tokenizer is made from.
        seed: of a `builtin:` model's random weights.

    Raises:
        InputError: no such builtin, folder or checkpoint.
    """
    from transformers import AutoTokenizer, CLIPModel

    source = str(source)
    if source.startswith("builtin:"):
        return _build_small(source, corpus=corpus, seed=seed)
    name, _, revision = source.partition("@")
    try:
        model = CLIPModel.from_pretrained(name, revision=revision or "main", use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision or "main")
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"The backbone {source!r} cannot be loaded ({reason})",
            allowed=f"a Hugging Face CLIP id, id@revision, a folder with config.json, model.safetensors "
            f"and tokenizer files, or one of {', '.join(BUILTIN)}",
            do="check the name and the network; a checkpoint without safetensors can be converted once "
            "with CLIPModel.from_pretrained(...).save_pretrained(FOLDER)",
        ) from error
    return Clip(model=model, tokenizer=tokenizer, origin="clip")


def _build_small(name: str, *, corpus: Sequence[str], seed: int) -> Clip:
    from transformers import CLIPConfig, CLIPModel

    if name not in BUILTIN:
        raise InputError(f"There is no backbone {name!r}", allowed=", ".join(BUILTIN))
    tokenizer = build_tokenizer(corpus or ["a photo of an object"])
    settings: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in BUILTIN[name].items()
    }
    settings["text_config"] |= {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if tokenizer.eos_token_id == 2:  # transformers reads 2 as "pool the largest id" (an old default)
        raise AssertionError("the tokenizer must not give its end token the id 2")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "backbone", name))
        # eager: on a CPU, faster than fused attention at these widths, in training with bf16
        model = CLIPModel(CLIPConfig(**settings, attn_implementation="eager"))
    return Clip(model=model, tokenizer=tokenizer, origin="scratch")


def _zero_embedding(entries: int, width: int) -> nn.Embedding:
    return nn.Embedding(entries, width, _weight=torch.zeros(entries, width))


class VisualEncoder(nn.Module):
    """One visual tower for every modality; class and patch tokens both end in the joint space.

    Args:
        clip: a `transformers.CLIPModel`; its vision tower and visual projection are used.
        modalities: M known names; the embedding has one more entry, for the unknown.
        cameras: known camera names for the camera embedding; likewise one more. None: no embedding.
        dense: what text is compared with: "last", the patch tokens themselves, or "value", the last
            block's value path projected into the joint space.
    """

    def __init__(self, clip: Any, *, modalities: int, cameras: int | None, dense: Dense) -> None:
        super().__init__()
        self.vision = clip.vision_model
        self.projection = clip.visual_projection
        self.dense: Dense = dense
        width = self.projection.in_features
        self.patch = int(clip.config.vision_config.patch_size)
        self.dim = int(self.projection.out_features)
        # zero-initialised: at the start every modality is seen exactly as CLIP sees it (DESIGN 2)
        self.modality = _zero_embedding(modalities + 1, width)
        self.camera = None if cameras is None else _zero_embedding(cameras + 1, width)

    def forward(self, pixels: Tensor, modality: Tensor, camera: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode a packed batch of n images.

        Args:
            pixels: (n,3,H,W) normalised; H and W multiples of the patch size.
            modality: (n,) index, the last being "unknown".
            camera: (n,) index, the last being "unknown"; not read without camera embedding.

        Returns:
            Class tokens (n,D), patch tokens (n,N,D), and what text is compared with (n,N,D).
        """
        x = self.vision.embeddings(pixels, interpolate_pos_encoding=True)  # (n,1+N,width)
        x = x + self.modality(modality)[:, None]
        if self.camera is not None:
            x = torch.cat([x[:, :1] + self.camera(camera)[:, None], x[:, 1:]], dim=1)
        x = self.vision.pre_layrnorm(x)
        before = x
        for layer in self.vision.encoder.layers:
            before = x
            x = layer(x, attention_mask=None)
            x = x[0] if isinstance(x, tuple) else x  # older transformers
        last = self.projection(self.vision.post_layernorm(x))  # (n,1+N,D)
        dense = last
        if self.dense == "value":
            block = self.vision.encoder.layers[-1]
            value = block.self_attn.out_proj(block.self_attn.v_proj(block.layer_norm1(before)))
            dense = self.projection(self.vision.post_layernorm(value))
        return last[:, 0], last[:, 1:], dense[:, 1:]
