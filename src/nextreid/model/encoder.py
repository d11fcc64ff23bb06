"""From a batch of observations to tokens: one packed pass over the images that are there."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nextreid.data.batch import Batch
from nextreid.errors import InputError
from nextreid.model.backbone import Dense, VisualEncoder
from nextreid.model.outputs import Tokens


class MultiModalEncoder(nn.Module):
    """The shared backbone under every model of this room.

    Absent is absent: only present images are packed and encoded, and absent columns are excluded
    from every mean and sum after.

    Args:
        clip: a `transformers.CLIPModel`.
        modalities: the M known names, in slot order.
        cameras: known cameras for the camera embedding, or None for no embedding.
        size: input (H,W).
        dense: what text is compared with.
    """

    def __init__(
        self,
        clip: Any,
        *,
        modalities: Sequence[str],
        cameras: Sequence[str] | None,
        size: tuple[int, int],
        dense: Dense,
    ) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.cameras = None if cameras is None else tuple(cameras)
        self.size = size
        self.visual = VisualEncoder(
            clip,
            modalities=len(self.modalities),
            cameras=None if self.cameras is None else len(self.cameras),
            dense=dense,
        )
        patch = self.visual.patch
        if size[0] % patch or size[1] % patch:
            raise InputError(
                f"Input size {size[0]}x{size[1]} does not fit patches of {patch}x{patch}",
                allowed=f"height and width that are multiples of {patch}",
            )
        self.grid = (size[0] // patch, size[1] // patch)

    @property
    def dim(self) -> int:
        """D, the width of the joint space."""
        return self.visual.dim

    def forward(self, batch: Batch) -> Tokens:
        """Encode a batch.

        Raises:
            InputError: an observation with no image, columns in another order than the model's, or
                images of another size.
        """
        present, role = self._columns(batch)  # (B,C) bool, (B,C) index of the role
        B, C = present.shape
        column, row = present.T.nonzero(as_tuple=True)  # ordered by modality, then observation
        pixels = torch.cat(
            [
                batch.images[name][present[:, c]]
                for c, name in enumerate(batch.modalities)
                if present[:, c].any()
            ]
        )
        if tuple(pixels.shape[-2:]) != tuple(self.size):
            raise InputError(
                f"Images are {pixels.shape[-2]}x{pixels.shape[-1]}",
                allowed=f"the model's {self.size[0]}x{self.size[1]}",
            )
        classes, patches, dense = self.visual(pixels, role[row, column], self._cameras(batch)[row])

        where = row * C + column

        def unpack(packed: Tensor) -> Tensor:
            empty = packed.new_zeros(B * C, *packed.shape[1:])
            return empty.index_copy(0, where, packed).view(B, C, *packed.shape[1:])

        P = unpack(patches)  # (B,C,N,D)
        return _tokens(
            classes=unpack(classes),  # (B,C,D)
            patches=P,
            dense=P if self.visual.dense == "last" else unpack(dense),
            present=present,
            roles=nn.functional.one_hot(role, len(self.modalities) + 1).float(),
            grid=self.grid,
        )

    def _columns(self, batch: Batch) -> tuple[Tensor, Tensor]:
        M = len(self.modalities)
        if batch.modalities[:M] != self.modalities:
            raise InputError(
                f"The batch's columns are {', '.join(batch.modalities)}",
                allowed=f"first the model's own ({', '.join(self.modalities)}), then any others",
            )
        nothing = (~batch.present.any(dim=1)).nonzero().flatten().tolist()
        if nothing:
            names = ", ".join(batch.observation[i] for i in nothing[:5])
            raise InputError(f"{len(nothing)} observations of the batch have no image: {names}")
        C = len(batch.modalities)
        role = torch.arange(C, device=batch.present.device).clamp(max=M).expand(len(batch), C)
        if batch.named is not None:
            role = torch.where(batch.named, role, M)
        return batch.present, role

    def _cameras(self, batch: Batch) -> Tensor:
        known = {name: i for i, name in enumerate(self.cameras or ())}
        indices = [known.get(name, len(known)) if name is not None else len(known) for name in batch.camera]
        return torch.tensor(indices, device=batch.present.device)


def restricted(tokens: Tokens, keep: Tensor) -> Tokens:
    """Return the tokens as if only some of the images had been there.

    Images are encoded one by one, so this equals encoding the smaller set again.

    Args:
        tokens: of all images.
        keep: (B,C) bool; each observation must keep an image that it has.

    Raises:
        InputError: an observation is left with nothing.
    """
    present = tokens.present & keep
    if not bool(present.any(dim=1).all()):
        raise InputError("An observation is left without any image", allowed="at least one of its own")
    patches = torch.where(present[..., None, None], tokens.patches, 0)
    same = tokens.dense is tokens.patches
    return _tokens(
        classes=torch.where(present[..., None], tokens.classes, 0),
        patches=patches,
        dense=patches if same else torch.where(present[..., None, None], tokens.dense, 0),
        present=present,
        roles=tokens.roles,
        grid=tokens.grid,
    )


def blank_tokens(encoder: MultiModalEncoder, batch: Batch) -> Tokens:
    """Return what the encoder makes of a batch whose known images are all zero, after normalisation.

    Args:
        encoder: whose modalities are shown as zeros; others stay absent.
        batch: whose columns, size and cameras are taken. A zero image depends on nothing else, so each
            camera's is encoded once.
    """
    cameras = tuple(dict.fromkeys(batch.camera))
    n, C = len(cameras), len(batch.modalities)
    device = batch.present.device
    first = next(iter(batch.images.values()))
    zeros = first.new_zeros(n, *first.shape[1:])
    known = torch.arange(C, device=device) < len(encoder.modalities)
    tokens: Tokens = encoder(
        Batch(
            images=dict.fromkeys(batch.modalities, zeros),
            present=known.expand(n, C),
            modalities=batch.modalities,
            named=None,
            camera=cameras,
            prompts=((),) * n,
            observation=tuple(map(str, range(n))),
        )
    )
    row = torch.tensor([cameras.index(name) for name in batch.camera], device=device)  # (B,)
    same = tokens.dense is tokens.patches
    patches = tokens.patches[row]
    return _tokens(
        classes=tokens.classes[row],
        patches=patches,
        dense=patches if same else tokens.dense[row],
        present=tokens.present[row],
        roles=tokens.roles[row],
        grid=tokens.grid,
    )


def zero_filled(tokens: Tokens, blank: Tokens, keep: Tensor) -> Tokens:
    """Return the tokens as if the images that are not kept were there and zero after normalisation.

    The convention of DeMo's and IDEA's public code for an absent modality: the branch still runs, and its
    output stays in the feature.

    Args:
        tokens: of all images.
        blank: of zero images, by `blank_tokens`; columns absent there stay absent.
        keep: (B,C) bool.
    """
    real = tokens.present & keep
    patches = torch.where(real[..., None, None], tokens.patches, blank.patches)
    same = tokens.dense is tokens.patches
    return _tokens(
        classes=torch.where(real[..., None], tokens.classes, blank.classes),
        patches=patches,
        dense=patches if same else torch.where(real[..., None, None], tokens.dense, blank.dense),
        present=real | blank.present,
        roles=tokens.roles,
        grid=tokens.grid,
    )


def _tokens(
    *, classes: Tensor, patches: Tensor, dense: Tensor, present: Tensor, roles: Tensor, grid: tuple[int, int]
) -> Tokens:
    """Fill the slots: a present modality has its own class token, an absent one the present ones' mean."""
    M = roles.shape[-1] - 1
    named = roles[:, :M].argmax(dim=-1) == torch.arange(M, device=roles.device)
    slots = present[:, :M] & named  # (B,M)
    context = classes.sum(dim=1) / present.sum(dim=1)[:, None]  # absent columns hold zeros
    return Tokens(
        classes=classes,
        patches=patches,
        dense=dense,
        present=present,
        roles=roles,
        slots=slots,
        context=context,
        filled=torch.where(slots[..., None], classes[:, :M], context[:, None]),  # (B,M,D)
        grid=grid,
    )
