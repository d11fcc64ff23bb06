"""The backbones that need no network: random ones for training from scratch, and those that are shipped."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from nextreid.errors import InputError
from nextreid.model.clip import Clip
from nextreid.model.clip_folder import read_clip
from nextreid.model.folder import WEIGHTS
from nextreid.model.stem import build_clip
from nextreid.model.tokenizer import CONTEXT, build_tokenizer
from nextreid.seeding import derive_seed

PREFIX = "builtin:"

RANDOM = {
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
"""Configurations whose weights start at random, with a tokenizer made from the given corpus."""

SHIPPED = (
    "builtin:clip-small",
    "builtin:clip-small-without-rgb",
    "builtin:clip-small-without-nir",
    "builtin:clip-small-without-tir",
)
"""Trained backbones with their tokenizer; which of them an installation holds, its files tell."""


def weights_root() -> Path:
    """Return the folder of the shipped weights: one folder a name, without its prefix."""
    return Path(str(resources.files("nextreid.model").joinpath("weights")))


def shipped() -> tuple[str, ...]:
    """Return the names of the trained backbones that this installation holds."""
    return tuple(name for name in SHIPPED if (_folder(name) / WEIGHTS).is_file())


def available() -> tuple[str, ...]:
    """Return every `builtin:` name that can be loaded here."""
    return (*shipped(), *RANDOM)


def load_builtin(name: str, *, corpus: Sequence[str] = (), seed: int = 0) -> Clip:
    """Load a shipped backbone, or build a random one.

    Args:
        name: with its prefix.
        corpus: sentences a random backbone's tokenizer is made from; a shipped one has its own.
        seed: of a random backbone's weights.

    Raises:
        InputError: no such name, or a shipped one whose weights this installation lacks.
    """
    if name in RANDOM:
        return _build_random(name, corpus=corpus, seed=seed)
    if name not in SHIPPED:
        raise InputError(f"There is no backbone {name!r}", allowed=", ".join(available()))
    if name not in shipped():
        raise InputError(
            f"This installation does not hold the weights of {name!r}",
            allowed=", ".join(available()),
            do=f"make them with `{_command(name)}` and name the folder DIR/model",
        )
    return read_clip(_folder(name))


def _command(name: str) -> str:
    left_out = name.rpartition("-without-")[2] if "-without-" in name else None
    return "nextreid pretrain --out DIR" + (f" --leave-out {left_out}" if left_out else "")


def _folder(name: str) -> Path:
    return weights_root() / name.removeprefix(PREFIX)


def _build_random(name: str, *, corpus: Sequence[str], seed: int) -> Clip:
    return random_clip(RANDOM[name], corpus=corpus, seed=derive_seed(seed, "backbone", name))


def random_clip(settings: Mapping[str, Any], *, corpus: Sequence[str], seed: int) -> Clip:
    """Build a CLIP with random weights and a tokenizer of its own.

    Args:
        settings: of `transformers.CLIPConfig`, without what the tokenizer decides.
        corpus: sentences that the tokenizer is made from.
        seed: of the weights.
    """
    from transformers import CLIPConfig

    tokenizer = build_tokenizer(corpus or ["a photo of an object"])
    if tokenizer.eos_token_id == 2:  # transformers reads 2 as "pool the largest id" (an old default)
        raise AssertionError("the tokenizer must not give its end token the id 2")
    text = settings["text_config"] | {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # eager: on a CPU, faster than fused attention at these widths, in training with bf16
        config = CLIPConfig(**{**settings, "text_config": text}, attn_implementation="eager")
        model = build_clip(config, normed=True)
    return Clip(model=model, tokenizer=tokenizer, origin="scratch", saw=())
