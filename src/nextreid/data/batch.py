"""What the model sees: a batch of observations as tensors, with a mask that says which images exist.

Letters: B observations, M modalities the model knows, C >= M columns (the M in the model's order,
then the unknown ones), K prompt groups, H x W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from nextreid.errors import InputError
from nextreid.modality import modality_tuple

Prompts = tuple[tuple[tuple[str, float], ...], ...]
"""K groups of (sentence, weight); an empty group means the group's generic prompt."""

Evidence = tuple[frozenset[str], ...]
"""K groups: the modalities that their sentences were made from."""


@dataclass(frozen=True)
class Batch:
    """A batch of B observations.

    Attributes:
        images: modality -> (B,3,H,W) float32, normalised; every column has an entry. Rows of absent
            observations hold anything: whoever reads them ignores them.
        present: (B,C) bool, columns in the order of `modalities`; each row has at least one True.
        modalities: names of the C columns: those of the model in its order, then extra ones.
        named: (B,C) bool; False where the modality's name was dropped, so that the model treats it as
            an unknown one. None: all are named.
        camera: (B,) camera names; None where unknown or dropped.
        prompts: (B,) of `Prompts`.
        observation: (B,) ids.
        label: (B,) int64 identity labels, or None.
        noise_seed: (B,) int64 seeds of the routing noise, or None for no noise.
        evidence: (B,) of K sets: the modalities that a group's sentences were made from; empty: not told.

    Raises:
        InputError: shapes that do not fit together, or an observation without an image.
    """

    images: dict[str, Tensor]
    present: Tensor
    modalities: tuple[str, ...]
    named: Tensor | None
    camera: tuple[str | None, ...]
    prompts: tuple[Prompts, ...]
    observation: tuple[str, ...]
    label: Tensor | None = None
    noise_seed: Tensor | None = None
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        """Check that everything is about the same B observations and C columns."""
        B, C = len(self.observation), len(self.modalities)
        wanted: dict[str, tuple[Any, tuple[int, ...]]] = {
            "present": (self.present, (B, C)),
            "named": (self.named, (B, C)),
            "label": (self.label, (B,)),
            "noise_seed": (self.noise_seed, (B,)),
        }
        for name, (value, shape) in wanted.items():
            if value is not None and tuple(value.shape) != shape:
                raise InputError(f"Batch: {name} has shape {tuple(value.shape)}", allowed=str(shape))
        if set(self.images) != set(self.modalities):
            raise InputError(
                f"Batch: images of {', '.join(sorted(self.images))}", allowed=", ".join(self.modalities)
            )
        lengths = {len(image) for image in self.images.values()} | {len(self.camera), len(self.prompts)}
        if self.evidence:
            lengths.add(len(self.evidence))
        if lengths - {B}:
            raise InputError(f"Batch: parts of lengths {sorted(lengths)} for {B} observations")
        if B and not bool(self.present.any(dim=1).all()):
            row = int((~self.present.any(dim=1)).nonzero()[0])
            raise InputError(
                f"Observation {self.observation[row]!r} has no image", allowed="at least one modality"
            )

    def __len__(self) -> int:
        """Return B."""
        return len(self.observation)

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch with its tensors on `device`."""

        def move(value: Any) -> Any:
            return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value

        images = {name: move(image) for name, image in self.images.items()}
        others = {f.name: move(getattr(self, f.name)) for f in fields(self) if f.name != "images"}
        return replace(self, images=images, **others)

    def pin_memory(self) -> "Batch":
        """Return the batch with its tensors in pinned memory (the data loader calls this for CUDA)."""
        pinned = {
            f.name: getattr(self, f.name).pin_memory()
            for f in fields(self)
            if isinstance(getattr(self, f.name), Tensor)
        }
        return replace(
            self, images={name: image.pin_memory() for name, image in self.images.items()}, **pinned
        )


@dataclass(frozen=True)
class Sample:
    """One observation, ready to be put into a batch.

    Attributes:
        images: present modality -> (3,H,W) float32, normalised.
        observation: its id.
        prompts: K groups of (sentence, weight).
        camera: name, or None where unknown or dropped.
        unnamed: modalities whose name was dropped.
        label: identity label, or None.
        noise_seed: seed of the routing noise, or None.
        evidence: K sets of modalities that the prompts were made from; empty: not told.
    """

    images: Mapping[str, Tensor]
    observation: str
    prompts: Prompts = ()
    camera: str | None = None
    unnamed: frozenset[str] = field(default_factory=frozenset)
    label: int | None = None
    noise_seed: int | None = None
    evidence: Evidence = ()


def collate(samples: Sequence[Sample], modalities: Sequence[str]) -> Batch:
    """Put samples into a batch; modalities that are not in `modalities` get extra columns, sorted.

    Args:
        samples: B samples with images of one size.
        modalities: the model's modalities, in its order.

    Raises:
        InputError: no sample, a sample without an image, or images of different sizes.
    """
    if not samples:
        raise InputError("An empty batch", allowed="at least one observation")
    known = modality_tuple(modalities)
    extra = {name for sample in samples for name in sample.images} - set(known)
    columns = known + tuple(sorted(extra))
    shapes = {tuple(image.shape) for sample in samples for image in sample.images.values()}
    if len(shapes) > 1:
        raise InputError(f"Images of different sizes in a batch: {sorted(shapes)}", allowed="one size")
    B, shape = len(samples), next(iter(shapes), (3, 1, 1))
    images = {name: torch.zeros(B, *shape) for name in columns}  # (B,3,H,W)
    present = torch.zeros(B, len(columns), dtype=torch.bool)
    named = torch.ones(B, len(columns), dtype=torch.bool)
    for row, sample in enumerate(samples):
        for column, name in enumerate(columns):
            if name in sample.images:
                images[name][row] = sample.images[name]
                present[row, column] = True
            named[row, column] = name not in sample.unnamed
    return Batch(
        images=images,
        present=present,
        modalities=columns,
        named=None if bool(named.all()) else named,
        camera=tuple(sample.camera for sample in samples),
        prompts=tuple(sample.prompts for sample in samples),
        observation=tuple(sample.observation for sample in samples),
        label=_column([sample.label for sample in samples], "label"),
        noise_seed=_column([sample.noise_seed for sample in samples], "noise_seed"),
        evidence=tuple(sample.evidence for sample in samples) if all(s.evidence for s in samples) else (),
    )


def _column(values: Sequence[int | None], name: str) -> Tensor | None:
    """Return (B,) int64, or None when no sample has a value."""
    given = [value for value in values if value is not None]
    if not given:
        return None
    if len(given) < len(values):
        raise InputError(f"Some samples of a batch have a {name} and some have none")
    return torch.tensor(given, dtype=torch.int64)
