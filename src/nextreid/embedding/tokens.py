"""Patch tokens of observations, for models of any kind, and where a structure router sends them.

Patch tokens are the backbone's last ones in the joint space (`P_m`), before anything that is particular to
one model: so models can be compared by them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from nextreid.data.batch import Batch
from nextreid.errors import InputError
from nextreid.model.outputs import NextOutput
from nextreid.observation import Observation


@dataclass(frozen=True, eq=False)
class PatchTokens:
    """The patch tokens of n observations, modality by modality; N patches, J structure experts.

    Attributes:
        observation: (n,) ids.
        grid: patches as (rows, columns), N = rows * columns; patches go row by row.
        present: modality -> (n,) bool, which observations have it.
        patches: modality -> (n,N,D) float32 of length one; zeros where absent.
        routes: modality -> (n,N,J) float32, to which structure expert each patch goes, sums to one over
            J; zeros where absent. None: the model has no such router.
    """

    observation: tuple[str, ...]
    grid: tuple[int, int]
    present: Mapping[str, NDArray[np.bool_]]
    patches: Mapping[str, NDArray[np.float32]]
    routes: Mapping[str, NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        """Return n."""
        return len(self.observation)


class PatchTokenReader(Protocol):
    """Whatever has patch tokens: `NextReID` with any of its models, or a bare CLIP's `ImageTextReader`."""

    def patch_tokens(
        self, observations: Sequence[Observation], *, places: Sequence[str] | None = None
    ) -> PatchTokens:
        """Return the tokens of every image of the observations, in order."""


def of_output(output: NextOutput, batch: Batch) -> PatchTokens:
    """Return the patch tokens, and routes where there are some, of what a model made of a batch."""
    tokens = output.tokens
    routing = None if output.structure is None else output.structure.routing * tokens.present[..., None, None]
    return PatchTokens(
        observation=batch.observation,
        grid=tokens.grid,
        present={name: tokens.present[:, c].cpu().numpy() for c, name in enumerate(batch.modalities)},
        patches={name: unit_length(tokens.patches[:, c]) for c, name in enumerate(batch.modalities)},
        routes=None
        if routing is None
        else {name: routing[:, c].float().cpu().numpy() for c, name in enumerate(batch.modalities)},
    )


def of_images(
    observations: Sequence[Observation],
    encode: Callable[[str, Sequence[int]], Tensor],
    *,
    grid: tuple[int, int],
    batch_size: int,
) -> PatchTokens:
    """Return the patch tokens of images that are encoded one modality at a time; there are no routes.

    Args:
        observations: whose images; each has at least one.
        encode: (modality, numbers of observations that have it) -> their patch tokens (b,N,D).
        grid: patches as (rows, columns).
        batch_size: images at a time.

    Raises:
        InputError: no observation.
    """
    if not observations:
        raise InputError("There is no observation to read", allowed="at least one")
    present, patches = {}, {}
    for modality in sorted({name for o in observations for name in o.images}):
        there = np.array([modality in o.images for o in observations])
        rows = np.flatnonzero(there).tolist()
        parts = (rows[at : at + batch_size] for at in range(0, len(rows), batch_size))
        tokens = np.concatenate([unit_length(encode(modality, part)) for part in parts])
        whole = np.zeros((len(observations), *tokens.shape[1:]), np.float32)
        whole[there] = tokens
        present[modality], patches[modality] = there, whole
    ids = tuple(o.id or str(number) for number, o in enumerate(observations))
    return PatchTokens(ids, grid, present, patches)


def joined(parts: Iterable[PatchTokens]) -> PatchTokens:
    """Put batches of one model together; a modality that a batch lacks is absent there.

    Raises:
        InputError: no batch.
    """
    listed = list(parts)
    if not listed:
        raise InputError("There is no observation to read", allowed="at least one")
    names = tuple(dict.fromkeys(name for part in listed for name in part.patches))
    routed = [part.routes for part in listed if part.routes is not None]
    return PatchTokens(
        observation=tuple(name for part in listed for name in part.observation),
        grid=listed[0].grid,
        present={name: _column([part.present for part in listed], name, listed) for name in names},
        patches={name: _column([part.patches for part in listed], name, listed) for name in names},
        routes={name: _column(routed, name, listed) for name in names} if routed else None,
    )


def unit_length(tokens: Tensor) -> NDArray[np.float32]:
    """Return (..., D) float32 of length one on the CPU; zeros stay zeros."""
    vectors: NDArray[np.float32] = F.normalize(tokens.float(), dim=-1).cpu().numpy()
    return vectors


def _column(
    parts: Sequence[Mapping[str, NDArray[Any]]], name: str, sizes: Sequence[PatchTokens]
) -> NDArray[Any]:
    some = next(part[name] for part in parts if name in part)
    pieces = [
        part[name] if name in part else np.zeros((len(size), *some.shape[1:]), some.dtype)
        for part, size in zip(parts, sizes, strict=True)
    ]
    return np.concatenate(pieces)
