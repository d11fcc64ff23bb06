"""Images of a training set, resized once and kept in memory where the set is small enough."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from nextreid.data.images import ImageTransform, read_image
from nextreid.errors import InputError
from nextreid.observation import Observation
from nextreid.progress import Progress, Silent

CACHE_CHOICES = ("auto", "ram", "none")

AUTO_LIMIT = 2 * 2**30
"""Bytes up to which `auto` keeps images in memory (ours: RGBNT201 at 256x128 takes 1.2 GB)."""


class ResizedImages:
    """Every image of a list of observations at the model's size.

    Args:
        observations: N observations.
        transform: what resizes them.
        places: (N,) where each observation stands, for errors: `row 12 of manifest.csv`.
        cache: `ram`: keep all in memory, read by `fill` before training (then an unreadable image is
            an error before the first step, and the data loader's workers share the memory);
            `none`: read at every use; `auto`: `ram` up to `AUTO_LIMIT` bytes.

    Raises:
        InputError: an unknown choice, or places of another length.
    """

    def __init__(
        self,
        observations: Sequence[Observation],
        *,
        transform: ImageTransform,
        places: Sequence[str] | None = None,
        cache: str = "auto",
    ) -> None:
        if cache not in CACHE_CHOICES:
            raise InputError(f"cache={cache!r}", allowed=", ".join(CACHE_CHOICES))
        self.observations = tuple(observations)
        self.transform = transform
        self.places = tuple(places) if places is not None else tuple(_place(o) for o in self.observations)
        if len(self.places) != len(self.observations):
            raise InputError(f"{len(self.places)} places for {len(self.observations)} observations")
        self._slots = {
            (index, name): slot
            for slot, (index, name) in enumerate(
                (index, name) for index, o in enumerate(self.observations) for name in o.modalities
            )
        }
        self.cached = cache == "ram" or (cache == "auto" and self.bytes <= AUTO_LIMIT)
        self._memory: Tensor | None = None

    @property
    def bytes(self) -> int:
        """Return what all images take at the model's size, uint8."""
        height, width = self.transform.size
        return len(self._slots) * height * width * 3

    def fill(self, *, threads: int = 2, progress: Progress | None = None) -> None:
        """Read everything into memory, if that is wanted and not yet done.

        Args:
            threads: images read at once.
            progress: gets one step an image.

        Raises:
            ImageError: an image that cannot be read.
        """
        if not self.cached or self._memory is not None:
            return
        height, width = self.transform.size
        memory = torch.empty(len(self._slots), 3, height, width, dtype=torch.uint8)
        title = "Reading images"
        with (
            (progress or Silent()).task(title, len(self._slots)) as task,
            ThreadPoolExecutor(max(1, threads)) as pool,
        ):
            for slot, image in enumerate(pool.map(lambda key: self._read(*key), self._slots)):
                memory[slot] = image
                task.advance()
        self._memory = memory

    def load(self, index: int, modality: str) -> Tensor:
        """Return an image, (3,H,W) uint8; it may be a view of the memory: do not write to it.

        Raises:
            ImageError: an image that cannot be read.
        """
        if self._memory is not None:
            return self._memory[self._slots[index, modality]]
        return self._read(index, modality)

    def _read(self, index: int, modality: str) -> Tensor:
        observation = self.observations[index]
        where = f"{self.places[index]}, modality {modality}"
        image = read_image(observation.images[modality], box=observation.boxes.get(modality), where=where)
        resized = np.ascontiguousarray(self.transform.resize(image))
        return torch.from_numpy(resized).permute(2, 0, 1)


def _place(observation: Observation) -> str:
    return f"observation {observation.id!r}"
