"""The CLIP backbone: where it comes from, and how images of any modality go through it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nextreid.model.builtin import PREFIX, load_builtin
from nextreid.model.clip import Clip
from nextreid.model.clip_folder import is_ours, read_clip
from nextreid.model.clip_published import load_published

Dense = Literal["last", "value"]


def load_clip(source: str | Path, *, corpus: Sequence[str] = (), seed: int = 0) -> Clip:
    """Load a CLIP, or build a small one.

    Args:
        source: a `builtin:` name (`builtin:clip-small`: trained and shipped, with its own tokenizer), a
            folder (`nextreid pretrain` writes one; or any in Hugging Face format), or a hub id
            (`openai/clip-vit-base-patch16`, `id@revision`). Weights are read from safetensors only.
        corpus: sentences the tokenizer of a random `builtin:` backbone is made from; the others have one.
        seed: of a random `builtin:` backbone's weights.

    Raises:
        InputError: no such builtin, folder or checkpoint, a damaged one, or not a CLIP.
    """
    name = str(source)
    if name.startswith(PREFIX):
        return load_builtin(name, corpus=corpus, seed=seed)
    if is_ours(Path(name)):
        return read_clip(name)
    return load_published(name)


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
