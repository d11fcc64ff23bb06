"""A convolutional stem: what makes patch tokens out of pixels where a CLIP of ours has no linear patches.

A linear patch of 16 x 16 pixels must learn every detail at every place within the patch anew. A few small
convolutions with stride 2 learn it once (Xiao et al. 2021, Early convolutions help transformers see better);
on our worlds lamps, badges and colours are learned from a fraction of the pictures. The grid of tokens, and
all that follows it, is that of a linear patch embedding.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nextreid.errors import InputError

MOMENTUM = 0.02
"""Share of a batch in the running statistics: ours; a batch shows one kind of object, they are of all."""


class ConvStem(nn.Module):
    """Convolutions of 3 x 3 with stride 2, each followed by ReLU, then one of 1 x 1: pixels -> tokens.

    Args:
        widths: channels of each convolution; L of them make patches of 2**L pixels.
        out: width of a token.
        normed: batch normalisation after each convolution, in pretraining. Saved weights have it folded
            into the convolutions (`folded`).
    """

    def __init__(self, widths: Sequence[int], out: int, *, normed: bool) -> None:
        super().__init__()
        sizes = (3, *widths)
        self.widths, self.normed = tuple(widths), normed
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=not normed)
            for before, after in zip(sizes, widths, strict=False)
        )
        norms = [nn.BatchNorm2d(width, momentum=MOMENTUM) if normed else nn.Identity() for width in widths]
        self.norms = nn.ModuleList(norms)
        self.last = nn.Conv2d(sizes[-1], out, 1)
        nn.init.normal_(self.last.weight, std=sizes[-1] ** -0.5)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]  # it has one

    @property
    def weight(self) -> Tensor:
        """A weight, of which `transformers` asks the number format of pixels."""
        return self.last.weight

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (B,out,H/2**L,W/2**L) for pixels (B,3,H,W)."""
        x = pixels.contiguous(memory_format=torch.channels_last)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = torch.relu(norm(conv(x)))
        found: Tensor = self.last(x)
        return found

    def freeze_norms(self) -> None:
        """Let the running statistics stand: from here on a picture is seen the same in any batch."""
        for norm in self.norms:
            norm.eval()

    def folded(self) -> "ConvStem":
        """Return the same function with the running statistics folded into the convolutions."""
        stem = ConvStem(self.widths, self.last.out_channels, normed=False)
        stem.last.load_state_dict(self.last.state_dict())
        for mine, norm, theirs in zip(self.convs, self.norms, stem.convs, strict=True):
            conv: Any = mine
            if isinstance(norm, nn.BatchNorm2d):
                conv = fuse_conv_bn_eval(deepcopy(conv).eval(), deepcopy(norm).eval())
            theirs.load_state_dict(conv.state_dict())
        return stem


def stem_of(model: Any) -> ConvStem | None:
    """Return the stem of a `transformers.CLIPModel`, None where its patches are linear."""
    found = model.vision_model.embeddings.patch_embedding
    return found if isinstance(found, ConvStem) else None


def build_clip(config: Any, *, normed: bool = False) -> Any:
    """Build a `transformers.CLIPModel` with random weights, and the stem that its configuration names.

    `vision_config.stem` lists the channels; `transformers` itself keeps the entry and does not read it.

    Args:
        config: a `transformers.CLIPConfig`.
        normed: as in `ConvStem`, to be pretrained; saved weights have none.

    Raises:
        InputError: channels that are no positive numbers, or whose strides do not make the patch.
    """
    from transformers import CLIPModel

    model = CLIPModel(config)
    vision = config.vision_config
    widths = getattr(vision, "stem", None)
    if not widths:
        return model
    right = isinstance(widths, list | tuple) and all(isinstance(w, int) and w > 0 for w in widths)
    if not right or 2 ** len(widths) != vision.patch_size:
        raise InputError(
            f"vision_config.stem is {widths!r}, for patches of {vision.patch_size} pixels",
            allowed="a list of positive numbers, as many as there are halvings from a patch to a pixel",
        )
    model.vision_model.embeddings.patch_embedding = ConvStem(widths, vision.hidden_size, normed=normed)
    return model


def saved_state(model: Any) -> dict[str, Tensor]:
    """Return the weights of a `transformers.CLIPModel` by name, normalisation of a stem folded in."""
    state: dict[str, Tensor] = dict(model.state_dict())
    stem = stem_of(model)
    if stem is not None and stem.normed:
        where = "vision_model.embeddings.patch_embedding."
        state = {name: tensor for name, tensor in state.items() if not name.startswith(where)}
        state |= {where + name: tensor for name, tensor in stem.folded().state_dict().items()}
    return state
